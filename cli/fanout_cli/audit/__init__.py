"""Verifies audit trails: the hash chain in DynamoDB against itself, and against the preserved documents in S3.

Nothing here is shared with functions/audit_logs: what judges a trail must not repeat a fault of what wrote it. The
format is written down in usecases/audit_logs/README.md, and tests hold both sides to it.
"""
