"""Query the data lakes of data_aggregation and application_logs."""
