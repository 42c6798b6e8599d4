"""Records each user for analysis and counts registrations per day, plan and locale."""

from fanout import Event, Outcome, subscriber, transact_once
from fanout.contracts.user_registration import UserRegistered
from fanout.dynamodb import ConditionFailedError, to_item
from user_registration import settings
from user_registration.addresses import keyed_hash
from user_registration.domain.registration_counts import counts_key


@subscriber(UserRegistered)
def handler(event: Event[UserRegistered]) -> Outcome:
    """Record the user and count the registration, in one transaction: each once, or neither."""
    table = settings.analytics().analytics_table
    user = event.data
    registered_at = event.occurred_at
    record = {
        "pk": f"user#{user.user_id}",
        "sk": "registration",
        "event_id": event.id,
        "registered_at": registered_at.isoformat(timespec="milliseconds"),
        "email_hash": keyed_hash(user.email, "analytics"),
        "plan": user.plan,
        "locale": user.locale,
        "marketing_consent": user.marketing_consent,
    }
    put = {"TableName": table, "Item": to_item(record), "ConditionExpression": "attribute_not_exists(pk)"}
    count = {
        "TableName": table,
        "Key": to_item(counts_key(registered_at.date(), user.user_id)),
        "UpdateExpression": "ADD registrations :one, #plan :one, #locale :one",
        "ExpressionAttributeNames": {"#plan": f"plan:{user.plan}", "#locale": f"locale:{user.locale}"},
        "ExpressionAttributeValues": to_item({":one": 1}),
    }
    try:
        return transact_once(event, table, [{"Put": put}, {"Update": count}])
    except ConditionFailedError:  # another event of this registration was processed before
        return Outcome.DUPLICATE
