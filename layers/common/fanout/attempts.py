"""The number of attempts at a message of a FIFO queue.

SQS counts receives, and in a FIFO queue a message is received repeatedly while it waits for the one before it in its
group. The queue's own count must therefore never end a message (its maxReceiveCount is too high to be reached), and
attempts are counted here: only from the second receive on, so that an event that succeeds at once costs nothing.
"""

import time

from fanout import aws
from fanout.delivery import Delivery
from fanout.observability import describe, logger

aws.prepare("dynamodb")

# Longer than a message can stay in a queue (14 days), so that no count expires before its message.
_KEPT_SECONDS = 15 * 86_400


def begin(table: str, delivery: Delivery) -> int | None:
    """Count the attempt that begins now and return its number, 1 for the first.

    The first receive always counts as an attempt: nothing is written at a first receive. Returns None if the count
    cannot be written: this attempt must not be taken as the final one.
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
    """Delete the count of a message that was handled: if it is delivered again, it starts at 1."""
    if delivery.attempt == 1:
        return
    try:
        aws.client("dynamodb").delete_item(TableName=table, Key=_key(delivery))
    except Exception as error:  # it expires
        logger.warning("attempts not forgotten", error=describe(error), message_id=delivery.notification.message_id)


def _key(delivery: Delivery) -> dict[str, dict[str, str]]:
    return {"pk": {"S": delivery.sqs_message_id or ""}}
