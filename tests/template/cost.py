"""Writes docs/cost.md from the templates and docs/prices.toml: python -m tests.template.cost. A test checks for drift.

Standing cost is what an idle deployment pays for a month; it is counted resource by resource. What a million events
cost is an estimate: docs/prices.toml says what it assumes.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fanout.outcomes import Outcome
from fanout_wiring import FUNCTION, Composition, Graph, Mapping, Resource, metrics
from tests.template.application import ROOT, overrides

PAGE = ROOT / "docs" / "cost.md"
PRICES: dict[str, Any] = tomllib.loads((ROOT / "docs" / "prices.toml").read_text(encoding="utf-8"))
SHARED = "shared by all"
_ALL = "**all**"
LEVELS = {"minimal": "default", "full": "prod"}
"""the two monitoring levels, with the stage of samconfig.toml that deploys them"""

_KINDS = ("alarms", "polling", "secrets", "key", "schedules", "dashboards")
_MILLION = 1_000_000


@dataclass(frozen=True)
class Line:
    """What one resource costs in a month without any event."""

    use_case: str
    kind: str
    resource: str
    dollars: float


def composition(level: str) -> Composition:
    """Return the application as deployed at a monitoring level."""
    return Composition(ROOT / "template.yaml", overrides(LEVELS[level]))


def standing(deployed: Composition) -> list[Line]:
    """Return what costs money while nothing happens. Raises KeyError for a type that docs/prices.toml does not know."""
    lines = []
    for resource in deployed.resources:
        for kind, dollars in _standing(resource):
            lines.append(Line(_use_case(resource), kind, resource.path, dollars))
    for mapping in Graph(deployed).mappings:
        lines.append(Line(_use_case(mapping.resource), "polling", mapping.resource.path, _polling(deployed, mapping)))
    return lines


def price(name: str) -> float:
    """Return a price of docs/prices.toml, in dollars."""
    return float(PRICES["price"][name]["dollars"])


def emitted(deployed: Composition) -> tuple[int, int]:
    """Return how many custom metrics the functions emit: while every event is processed, and with every outcome.

    One count per outcome and one age, each with the one dimension `service`: fanout.observability.count.
    """
    subscribers = len({name for name, _, _ in _deliveries(deployed)})
    # Functions that are not subscribers count two outcomes of their own, such as published and unpublished.
    others = sum("count(subscriber_name(), " in file.read_text("utf-8") for file in ROOT.glob("functions/**/*.py"))
    return 2 * (subscribers + others), (len(Outcome) + 1) * subscribers + 3 * others


def million(deployed: Composition, *, full_batches: bool) -> dict[str, dict[str, float]]:
    """Return what a million events cost by use case and kind, each of them handled by every subscriber."""
    found: dict[str, dict[str, float]] = {}
    for use_case in sorted({use_case for _, use_case, _ in _deliveries(deployed)}):
        costs: dict[str, float] = defaultdict(float)
        fifo = any(delivery.fifo for _, name, delivery in _deliveries(deployed) if name == use_case)
        costs["publish"] = _MILLION * price("sns_fifo" if fifo else "sns_standard")
        for _, name, delivery in _deliveries(deployed):
            if name == use_case:
                for kind, dollars in _handling(delivery, full_batches).items():
                    costs[kind] += dollars
        found[use_case] = dict(costs)
    return found


# ------------------------------------------------------------------------------------------------------------- standing
def _standing(resource: Resource) -> Iterator[tuple[str, float]]:
    match resource.type:
        case "AWS::CloudWatch::Alarm":
            yield "alarms", price("alarm_metric") * sum(not metric.queried for metric in metrics(resource))
        case "AWS::CloudWatch::CompositeAlarm":
            yield "alarms", price("composite_alarm")
        case "AWS::CloudWatch::Dashboard":
            yield "dashboards", price("dashboard")
        case "AWS::SecretsManager::Secret":
            yield "secrets", price("secret")
        case "AWS::KMS::Key":
            yield "key", price("key")
        case "AWS::Scheduler::Schedule":
            yield "schedules", _schedule(resource)
        case unknown:
            PRICES["idle"][unknown]


def _schedule(resource: Resource) -> float:
    number, unit = re.findall(r"(\d+) (minute|hour|day)", resource.properties["ScheduleExpression"])[0]
    runs = PRICES["hours_per_month"] * {"minute": 60, "hour": 1, "day": 1 / 24}[unit] / int(number)
    assumed = PRICES["assumed"]
    return float(
        runs
        * (
            price("schedule")
            + price("lambda_request")
            + price("lambda_gigabyte_second") * assumed["idle_run_gigabyte_seconds"]
            + price("log_gigabyte") * assumed["idle_run_log_bytes"] / 1e9
            + price("dynamodb_read") * assumed["idle_run_reads"]
        )
    )


def _polling(deployed: Composition, mapping: Mapping) -> float:
    idle = PRICES["lambda"]
    queue = deployed.by_arn(mapping.queue)
    fifo = queue is not None and _is_fifo(queue)
    limited = "ScalingConfig" in mapping.settings
    pollers = idle["pollers_fifo" if fifo else "pollers_limited" if limited else "pollers"]
    requests = PRICES["hours_per_month"] * 3600 / idle["poll_seconds"] * pollers
    return float(requests * price("sqs_fifo" if fifo else "sqs_standard"))


def _is_fifo(queue: Resource) -> bool:
    return str(queue.properties.get("FifoQueue", "")).lower() == "true"


def _use_case(resource: Resource) -> str:
    stack = resource.stack
    while stack.file.parent.parent.name != "usecases":
        if stack.parent is None:
            return SHARED
        stack = stack.parent
    return stack.file.parent.name


# --------------------------------------------------------------------------------------------------------------- usage
@dataclass(frozen=True)
class Delivery:
    """How one subscriber gets its events."""

    direct: bool
    fifo: bool
    batch: int
    gigabytes: float


def _deliveries(deployed: Composition) -> list[tuple[str, str, Delivery]]:
    """Every subscriber with its use case and how it gets its events."""
    graph = Graph(deployed)
    direct = {
        function.path
        for subscription in graph.subscriptions
        if (function := graph.find(subscription.endpoint, FUNCTION)) is not None
    }
    found = []
    for mapping in graph.mappings:
        function, queue = graph.find(mapping.function, FUNCTION), deployed.by_arn(mapping.queue)
        delivery = Delivery(
            direct=function.path in direct,
            fifo=queue is not None and _is_fifo(queue),
            batch=int(mapping.settings.get("BatchSize", 10)),
            gigabytes=int(function.properties["MemorySize"]) / 1024,
        )
        subscriber = function.properties["Environment"]["Variables"]["FANOUT_SUBSCRIBER"]
        found.append((subscriber, subscriber.partition("/")[0], delivery))
    return found


def _handling(delivery: Delivery, full_batches: bool) -> dict[str, float]:
    assumed = PRICES["assumed"]
    together = delivery.batch if full_batches and not delivery.direct else 1
    invocations = _MILLION / together
    # One ReceiveMessage and one DeleteMessageBatch take ten messages at most. SNS delivers to queues without charge.
    requests = 0 if delivery.direct else 2 * _MILLION / min(together, 10)
    seconds = _MILLION * assumed["event_seconds"] * delivery.gigabytes
    written = _MILLION * assumed["event_log_bytes"] + invocations * assumed["invocation_log_bytes"]
    return {
        "queue": requests * price("sqs_fifo" if delivery.fifo else "sqs_standard"),
        "function": invocations * price("lambda_request") + seconds * price("lambda_gigabyte_second"),
        "table": _MILLION * assumed["event_writes"] * price("dynamodb_write"),
        "logs": written / 1e9 * price("log_gigabyte"),
        "traces": invocations * assumed["sampled"] * price("trace"),
    }


# ---------------------------------------------------------------------------------------------------------------- page
_PAGE = """\
# What it costs

