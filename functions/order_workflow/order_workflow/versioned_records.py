"""Records with optimistic locking: one document per order, written only in place of the version that was read.

Several deliveries may change one order's record at the same time. Each reads the record, computes the change, and
writes it if no other delivery was faster; otherwise it starts again. (Optimistic locking:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/BestPractices_ImplementingVersionControl.html)
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from fanout import Retry, aws
from fanout.dynamodb import condition_failed, from_item, to_item

R = TypeVar("R", bound=msgspec.Struct)

# Few deliveries change one order's record at the same time: placed, four outcomes, a few duplicates, the schedule.
_ATTEMPTS = 10


class Records(Generic[R]):
    """The records of one kind in one table: item `pk` = order#<id>, `sk` = kind, `document` = the record as JSON."""

    def __init__(
        self,
        table: str,
        kind: str,
        new: Callable[[str], R],
        attributes: Callable[[R], Mapping[str, Any]],
    ) -> None:
        """new: makes the record of an order that has none yet.

        attributes: the attributes stored beside the document, for indexes and operators.
        """
        self._table = table
        self._kind = kind
        self._new = new
        self._attributes = attributes
        self._decode = msgspec.json.Decoder(type(new(""))).decode

    def read(self, order_id: str) -> tuple[R, int]:
        """Return an order's record as it is now, and its version; a new one has version 0."""
        answer = aws.client("dynamodb").get_item(
            TableName=self._table, Key=to_item(self._key(order_id)), ConsistentRead=True
        )
        if "Item" not in answer:
            return self._new(order_id), 0
        item = from_item(answer["Item"])
        return self._decode(item["document"]), int(item["version"])

    def put(self, order_id: str, record: R, version: int) -> dict[str, Any]:
        """Return the parameters of a Put of the record in place of that version of it, and of no other."""
        item = {
            **self._key(order_id),
            **self._attributes(record),
            "document": msgspec.json.encode(record).decode(),
            "version": version + 1,
        }
        first = {"ConditionExpression": "attribute_not_exists(pk)"}
        later = {
            "ConditionExpression": "version = :seen",
            "ExpressionAttributeValues": to_item({":seen": version}),
        }
        return {"TableName": self._table, "Item": to_item(item), **(later if version else first)}

    def write(self, order_id: str, record: R, version: int) -> bool:
        """Write the record in place of that version of it. False if that version is no longer there."""
        try:
            aws.client("dynamodb").put_item(**self.put(order_id, record, version))
        except Exception as error:
            if condition_failed(error):
                return False
            raise
        return True

    def update(self, order_id: str, change: Callable[[R], R]) -> tuple[R, bool]:
        """Apply `change` to the record; return the record, and whether it changed.

        `change` may be called several times; its exceptions propagate. Raises Retry if others are always faster.
        """
        for _ in range(_ATTEMPTS):
            record, version = self.read(order_id)
            changed = change(record)
            if changed == record:
                return record, False
            if self.write(order_id, changed, version):
                return changed, True
        raise Retry("contended: others keep changing this order's record", after=1)

    def _key(self, order_id: str) -> dict[str, str]:
        return {"pk": f"order#{order_id}", "sk": self._kind}
