"""Verify the replicas of database_changes."""
