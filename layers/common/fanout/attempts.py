"""How often a message of a FIFO queue was really tried.

SQS counts receives, and in a FIFO queue a message is received again and again while it only waits for the one before it
in its group. So the queue's own count must never end a message (its maxReceiveCount is out of reach), and attempts are
counted here: only from the second receive on, so that an event that goes well at once costs nothing.
"""

import time

from fanout import aws
from fanout.delivery import Delivery
from fanout.observability import describe, logger

# Longer than a message can stay in a queue (14 days), so that no count ends before its message does.
_KEPT_SECONDS = 15 * 86_400


def begin(table: str, delivery: Delivery) -> int | None:
    """Count an attempt that begins now; return which one it is, 1 for the first.

    Of a message that was received before, the first receive counts as an attempt whether it was one or not: nothing is
    written at a first receive. None if the count cannot be written: this attempt's failure must not be the last straw.
    """
    if delivery.attempt == 1:
        return 1
    try:
        answer = aws.client("dynamodb").update_item(
            TableName=table,
            Key=_key(delivery),
            UpdateExpression="SET expires_at = :expires_at ADD attempts :one",
            ExpressionAttributeValues={
                ":expires_at": {"N": str(int(time.time()) + _KEPT_SECONDS)},
                ":one": {"N": "1"},
            },
            ReturnValues="UPDATED_NEW",
        )
    except Exception as error:
        logger.warning("attempt not counted", error=describe(error), message_id=delivery.notification.message_id)
        return None
    return int(answer["Attributes"]["attempts"]["N"]) + 1


def forget(table: str, delivery: Delivery) -> None:
    """Forget the attempts at a message that is done with: should it come back after all, it begins anew."""
    if delivery.attempt == 1:
        return
    try:
        aws.client("dynamodb").delete_item(TableName=table, Key=_key(delivery))
    except Exception as error:  # it expires
        logger.warning("attempts not forgotten", error=describe(error), message_id=delivery.notification.message_id)


def _key(delivery: Delivery) -> dict[str, dict[str, str]]:
    return {"pk": {"S": delivery.sqs_message_id or ""}}
