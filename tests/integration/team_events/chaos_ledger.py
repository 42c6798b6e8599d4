"""A message is once in each feed."""

from collections import Counter
from functools import cached_property

from fanout.identity import identity
from fanout_cli.demo.definition import Event
from tests.chaos import ledger

_FEEDS = {"team_a": "feed#team_a", "team_b": "feed#team_b", "broadcast": "feed#everyone"}


class Ledger(ledger.Ledger):
    """Counts the lines of the feeds."""

    def times(self, event: Event, subscriber: str) -> int:
        """Lines about the message, at any time."""
        return self._lines[_FEEDS[subscriber], identity(event["source"], event["id"])]

    @cached_property
    def _lines(self) -> Counter[tuple[str, str]]:
        items = self.rows("team_a", "FEED_TABLE")
        return Counter((item["pk"], item["sk"].partition("#")[2]) for item in items if "#" in item["sk"])
