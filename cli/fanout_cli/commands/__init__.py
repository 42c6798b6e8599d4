"""One module per command: HELP, and `run` with its options."""
