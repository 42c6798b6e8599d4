"""Changes that capture cannot publish: stored in S3 with the reason, for an operator."""

import msgspec

from database_changes import settings
from database_changes.domain.changes import Change
from fanout import aws
from fanout.observability import describe, logger
from fanout.publisher import Failed

aws.prepare("s3")


def store(change: Change, failure: Failed) -> bool:
    """Store a change as `changes/<table>/<sequence number>.json`; storing a change again replaces its object.

    Return False if S3 refuses it: it must be retried, and no later change of its row may be published.
    """
    table = change.event.data.table if change.event else "unreadable"
    name = f"changes/{table}/{change.sequence_number}.json"
    body = msgspec.json.encode({"code": failure.code, "reason": failure.message, "record": change.record})
    try:
        aws.client("s3").put_object(
            Bucket=settings.capture().unpublished_bucket, Key=name, Body=body, ContentType="application/json"
        )
    except Exception as error:
        logger.error("not stored", error=describe(error), object=name)
        return False
    logger.error("stored: the change cannot be published, later ones of its row are", object=name, code=failure.code)
    return True
