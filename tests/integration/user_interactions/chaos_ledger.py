"""Every post has one event that counts, or a like that the same user has taken back."""

from collections import Counter
from functools import cached_property
from typing import Any

from fanout_cli.demo.definition import Event
from tests.chaos import ledger


class Ledger(ledger.Ledger):
    """Adds the shards of the counters up, per post."""

    def times(self, event: Event, subscriber: str) -> int | None:
        """What the post's counter shows; for a like, what it says of the user's last word about it."""
        post = event["data"]["post_id"]
        if subscriber != "likes":
            return self._totals[subscriber, post]
        state = self._states.get((f"user#{event['data']['user_id']}", f"like#{post}"))
        if state is None:
            return 0
        excess = self._totals["likes", post] - int(state["liked"])
        if excess:  # counted more, or less, than its user's last word
            return max(0, 1 + excess)
        if state["event_id"] == event["id"]:
            return 1
        return None if event["type"] == "post.liked.v1" else 0  # nothing takes back what takes a like back

    @cached_property
    def _states(self) -> dict[tuple[str, str], dict[str, Any]]:
        items = self.rows("likes", "INTERACTIONS_TABLE")
        return {(item["pk"], item["sk"]): item for item in items if item["sk"].startswith("like#")}

    @cached_property
    def _totals(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for item in self.rows("likes", "INTERACTIONS_TABLE"):
            kind, _, rest = item["pk"].partition("#")
            if kind == "totals":
                post = rest.partition("#")[2]
                for name in ("likes", "shares", "comments"):
                    found[name, post] += int(item.get(name, 0))
        return found
