"""Write the files that are made from contracts, samples and templates (`make generate`)."""
