"""The common form of the events of all sources."""

from collections import Counter
from datetime import datetime

import msgspec

Key = tuple[str, str]
"""pk and sk of an aggregate."""


class Observation(msgspec.Struct, frozen=True):
    """The measures and dimensions of one event, in the form that all sources share."""

    moment: datetime
    """In UTC."""
    measures: dict[str, int]
    dimensions: dict[str, str | None]
    """None: the source does not provide it."""

    def amounts(self) -> Counter[Key]:
        """Return the amount to add to each aggregate: every measure by every dimension, for its hour and its day."""
        instant = self.moment.isoformat()
        windows = (f"hour#{instant[:13]}", f"day#{instant[:10]}")
        return Counter(
            {
                (f"{measure}#{dimension}={value}", window): amount
                for measure, amount in self.measures.items()
                if amount
                for dimension, value in self.dimensions.items()
                if value is not None
                for window in windows
            }
        )
