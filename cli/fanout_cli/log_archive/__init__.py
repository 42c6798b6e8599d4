"""Read the log archive of application_logs."""
