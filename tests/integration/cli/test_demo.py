"""The demo: every use case at work on the engine, one test each, all of them in `make test`."""

import json
from typing import Any

import pytest

from fanout import contracts
from tests.integration.application import Application


@pytest.fixture(scope="module")
def report(application: Application, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run of the demo reports. Its exit code is not looked at: the tests say what is missing."""
    file = tmp_path_factory.mktemp("demo") / "report.json"
    shown = application.fanout("demo", "--json", str(file), check=None).stdout
    assert "processed" in shown, "the table is shown beside the file"
    return dict(json.loads(file.read_text()))


@pytest.mark.parametrize("use_case", contracts.use_cases())
def test_every_subscriber_of_the_use_case_has_its_effect(
    use_case: str, report: dict[str, Any], application: Application
) -> None:
    rows = [row for row in report["deliveries"] if row["use_case"] == use_case]
    assert [row for row in rows if row["outcome"] != "processed" or not row["effect"]] == []
    assert [check for check in report["checks"] if check["use_case"] == use_case and not check["ok"]] == []
    subscribed = {each.subscriber for topic in application.topology.topics for each in topic.subscriptions}
    assert {row["subscriber"] for row in rows} == {
        name for name in subscribed if name and name.startswith(f"{use_case}/")
    }


@pytest.mark.slow
def test_a_second_run_finds_every_effect_of_events_of_its_own(report: dict[str, Any], application: Application) -> None:
    second = json.loads(application.fanout("demo", "--json", "-").stdout)
    assert report["ok"] is second["ok"] is True
    for run in (report, second):
        keys = [(row["event_id"], row["subscriber"]) for row in run["deliveries"]]
        assert len(keys) == len(set(keys)), "one row per event and subscriber"
    ids = [{row["event_id"] for row in run["deliveries"]} for run in (report, second)]
    assert not ids[0] & ids[1], "every run has its own events"
