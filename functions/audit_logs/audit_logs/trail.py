"""Preserved documents: one object per event in a bucket whose Object Lock prevents changes and deletion.

    documents/<tenant>/<name>.json        `documents.name_of` gives the name

An object is written on condition that its key is free. Object Lock requires a versioned bucket, where a second write
would add a version instead of failing.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import base64
import hashlib

from audit_logs import documents, settings
from fanout import Event, Outcome, Reject, Retry, aws
from fanout.contracts.audit_logs import AuditRecorded

aws.prepare("s3")


def preserve(event: Event[AuditRecorded]) -> Outcome:
    """Write the event's document, once. The bucket's default retention locks it.

    Raises Reject if another event has the same source and id, Retry while another write is in progress.
    """
    bucket, key = settings.trail().trail_bucket, f"documents/{event.data.tenant}/{documents.name_of(event)}.json"
    body = documents.document(event, settings.sensitive_paths())
    try:
        aws.client("s3").put_object(
            Bucket=bucket,
            Key=key,
            Body=body,
            ContentType="application/json",
            # S3 refuses a body that was corrupted on the way, which could not be corrected afterwards.
            ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode(),
            IfNoneMatch="*",
        )
    except Exception as error:
        if aws.error_code(error) == "ConditionalRequestConflict":
            raise Retry("preserved: another write of it is in progress", after=1) from None
        if aws.error_code(error) != "PreconditionFailed":
            raise
    else:
        return Outcome.PROCESSED
    kept = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    if not documents.is_of(event, kept, settings.sensitive_paths()):
        raise Reject("conflict", "another event is preserved under the same source and id")
    return Outcome.DUPLICATE