Written by `make generate` from the templates and [prices.toml](prices.toml): list prices of {region}, looked up on
{date}, without any free tier. Do not edit it.

## Idle

Dollars a month without a single event, with all use cases deployed by `samconfig.toml`: `MonitoringLevel` minimal as in
dev, full as in prod.

{idle}

- **alarms**: {alarms_minimal} at the minimal level, {alarms_full} at the full one. An alarm on a metric costs
  ${alarm} with or without data. {queries} of them are queries, which cost as much for each metric that they find, by
  the hour. An idle deployment has none of these metrics: the depth of a dead-letter queue that was active in the last
  six hours, and what SNS or Lambda loses. So they cost nothing while nothing is wrong
  ([decision 16](decisions/0016-what-stands-idle-costs-next-to-nothing.md)). No bill has confirmed that yet; if AWS
  charged one metric for a query that finds none, it would be ${queries_dollars} more.
- **polling**: a mapping always receives from its queue, {poll_seconds} seconds per request. An idle mapping of a
  standard queue has {pollers} pollers, or {pollers_limited} with a limit of concurrency
  ([AWS]({source})). For FIFO queues AWS does not promise fewer than {pollers_fifo}, so {pollers_fifo} are counted.
- **key**: ${key} more after its first yearly rotation, and again after its second.
- **schedules**: order_workflow looks for orders past their deadline every minute.
- Everything else is billed by use; `prices.toml` says how, type by type. What is stored is billed by the GB.

