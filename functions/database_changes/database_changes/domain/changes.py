"""The records of the primary table's stream, as events."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout import Event
from fanout.contracts.database_changes import RowChanged, table_arn


class Change(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One record of the stream."""

    record: Mapping[str, Any]
    event: Event[RowChanged] | None
    """The event it becomes, the same at every attempt; None if it cannot be read."""
    problem: str = ""
    """Why it cannot."""

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> "Change":
        """Read a record as Lambda hands it over. Raises nothing."""
        try:
            event = Event.new(
                RowChanged.from_stream(record),
                source=table_arn(record),
                id=record["eventID"],
                time=datetime.fromtimestamp(float(record["dynamodb"]["ApproximateCreationDateTime"]), UTC),
            )
        except Exception as error:  # whatever a record lacks or holds: those behind it wait for it
            # Its type only: the message of an error in a row's data may quote the row.
            return cls(record=record, event=None, problem=f"no change of a row: {type(error).__name__}")
        return cls(record=record, event=event)

    @property
    def sequence_number(self) -> str:
        """What Lambda knows the record by."""
        return str(self.record["dynamodb"]["SequenceNumber"])
