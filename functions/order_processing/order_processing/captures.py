"""The state of each order's payment: one record per order.

    pk              sk        attributes
    order#<order>   payment   order_id, customer_id, amount, currency, provider, state, begun_at
                              and once it is settled: settled_at, reference or code

`capturing`: a request may be in flight. The provider returns its outcome when the request is repeated under the same
idempotency key, as long as it keeps keys. `captured` and `declined` are final.
"""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from fanout import Event, Reject, aws, identity
from fanout.contracts.order_processing import OrderSubmitted
from fanout.dynamodb import condition_failed, from_item, to_item
from fanout.integrations.payments import KEY_LIFETIME, Accepted, Refused
from order_processing import settings

_CHARGE = ("customer_id", "amount", "currency")


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """One order's payment."""

    order_id: str
    customer_id: str
    amount: int
    """In the currency's minor unit."""
    currency: str
    provider: str
    state: Literal["capturing", "captured", "declined"]
    begun_at: datetime
    """When the first request was sent."""

    @property
    def is_settled(self) -> bool:
        """Return whether the provider's response is known."""
        return self.state != "capturing"

    @property
    def key(self) -> str:
        """The idempotency key for the provider: one per order, forever."""
        who = identity.subscriber_name()
        return identity.derived_id(f"urn:fanout:{who}", self.order_id, who, "capture", 0)

    def request(self) -> dict[str, Any]:
        """Return the request to the provider."""
        return {"order_id": self.order_id, **{name: getattr(self, name) for name in _CHARGE}}


def begin(event: Event[OrderSubmitted], provider: str) -> Capture:
    """Record that the order's payment is under way, and return the record: an earlier one if there is one.

    Raises Reject if the earlier record has another amount or customer or another provider, or is so old that the
    provider may no longer remember its key.
    """
    order = event.data
    new = Capture(
        order_id=order.order_id,
        customer_id=order.customer.customer_id,
        amount=order.total,
        currency=order.currency,
        provider=provider,
        state="capturing",
        begun_at=datetime.now(UTC),
    )
    try:
        aws.client("dynamodb").put_item(
            TableName=settings.payment().payment_table,
            Item=to_item({**_key(new.order_id), **msgspec.to_builtins(new)}),
            ConditionExpression="attribute_not_exists(pk)",
        )
    except Exception as error:
        if not condition_failed(error):
            raise
        return _earlier(new)
    return new


def settle(capture: Capture, answer: Accepted | Refused) -> bool:
    """Record the provider's response. Return False if another delivery has recorded it; its response is the same."""
    result = {"reference": answer.reference} if isinstance(answer, Accepted) else {"code": answer.word}
    [(name, value)] = result.items()
    state = "captured" if isinstance(answer, Accepted) else "declined"
    try:
        aws.client("dynamodb").update_item(
            TableName=settings.payment().payment_table,
            Key=to_item(_key(capture.order_id)),
            UpdateExpression="SET #state = :state, settled_at = :now, #result = :result",
            ConditionExpression="#state = :capturing",
            ExpressionAttributeNames={"#state": "state", "#result": name},
            ExpressionAttributeValues=to_item(
                {
                    ":state": state,
                    ":now": datetime.now(UTC).isoformat(timespec="milliseconds"),
                    ":result": value,
                    ":capturing": "capturing",
                }
            ),
        )
    except Exception as error:
        if condition_failed(error):
            return False
        raise
    return True


def _earlier(new: Capture) -> Capture:
    answer = aws.client("dynamodb").get_item(
        TableName=settings.payment().payment_table, Key=to_item(_key(new.order_id)), ConsistentRead=True
    )
    item = from_item(answer["Item"])
    found = msgspec.convert({**item, "amount": int(item["amount"])}, Capture)
    if found.request() != new.request():
        raise Reject("conflict", "an earlier order under the same id had another total or customer")
    if found.is_settled:
        return found
    if found.provider != new.provider:
        raise Reject("provider-changed", f"this payment was begun with {found.provider}; check its outcome there")
    if new.begun_at - found.begun_at > KEY_LIFETIME:
        raise Reject("outcome-unknown", "the provider was first asked more than a day ago; check the outcome with it")
    return found


def _key(order_id: str) -> dict[str, str]:
    return {"pk": f"order#{order_id}", "sk": "payment"}
