"""docs/cost.md says what the templates cost, and the minimal level stays cheap."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fanout.observability import count
from fanout.outcomes import Outcome
from fanout_wiring import Composition, metrics
from tests.template import cost
from tests.template.application import ROOT

ALARM = {"EvaluationPeriods": 1, "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold"}
PLAIN = {"Namespace": "AWS/SQS", "MetricName": "Depth", "Period": 60, "Statistic": "Maximum"}
QUERY = """SELECT MAX(Depth) FROM SCHEMA("AWS/SQS", QueueName) WHERE QueueName = 'q'"""
STAT = {"Metric": {"Namespace": "AWS/SQS", "MetricName": "Depth"}, "Period": 60, "Stat": "Maximum"}


def lines(**resources: dict[str, Any]) -> list[tuple[str, float]]:
    """What resources cost in a month: kind and dollars."""
    file = Path("/usecases/shop/template.yaml")
    deployed = Composition(file, {}, {file: {"Resources": resources}})
    return [(line.kind, round(line.dollars, 4)) for line in cost.standing(deployed) if line.dollars]


def mapping(fifo: bool = False, **settings: Any) -> dict[str, dict[str, Any]]:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": True} if fifo else {}}
    event = {"Type": "SQS", "Properties": {"Queue": {"Fn::GetAtt": ["Queue", "Arn"]}, **settings}}
    function = {"Type": "AWS::Serverless::Function", "Properties": {"Events": {"Messages": event}}}
    return {"Queue": queue, "Function": function}


def test_the_page_is_what_the_templates_cost() -> None:
    assert cost.PAGE.read_text("utf-8") == cost.page(), "templates or prices have changed: run `make generate`"


def test_all_use_cases_idle_at_the_minimal_level_cost_less_than_ten_dollars_a_month() -> None:
    assert sum(line.dollars for line in cost.standing(cost.composition("minimal"))) < 10


@pytest.mark.parametrize(
    ("properties", "dollars"),
    [
        (PLAIN, [("alarms", 0.10)]),
        ({"Metrics": [{"Id": "a", "Expression": QUERY}]}, []),
        (
            {
                "Metrics": [
                    {"Id": "a", "MetricStat": STAT},
                    {"Id": "b", "MetricStat": STAT},
                    {"Id": "c", "Expression": "a + b"},
                ]
            },
            [("alarms", 0.20)],
        ),
    ],
    ids=["one metric", "a query", "metric math"],
)
def test_an_alarm_costs_each_metric_that_it_names_and_a_query_costs_nothing_while_it_finds_none(
    properties: dict[str, Any], dollars: list[tuple[str, float]]
) -> None:
    assert lines(Alarm={"Type": "AWS::CloudWatch::Alarm", "Properties": ALARM | properties}) == dollars


@pytest.mark.parametrize(
    ("resources", "dollars"),
    [
        (mapping(), 0.1037),
        (mapping(ScalingConfig={"MaximumConcurrency": 2}), 0.2592),
        (mapping(fifo=True), 0.324),
    ],
    ids=["two pollers", "five with a limit", "five of a FIFO queue"],
)
def test_a_mapping_costs_a_request_per_poller_and_twenty_seconds(resources: Any, dollars: float) -> None:
    assert lines(**resources) == [("polling", dollars)]


def test_secrets_keys_schedules_and_dashboards_are_counted() -> None:
    found = lines(
        Secret={"Type": "AWS::SecretsManager::Secret"},
        Key={"Type": "AWS::KMS::Key"},
        Schedule={"Type": "AWS::Scheduler::Schedule", "Properties": {"ScheduleExpression": "rate(1 hour)"}},
        Dashboard={"Type": "AWS::CloudWatch::Dashboard"},
        Both={"Type": "AWS::CloudWatch::CompositeAlarm"},
    )
    assert found == [("secrets", 0.4), ("key", 1.0), ("schedules", 0.0016), ("dashboards", 3.0), ("alarms", 0.5)]


def test_a_type_without_a_known_idle_cost_is_an_error() -> None:
    with pytest.raises(KeyError, match="AWS::EC2::NatGateway"):
        lines(Gateway={"Type": "AWS::EC2::NatGateway"})


def test_the_alarms_on_queries_of_dev_and_staging_fit_into_one_account_and_those_of_prod_into_another() -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html"""
    people = {"AlertEmail": "oncall@example.com", "AlertPhoneNumber": "+15550100", "OperatorEmail": "op@example.com"}
    queries = {}
    for stage in ("default", "staging", "prod"):
        deployed = Composition(ROOT / "template.yaml", cost.overrides(stage) | people)
        alarms = deployed.of("AWS::CloudWatch::Alarm")
        queries[stage] = sum(any(metric.queried for metric in metrics(alarm)) for alarm in alarms)
    assert queries["default"] + queries["staging"] <= 200
    assert queries["prod"] <= 200


def test_a_subscriber_emits_the_metrics_that_the_page_counts(capsys: pytest.CaptureFixture[str]) -> None:
    count("shop/worker", Counter(Outcome), 5)
    count("shop/worker", {Outcome.PROCESSED: 1, Outcome.REJECTED: 0}, 5)
    every, usual = (json.loads(line)["_aws"]["CloudWatchMetrics"] for line in capsys.readouterr().out.splitlines())
    assert [each["Dimensions"] for each in every] == [[["service"]]]
    assert [len(each["Metrics"]) for each in every] == [len(Outcome) + 1]
    assert [metric["Name"] for metric in usual[0]["Metrics"]] == ["processed", "age"]
