"""data_aggregation: each event is in the aggregates of its hour and day, and Athena finds it once in the lake."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from fanout_cli.demo.definition import Check, Event, UseCaseDemo
from fanout_cli.errors import UserError
from fanout_cli.lakes.athena import Lake

# Firehose collects for a second locally, and for minutes on AWS (LakeBufferSeconds); then it asks a function.
_PATIENCE_SECONDS = 30.0
_AWS_PATIENCE_SECONDS = 900.0
_POLL_SECONDS = 0.5


class Demo(UseCaseDemo):
    """Every sample has its own site, app or store, so that its aggregates are new."""

    def fresh(self, event: Event, run: str) -> Event:
        """Return the event with the current time and a new site, app or store."""
        data, name = event["data"], f"demo-{run}"
        match event["type"]:
            case "web.pageview.v1":
                return self.with_data(event, site=name, viewed_at=event["time"])
            case "mobile.session.v1":
                start = int(datetime.fromisoformat(event["time"]).timestamp() * 1000)
                length = data["end_ms"] - data["start_ms"]
                return self.with_data(event, app=name, start_ms=start, end_ms=start + length)
            case _:
                return self.with_data(event, store_id=name, sold_at=event["time"])

    def effect(self, event: Event, subscriber: str) -> str:
        """Return the totals that contain only this event."""
        data, moment = event["data"], datetime.fromisoformat(event["time"]).astimezone(UTC)
        match subscriber:
            case "web":
                where, totals = f"site={data['site']}", {"views": 1, "engaged_ms": data["visible_ms"]}
            case "mobile":
                engaged = data["end_ms"] - data["start_ms"]
                where, totals = f"app={data['app']}", {"views": data["screens"], "engaged_ms": engaged}
            case _:
                revenue = f"revenue_{data['currency']}"
                where, totals = f"store={data['store_id']}", {"items_sold": data["item_count"], revenue: data["total"]}
        for measure, total in totals.items():
            for window in (f"hour#{moment:%Y-%m-%dT%H}", f"day#{moment:%Y-%m-%d}"):
                item = self.item(self.setting(subscriber, "AGGREGATES_TABLE"), pk=f"{measure}#{where}", sk=window)
                if item is None or item["total"] != total:
                    return ""
        said = " and ".join(f"{total} {measure}" for measure, total in totals.items())
        return f"{where} has {said} in the hour {moment:%Y-%m-%dT%H} and in its day"

    def others(self, events: Sequence[Event]) -> Iterator[Check]:
        """Query the events with Athena through the view of the lake."""
        wanted = sorted((event["source"], event["id"]) for event in events)
        days = sorted({f"{datetime.fromisoformat(event['time']).astimezone(UTC):%Y-%m-%d}" for event in events})
        # The values are days, and UUIDs of our own.
        sql = (
            "SELECT source, id FROM events "  # noqa: S608
            f"WHERE dt IN ({_listed(days)}) AND id IN ({_listed(event_id for _, event_id in wanted)})"
        )
        lake = Lake(self.client, self.topology, self.use_case)
        is_local = self.client("athena").meta.endpoint_url.startswith("http://127.0.0.1")
        deadline = time.monotonic() + (_PATIENCE_SECONDS if is_local else _AWS_PATIENCE_SECONDS)
        what = f"the {len(wanted)} events are in the lake, each once (Firehose, S3, Athena)"
        while True:
            try:
                found = sorted((str(source), str(event_id)) for source, event_id in lake.query(sql).rows)
            except UserError as error:  # the other use cases' results stand
                yield Check(f"{what}: {error.problem}", "")
                return
            if found == wanted:
                yield Check(what, f"Athena finds all {len(found)} of them in the view events, each once")
                return
            if time.monotonic() > deadline:
                yield Check(what, "")
                return
            time.sleep(_POLL_SECONDS)


def _listed(values: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)