## In use

An estimate, by the assumptions in `prices.toml`: dollars for a million events, each of them handled once by every
subscriber of its use case. Where there are two numbers, the first is for full batches, the second for every event
alone in its batch.

{million}

Not included: requests to KMS, what FIFO topics charge per GB, mail, SMS, Step Functions, Firehose, S3, filters on the
body, payloads above 64 KB, storage.

**Custom metrics** cost ${metric} a month each, by the hour in which they have data. Each subscriber counts its outcomes
and the age of its oldest event, with the one dimension `service`; an outcome that does not occur has no metric. With
all subscribers busy and every event processed there are {usual}, ${usual_dollars} a month; if every outcome occurs all
month, {most}, ${most_dollars}. That is more than the idle bill, and the reason why there is no second dimension.
"""


def page() -> str:
    """Return docs/cost.md."""
    deployed = {level: composition(level) for level in LEVELS}
    alarms = {level: each.of("AWS::CloudWatch::Alarm") for level, each in deployed.items()}
    usual, most = emitted(deployed["minimal"])
    queries = sum(any(metric.queried for metric in metrics(alarm)) for alarm in alarms["minimal"])
    return _PAGE.format(
        region=PRICES["region"],
        date=PRICES["date"],
        idle="\n".join(_idle_table(deployed)),
        alarms_minimal=len(alarms["minimal"]),
        alarms_full=len(alarms["full"]),
        queries=queries,
        queries_dollars=_dollars(queries * price("alarm_metric")),
        alarm=_dollars(price("alarm_metric")),
        **PRICES["lambda"],
        key=_dollars(price("key")),
        million="\n".join(_million_table(deployed["minimal"])),
        metric=_dollars(price("custom_metric")),
        usual=usual,
        usual_dollars=_dollars(usual * price("custom_metric")),
        most=most,
        most_dollars=_dollars(most * price("custom_metric")),
    )


def _idle_table(deployed: dict[str, Composition]) -> list[str]:
    costs: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for level, composed in deployed.items():
        for line in standing(composed):
            for name in (line.use_case, _ALL):
                costs[name, level][line.kind] += line.dollars
    names = sorted({name for name, _ in costs}, key=lambda name: (name == _ALL, name == SHARED, name))
    return [
        "| use case | level | " + " | ".join(_KINDS) + " | **together** |",
        "| --- | --- |" + " ---: |" * (len(_KINDS) + 1),
        *(_row(name, level, costs[name, level]) for name in names for level in deployed),
    ]


def _row(name: str, level: str, costs: dict[str, float]) -> str:
    cells = " | ".join(_dollars(costs[kind]) if costs[kind] else "" for kind in _KINDS)
    return f"| {name} | {level} | {cells} | **{_dollars(sum(costs.values()))}** |"


def _million_table(deployed: Composition) -> list[str]:
    kinds = ("publish", "queue", "function", "table", "logs", "traces")
    rows = ["| use case | " + " | ".join(kinds) + " | **together** |", "| --- |" + " ---: |" * (len(kinds) + 1)]
    together, alone = million(deployed, full_batches=True), million(deployed, full_batches=False)
    for name in together:
        cells = " | ".join(_range(together[name][kind], alone[name][kind]) for kind in kinds)
        rows.append(f"| {name} | {cells} | **{_range(sum(together[name].values()), sum(alone[name].values()))}** |")
    return rows


def _range(low: float, high: float) -> str:
    return _dollars(low) if _dollars(low) == _dollars(high) else f"{_dollars(low)} to {_dollars(high)}"


def _dollars(amount: float) -> str:
    return f"{amount:.2f}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
