"""lake: every event becomes one line that Athena can read, in the folder of its day; nothing else does."""

import base64
import json
import threading
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from data_aggregation import lake_lines
from data_aggregation.handlers import lake
from fanout import aws
from fanout.claim_check import ClaimChecks
from fanout.contracts import data_aggregation
from fanout.event import Event, decode, decode_data, encode
from fanout.testing import REGION, LambdaContext
from fanout_wiring import Composition
from tests.template.application import ROOT

from ..conftest import Deployed, sample_payload
from .test_aggregates import SALE, SESSION, VIEW


@pytest.fixture(name="lake")
def lake_fixture(deployed: Deployed) -> ModuleType:
    return deployed(lake)


def event(kind: str = "web.pageview.v1", data: Any = None, **attributes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "e1", "source": "urn:test", "type": kind, "data": data or VIEW, **attributes
    }  # fmt: skip


def put(module: ModuleType, *bodies: str | bytes, timeout: float = 30) -> list[dict[str, Any]]:
    """Hand records to the function as Firehose does; return its answers with their data decoded."""
    records = [
        {
            "recordId": f"r{number}",
            "approximateArrivalTimestamp": 1791462600000,
            "data": base64.b64encode(body if isinstance(body, bytes) else body.encode()).decode(),
        }
        for number, body in enumerate(bodies)
    ]
    batch = {"invocationId": "i", "deliveryStreamArn": "arn", "region": REGION, "records": records}
    answers: list[dict[str, Any]] = module.handler(batch, LambdaContext(timeout))["records"]
    assert [answer["recordId"] for answer in answers] == [record["recordId"] for record in records]
    return [{**answer, "data": base64.b64decode(answer["data"])} for answer in answers]


def line(answer: dict[str, Any]) -> dict[str, Any]:
    """The one line of an answer."""
    assert answer["result"] == "Ok"
    assert answer["data"].endswith(b"\n")
    assert answer["data"].count(b"\n") == 1
    found: dict[str, Any] = json.loads(answer["data"])
    return found


@pytest.mark.parametrize(
    ("document", "occurred_at", "day"),
    [
        (
            event(data={**VIEW, "viewed_at": "2026-10-09T00:30:00.500000+02:00"}),
            "2026-10-08T22:30:00.500Z",
            "2026-10-08",
        ),
        (event("mobile.session.v1", SESSION), "2026-10-08T12:30:00.000Z", "2026-10-08"),
        (
            event("store.sale.v1", {**SALE, "sold_at": "2026-10-08T20:00:00-05:00"}),
            "2026-10-09T01:00:00.000Z",
            "2026-10-09",
        ),
    ],
    ids=["pageview", "session", "sale"],
)
def test_a_line_is_stored_under_the_day_of_its_source_s_clock(
    lake: ModuleType, document: dict[str, Any], occurred_at: str, day: str
) -> None:
    [answer] = put(lake, json.dumps(document))
    assert answer["metadata"] == {"partitionKeys": {"dt": day}}
    found = line(answer)
    assert found["occurred_at"] == occurred_at
    assert {name: found[name] for name in document} == document
    assert json.loads(found["raw"]) == document


def test_the_sample_payload_holds_an_event_of_each_source(lake: ModuleType) -> None:
    answers = lake.handler(sample_payload("data_aggregation", "lake-three-sources"), LambdaContext())["records"]
    types = [line({**answer, "data": base64.b64decode(answer["data"])})["type"] for answer in answers]
    assert types == ["web.pageview.v1", "mobile.session.v1", "store.sale.v1"]


def test_a_body_of_many_lines_is_one_line_of_the_lake_and_stays_as_it_was_in_raw(lake: ModuleType) -> None:
    body = json.dumps(event(data={**VIEW, "path": "/Größe-42\n👢"}), indent=4, ensure_ascii=False)
    found = line(put(lake, body + "\n")[0])
    assert found["raw"] == body
    assert found["data"]["path"] == "/Größe-42\n👢"


def test_names_that_differ_only_in_case_fill_no_column(lake: ModuleType) -> None:
    document = {**event(data={**VIEW, "Site": "other", "SITE": 1}), "Type": "x", "ID": 7, "extension": {"Data": 1}}
    found = line(put(lake, json.dumps(document))[0])
    assert set(found) == {"occurred_at", "specversion", "id", "source", "type", "data", "raw"}
    assert found["data"] == VIEW
    assert json.loads(found["raw"]) == document


@pytest.mark.parametrize(
    "invalid",
    [
        "{broken",
        "plain text",
        "",
        b"\xff\xfe",
        '"\\ud800"',
        json.dumps({**event(), "id": ""}),
        json.dumps(event("web.click.v1")),
        json.dumps(event("log.entry.v1", {"service": "shop", "level": "INFO", "message": "m"})),
        json.dumps(event(data={**VIEW, "country": "Germany"})),
        json.dumps({**event(), "claimcheck": "0" * 64, "data": {"site": "shop"}}),
    ],
)
def test_an_invalid_record_is_returned_unchanged_and_affects_no_other(
    lake: ModuleType, caplog: pytest.LogCaptureFixture, invalid: str | bytes
) -> None:
    before, bad, after = put(lake, json.dumps(event()), invalid, json.dumps(event("store.sale.v1", SALE)))
    assert (bad["result"], "metadata" in bad) == ("ProcessingFailed", False)
    assert bad["data"] == (invalid if isinstance(invalid, bytes) else invalid.encode())
    assert (line(before)["type"], line(after)["type"]) == ("web.pageview.v1", "store.sale.v1")
    [warning] = [record for record in caplog.records if record.message == "not written to the lake"]
    assert warning.__dict__["record_id"] == "r1"


