"""Addresses that get no more mail, because mail to them bounced or its reader complained. Stored as hashes."""

from fanout import aws
from fanout.contracts.user_registration import MailFeedback
from fanout.effects import to_item, transact_once
from fanout.event import Event
from fanout.subscriber import Outcome
from user_registration import settings
from user_registration.addresses import keyed_hash


def _key(address: str) -> dict[str, str]:
    return {"pk": f"address#{keyed_hash(address, 'suppression')}", "sk": "suppressed"}


def is_suppressed(address: str) -> bool:
    """Tell whether the address gets no more mail."""
    answer = aws.client("dynamodb").get_item(
        TableName=settings.mail().mail_table,
        Key=to_item(_key(address)),
        ConsistentRead=True,
        ProjectionExpression="pk",
    )
    return "Item" in answer


def suppress(event: Event[MailFeedback]) -> Outcome:
    """Let the addresses that the feedback is about get no more mail.

    They do until a person deletes their items; the feedback's marker keeps it from suppressing them again then.
    """
    table = settings.mail().mail_table
    keys = {key["pk"]: key for key in map(_key, event.data.addresses)}  # a transaction may name an item only once
    values = to_item({":since": event.occurred_at.isoformat(), ":cause": {event.data.kind}})
    return transact_once(
        event,
        table,
        [
            {
                "Update": {
                    "TableName": table,
                    "Key": to_item(key),
                    "UpdateExpression": "SET since = if_not_exists(since, :since) ADD causes :cause",
                    "ExpressionAttributeValues": values,
                }
            }
            for key in keys.values()
        ],
    )
