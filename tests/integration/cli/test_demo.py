"""The demo on the whole application, twice on the same engine."""

import json
from pathlib import Path

from tests.integration.application import Application


def test_the_demo_finds_every_effect_and_a_second_run_does_too(application: Application, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    first = application.fanout("demo", "--json", str(file))
    assert "processed" in first.stdout, "the table is shown beside the file"
    reports = [json.loads(file.read_text()), json.loads(application.fanout("demo", "--json", "-").stdout)]
    for report in reports:
        assert report["ok"] is True
        for row in report["deliveries"]:
            assert row["outcome"] == "processed"
            assert row["effect"]
            assert row["subscriber"].startswith(f"{row['use_case']}/")
        keys = [(row["event_id"], row["subscriber"]) for row in report["deliveries"]]
        assert len(keys) == len(set(keys)), "one row per event and subscriber"
        reached = {row["subscriber"] for row in report["deliveries"]}
        assert reached == {
            each.subscriber for topic in application.topology.topics for each in topic.subscriptions if each.subscriber
        }
    ids = [{row["event_id"] for row in report["deliveries"]} for report in reports]
    assert not ids[0] & ids[1], "every run has its own events"
