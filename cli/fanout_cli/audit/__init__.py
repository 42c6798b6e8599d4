"""Verify audit trails: the hash chain in DynamoDB against itself, and against the preserved documents in S3.

Nothing here is shared with functions/audit_logs: the verification must not repeat a fault of the code that wrote the
trail. The format is in usecases/audit_logs/README.md, and tests hold both sides to it.
"""