def test_it_counts_the_records_it_did_not_accept_for_the_alarm(
    lake: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    wiring = Composition(ROOT / "usecases" / "data_aggregation" / "template.yaml", {"Stage": "prod"})
    put(lake, json.dumps(event()), "{broken", "")
    [metrics] = [json.loads(each) for each in capsys.readouterr().out.splitlines() if "_aws" in each]
    [alarm] = [
        each.properties
        for each in wiring.of("AWS::CloudWatch::Alarm")
        if each.properties.get("MetricName") == "rejected"
    ]
    assert metrics[alarm["MetricName"]] == [2.0]
    [directive] = metrics["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == alarm["Namespace"]
    [dimension] = alarm["Dimensions"]
    assert (directive["Dimensions"], metrics[dimension["Name"]]) == ([[dimension["Name"]]], dimension["Value"])


def test_the_result_for_the_largest_event_fits_into_the_response(lake: ModuleType) -> None:
    """Firehose passes up to 1 MB (BufferSizeInMBs), and accepts up to 6 MB, in base64."""
    sale = data_aggregation.StoreSale(
        **{**SALE, "lines": (), "total": 2000, "item_count": 200, "sold_at": data_aggregation._EPOCH.replace(year=2026)}
        | {"lines": tuple(data_aggregation.SaleLine(sku="\\" * 128, quantity=1, unit_price=10) for _ in range(200))}
    )
    body = encode(Event.new(sale, source="urn:test"))
    [answer] = put(lake, body)
    assert len(base64.b64encode(answer["data"])) < len(body) * 6


class TestClaimChecks:
    """An event too large for its topic is in S3."""

    @pytest.fixture
    def parked(self, lake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        boto3.client("s3", region_name=REGION).create_bucket(Bucket="claims")
        monkeypatch.setenv("FANOUT_CLAIM_CHECK_BUCKET", "claims")
        whole = decode_data(decode(json.dumps(event("store.sale.v1", SALE))), data_aggregation.StoreSale)
        stub: dict[str, Any] = json.loads(encode(ClaimChecks("claims", "data_aggregation").store(whole)))
        return stub

    def test_it_is_fetched(self, lake: ModuleType, parked: dict[str, Any]) -> None:
        found = line(put(lake, json.dumps(parked))[0])
        assert found["data"]["lines"] == SALE["lines"]
        assert "claimcheck" not in found

    def test_if_it_is_missing_the_event_is_invalid(self, lake: ModuleType, parked: dict[str, Any]) -> None:
        [answer] = put(lake, json.dumps({**parked, "claimcheck": "0" * 64}))
        assert answer["result"] == "ProcessingFailed"

    def test_one_that_cannot_be_read_affects_no_other_record(
        self,
        lake: ModuleType,
        parked: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def away(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")

        monkeypatch.setattr(lake_lines, "_WAITS", (0.0, 0.0))
        monkeypatch.setattr(aws.client("s3"), "get_object", away)
        before, bad, after = put(lake, json.dumps(event()), json.dumps(parked), json.dumps(event()))
        assert (bad["result"], json.loads(bad["data"])) == ("ProcessingFailed", parked)
        assert (line(before)["type"], line(after)["type"]) == ("web.pageview.v1", "web.pageview.v1")
        [warning] = [record for record in caplog.records if record.message == "not written to the lake"]
        assert warning.__dict__["reason"] == "ClientError (SlowDown)"

    def test_one_that_can_be_read_at_the_second_attempt_is_accepted(
        self, lake: ModuleType, parked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        s3, calls = aws.client("s3"), []
        read = s3.get_object

        def once_away(**asked: Any) -> Any:
            calls.append(asked)
            if len(calls) == 1:
                raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")
            return read(**asked)

        monkeypatch.setattr(lake_lines, "_WAITS", (0.0,))
        monkeypatch.setattr(s3, "get_object", once_away)
        assert line(put(lake, json.dumps(parked))[0])["data"]["lines"] == SALE["lines"]

    def test_while_s3_is_unavailable_a_batch_waits_as_long_as_a_record_and_tries_each(
        self, lake: ModuleType, parked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[Any] = []

        def away(**asked: Any) -> None:
            calls.append(asked)
            raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")

        waited: list[float] = []
        monkeypatch.setattr(lake_lines.time, "sleep", waited.append)
        monkeypatch.setattr(aws.client("s3"), "get_object", away)
        answers = put(lake, *[json.dumps(parked)] * 5)
        assert {each["result"] for each in answers} == {"ProcessingFailed"}
        assert len(waited) == len(lake_lines._WAITS)
        assert len(calls) == len(waited) + 5

    def test_one_that_hangs_is_given_up_in_time_for_the_others(
        self, lake: ModuleType, parked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def hang(**_: Any) -> None:
            threading.Event().wait(60)

        monkeypatch.setattr(aws.client("s3"), "get_object", hang)
        bodies = (json.dumps(event()), json.dumps(parked), json.dumps(parked), json.dumps(event()))
        assert [each["result"] for each in put(lake, *bodies, timeout=2)] == [
            "Ok", "ProcessingFailed", "ProcessingFailed", "Ok"
        ]  # fmt: skip
