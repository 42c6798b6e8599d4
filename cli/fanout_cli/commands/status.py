"""`fanout status`: the engine, what is deployed, and the depth of every queue."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import typer

from fanout_cli.errors import UserError
from fanout_cli.options import Json, StackOptions, help_text
from fanout_cli.output import console, emit_json, step
from fanout_cli.stack.subscriber_control import SubscriberControl
from fanout_cli.stack.target import Target, resolve
from fanout_cli.stack.topology import Subscriber, Topology

HELP = help_text(
    "Show the engine, the deployed use cases, the paused subscribers, and the number of messages in each inbox "
    "and dead-letter queue.",
    "fanout status",
    "fanout status --stack-name fanout-prod --profile production",
    more="Exit code 1 if no engine runs or nothing is deployed.",
)
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


def run(*, json_output: Json = False, stack: StackOptions) -> None:
    """Print the status. Dead letters do not change the exit code."""
    target = resolve(*stack)
    problem = None
    topology, waiting, states = None, {}, {}
    try:
        with step("Reading what is deployed"):
            topology = target.topology()
            waiting = _waiting(target, topology)
            states = _states(target, topology)
    except UserError as error:
        problem = error
    if json_output:
        emit_json(_as_json(target, topology, waiting, states))
    else:
        _show(target, topology, waiting, states)
    if problem:
        raise problem
    raise typer.Exit(0)


def _waiting(target: Target, topology: Topology) -> dict[str, dict[str, int]]:
    """Return how many messages each subscriber's queues hold."""
    sqs = target.client("sqs")

    def count(subscriber: Subscriber) -> dict[str, int]:
        inbox, dead = (_depth(sqs, url) for url in (subscriber.inbox_url, subscriber.dead_letter_url))
        return {"waiting": inbox[0], "in_flight": inbox[1], "delayed": inbox[2], "dead_letters": sum(dead)}

    with ThreadPoolExecutor(8) as pool:
        subscribers = list(topology.subscribers.values())
        return dict(zip((each.name for each in subscribers), pool.map(count, subscribers), strict=True))


def _states(target: Target, topology: Topology) -> dict[str, str]:
    """Return which subscribers are running, and which are paused."""

    def state(subscriber: Subscriber) -> str:
        try:
            return SubscriberControl(target.client, topology, subscriber).state().word
        except UserError:
            return "nothing reads its inbox"

    with ThreadPoolExecutor(8) as pool:
        subscribers = list(topology.subscribers.values())
        return dict(zip((each.name for each in subscribers), pool.map(state, subscribers), strict=True))


def _depth(sqs: Any, url: str) -> tuple[int, int, int]:
    if not url:
        return 0, 0, 0
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
    waiting, in_flight, delayed = (int(attributes[name]) for name in _COUNTS)
    return waiting, in_flight, delayed


def _as_json(
    target: Target, topology: Topology | None, waiting: dict[str, dict[str, int]], states: dict[str, str]
) -> dict[str, Any]:
    engine = target.engine
    return {
        "engine": {
            "endpoint": engine.endpoint,
            "port": engine.port,
            "pid": engine.pid,
            "started_at": engine.started_at,
            "log": str(engine.log),
        }
        if engine
        else None,
        "stack_name": target.stack_name,
        "deployed": topology is not None,
        "use_cases": [
            {
                "use_case": use_case,
                "topics": [
                    {"topic": topic.name, "arn": topic.arn} for topic in topology.topics if topic.use_case == use_case
                ],
                "subscribers": [
                    {
                        "subscriber": each.name,
                        "function": each.function_name,
                        "state": states[each.name],
                        **waiting[each.name],
                    }
                    for each in topology.of_use_case(use_case)
                ],
            }
            for use_case in topology.use_cases
        ]
        if topology
        else [],
    }


def _show(
    target: Target, topology: Topology | None, waiting: dict[str, dict[str, int]], states: dict[str, str]
) -> None:
    from rich.table import Table

    out = console()
    if target.engine:
        out.print(
            f"engine   {target.engine.endpoint}, process {target.engine.pid}, log {target.engine.log}", markup=False
        )
    out.print(f"stack    {target.stack_name} on {target.name}", markup=False)
    if topology is None:
        return
    table = Table("subscriber", "state", "waiting", "in flight", "delayed", "dead letters", title=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for name in sorted(topology.subscribers):
        counts = waiting[name]
        dead = counts["dead_letters"]
        table.add_row(
            name,
            states[name],
            str(counts["waiting"]),
            str(counts["in_flight"]),
            str(counts["delayed"]),
            str(dead),
            style="red" if dead else "" if states[name] == "running" else "yellow",
        )
    out.print(table)
