"""The totals of a site, an app or a store with one event are those of that event; the lake has it once."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property

from fanout_cli.demo.definition import Event
from fanout_cli.lakes.athena import Lake
from tests.chaos import ledger

# Firehose collects for a second, and asks a function.
_FIREHOSE_SECONDS = 60.0
_POLL_SECONDS = 2.0


class Ledger(ledger.Ledger):
    """Reads the aggregates, and asks Athena for the lake."""

    def times(self, event: Event, subscriber: str) -> int:
        """How many such events its hour and its day hold; what only some measures have is rounded up."""
        data = event["data"]
        match subscriber:
            case "web":
                where, measures = f"site={data['site']}", {"views": 1, "engaged_ms": data["visible_ms"]}
            case "mobile":
                measures = {"views": data["screens"], "engaged_ms": data["end_ms"] - data["start_ms"]}
                where = f"app={data['app']}"
            case _:
                where = f"store={data['store_id']}"
                measures = {"items_sold": data["item_count"], f"revenue_{data['currency']}": data["total"]}
        at = datetime.fromisoformat(event["time"]).astimezone(UTC)
        windows = (f"hour#{at:%Y-%m-%dT%H}", f"day#{at:%Y-%m-%d}")
        times = [
            self._times(f"{measure}#{where}", window, amount)
            for measure, amount in measures.items()
            for window in windows
        ]
        return max(times) if min(times) else 0

    def _times(self, total: str, window: str, amount: int) -> int:
        """How often the amount is in its own window, and with it what is in any other of that kind."""
        windows = self._totals.get(total, {})
        if not windows.get(window):
            return 0
        kind = window.partition("#")[0]
        return -(-sum(number for name, number in windows.items() if name.startswith(kind)) // amount)

    def faults(self, events: Sequence[Event]) -> list[str]:
        """Every event is in the lake, which no function writes, once."""
        wanted = {(event["source"], event["id"]) for event in events}
        lake = Lake(self.stores.client, self.demo.topology, self.demo.use_case)
        deadline = time.monotonic() + _FIREHOSE_SECONDS
        while True:
            rows = lake.query("SELECT source, id FROM events").rows
            found = Counter((str(source), str(event_id)) for source, event_id in rows)
            if wanted <= found.keys() or time.monotonic() > deadline:
                return [f"the lake has {each} {found[each]} times" for each in sorted(wanted) if found[each] != 1]
            time.sleep(_POLL_SECONDS)

    @cached_property
    def _totals(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for item in self.rows("web", "AGGREGATES_TABLE"):
            if "total" in item:
                found.setdefault(item["pk"], {})[item["sk"]] = int(item["total"])
        return found
