"""`make validate`: judges the application as CloudFormation receives it, with tools that know nothing about it."""
