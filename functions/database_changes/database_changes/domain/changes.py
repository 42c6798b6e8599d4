"""Converts the records of the primary table's stream to events."""

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
    """The event for the record, the same at every attempt; None if the record cannot be read."""
    problem: str = ""
    """Why the record cannot be read."""

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> "Change":
        """Read a record as Lambda delivers it. Raises nothing."""
        try:
            event = Event.new(
                RowChanged.from_stream(record),
                source=table_arn(record),
                id=record["eventID"],
                time=datetime.fromtimestamp(float(record["dynamodb"]["ApproximateCreationDateTime"]), UTC),
            )
        except Exception as error:  # any malformed record: the records after it wait for it
            # The type only: the message may quote the row.
            return cls(record=record, event=None, problem=f"not a change of a row: {type(error).__name__}")
        return cls(record=record, event=event)

    @property
    def sequence_number(self) -> str:
        """Lambda's identifier of the record."""
        return str(self.record["dynamodb"]["SequenceNumber"])
