"""database_changes: a row of a DynamoDB table was inserted, updated or deleted.

Rows and keys are in DynamoDB's own JSON ({"name": {"S": "Ada"}}), which loses nothing: numbers of 38 digits, sets,
binary. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from fanout.contracts import contract

# Not "$", which also matches before a final line break; this is the end of the text in Python and in JSON Schema.
_END = r"(?![\s\S])"

VERSION_DIGITS = 40
"""Sequence numbers of streams have 21 to 40 digits. With leading zeros they compare as texts like as numbers.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html"""

REPLICA = "replica:"
"""The prefix of a DynamoDB replica's own attributes. A row that has such an attribute is not replicated."""

Operation = Literal["insert", "update", "delete"]
Value = Annotated[
    dict[Literal["S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"], Any],
    msgspec.Meta(min_length=1, max_length=1),
]
Row = dict[str, Value]
Key = Annotated[
    dict[str, Annotated[dict[Literal["S", "N", "B"], str], msgspec.Meta(min_length=1, max_length=1)]],
    msgspec.Meta(min_length=1, max_length=2),
]

_OPERATIONS: Mapping[str, Operation] = {"INSERT": "insert", "MODIFY": "update", "REMOVE": "delete"}


@contract(
    "row.changed.v1",
    topic="DatabaseChanges",
    filterable=("table", "operation", "version"),
    group=("table", "key"),
    holds_anything=True,
)
class RowChanged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row was changed. The event with the latest version of a row is enough to replicate it."""

    table: Annotated[str, msgspec.Meta(pattern=f"^[a-zA-Z0-9_.-]{{3,255}}{_END}")]
    key: Key
    """The primary key: one attribute, or two."""
    operation: Operation
    version: Annotated[str, msgspec.Meta(pattern=f"^[0-9]{{{VERSION_DIGITS}}}{_END}")]
    """Increases with every change of the row, including deletions: the stream's sequence number with leading zeros."""
    before: Row | None = None
    """The whole row before the change; None if there was none, or if the stream does not have it."""
    after: Row | None = None
    """The whole row after the change; None for a deletion."""

    def __post_init__(self) -> None:
        """Raise ValueError for a change that contradicts itself."""
        if (self.after is None) != (self.operation == "delete"):
            raise ValueError(
                "after is the row as it is now: without a row after insert and update, or with one after delete"
            )
        if self.operation == "insert" and self.before is not None:
            raise ValueError("before is the row as it was, and before an insert there was none")
        for row in (self.before, self.after):
            if row is not None and any(row.get(name) != value for name, value in self.key.items()):
                raise ValueError("before and after are rows with this key")

    @property
    def key_text(self) -> str:
        """The key as one text, the same for any order of its attributes."""
        return key_text(self.key)

    @classmethod
    def from_stream(cls, record: Mapping[str, Any]) -> "RowChanged":
        """Return the change in a record of a DynamoDB stream, as Lambda passes it.

        Raises KeyError, ValueError or msgspec.ValidationError for what is none.
        https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
        """
        image = record["dynamodb"]
        return msgspec.convert(
            {
                "table": table_arn(record).rpartition("/")[2],
                "key": image["Keys"],
                "operation": _OPERATIONS[record["eventName"]],
                "version": image["SequenceNumber"].zfill(VERSION_DIGITS),
                "before": image.get("OldImage"),
                "after": image.get("NewImage"),
            },
            cls,
        )


def table_arn(record: Mapping[str, Any]) -> str:
    """Return the ARN of the table that a stream's record is about: arn:...:table/NAME/stream/LABEL without its end."""
    arn: str = record["eventSourceARN"]
    return arn.partition("/stream/")[0]


def key_text(key: Mapping[str, Any]) -> str:
    """Return a key as one text, the same for any order of its attributes."""
    return msgspec.json.encode(key, order="sorted").decode()


def attribute_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row or a key as boto3 accepts it: binary values, at any depth, as bytes instead of base64 text.

    Raises ValueError for content that DynamoDB's JSON does not allow.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html#Programming.LowLevelAPI.Binary
    """
    try:
        return {name: _attribute_value(value) for name, value in row.items()}
    except (AttributeError, TypeError) as error:
        raise ValueError("not a DynamoDB attribute value") from error


def _attribute_value(value: Mapping[str, Any]) -> dict[str, Any]:
    [(kind, content)] = value.items()
    match kind:
        case "B":
            content = base64.b64decode(content, validate=True)
        case "BS":
            content = [base64.b64decode(each, validate=True) for each in content]
        case "M":
            content = attribute_values(content)
        case "L":
            content = [_attribute_value(each) for each in content]
    return {kind: content}
