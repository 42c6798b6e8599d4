"""Suppressed addresses: mail to them bounced or their recipient complained. Stored as hashes."""

from fanout import Event, Outcome, aws, transact_once
from fanout.contracts.user_registration import MailFeedback
from fanout.dynamodb import to_item
from user_registration import settings
from user_registration.addresses import keyed_hash


def _key(address: str) -> dict[str, str]:
    return {"pk": f"address#{keyed_hash(address, 'suppression')}", "sk": "suppressed"}


def is_suppressed(address: str) -> bool:
    """Return whether mail to the address is suppressed."""
    answer = aws.client("dynamodb").get_item(
        TableName=settings.mail().mail_table,
        Key=to_item(_key(address)),
        ConsistentRead=True,
        ProjectionExpression="pk",
    )
    return "Item" in answer


def suppress(event: Event[MailFeedback]) -> Outcome:
    """Suppress mail to the addresses of the feedback, once per feedback event.

    An operator lifts a suppression by deleting its item. A redelivery of the feedback does not restore it.
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
