"""Show the jobs of batch_jobs."""
