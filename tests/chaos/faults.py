"""The kinds of fault. Each is a context in which events are published and handled; it returns how often it has struck.

Rates are chosen so that a batch is hit in its middle, not refused as a whole, except in an outage.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil

from fanout_cli.stack import sql_replica
from tests.chaos.deployment import Deployment
from tests.chaos.proxy import Rule
from tests.sink import Reply

_OUTAGE_SECONDS = 8
# An unlucky event would be waited for through all its attempts, each twice as late as the one before.
_FAULT_SECONDS = 40
_KILLS_EVERY_SECONDS = 0.7
_LOOK_SECONDS = 0.1
_KILLING_SECONDS = 10
_SURELY = 2
_REFUSALS = [500, 429, 503, 0]


@dataclass
class Strikes:
    """How often a fault has struck: a fault that never did has proved nothing."""

    count: int = 0


Active = Callable[[Deployment, random.Random], AbstractContextManager[Strikes]]


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    name: str
    active: Active
    through_proxy: bool = True
    """Whether the producer suffers too."""
    redelivers: bool = False
    """Whether inboxes get everything again."""
    reorders: bool = False
    """Whether redeliveries arrive in another order, and late."""
    restarts: bool = False
    """Whether the engine is stopped and started between two halves."""
    moments: Sequence[datetime] | None = None
    """When the events happened, if not just now."""


def _rules(*rules: Rule) -> Active:
    @contextmanager
    def active(deployment: Deployment, _chance: random.Random) -> Iterator[Strikes]:
        strikes, before = Strikes(), deployment.proxy.struck()
        # However few the events are, the first calls are struck.
        surely = [{**rule, "probability": 1, "times": _SURELY} for rule in rules if "ttl_s" not in rule]
        with deployment.proxy.failing([{"ttl_s": _FAULT_SECONDS, **rule} for rule in (*surely, *rules)]):
            yield strikes
            strikes.count = deployment.proxy.struck() - before

    return active


def _error(service: str, code: str, status: int, probability: float, **rule: Any) -> Rule:
    return {"service": service, "probability": probability, "error": {"code": code, "status": status}, **rule}


@contextmanager
def _nothing(_deployment: Deployment, _chance: random.Random) -> Iterator[Strikes]:
    yield Strikes()


@contextmanager
def _killed(deployment: Deployment, chance: random.Random) -> Iterator[Strikes]:
    """Again and again a function's process that has just been at work is ended with SIGKILL."""
    strikes, over = Strikes(), threading.Event()

    def kill() -> None:
        deadline = time.monotonic() + _KILLING_SECONDS
        before = _work_done(deployment)
        while not over.wait(_LOOK_SECONDS if strikes.count == 0 else _KILLS_EVERY_SECONDS):
            if time.monotonic() > deadline and strikes.count:
                return
            now = _work_done(deployment)
            busy = [worker for worker, seconds in now.items() if seconds > before.get(worker, seconds)]
            if busy:
                chance.choice(busy).kill()
                strikes.count += 1
            before = now

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield strikes
    finally:
        over.set()
        thread.join()


def _work_done(deployment: Deployment) -> dict[psutil.Process, float]:
    """Return how long the processor has worked for each function's process."""
    found = {}
    for worker in deployment.workers():
        with suppress(psutil.Error):
            found[worker] = worker.cpu_times().user + worker.cpu_times().system
    return found


@contextmanager
def _refused_webhooks(deployment: Deployment, chance: random.Random) -> Iterator[Strikes]:
    """The next requests of chat and pager are answered with errors, or not at all."""
    strikes = Strikes()
    sinks = (deployment.chat, deployment.pager)
    before = [len(each.calls) for each in sinks]
    for each in sinks:
        each.replies[:] = [Reply(status=chance.choice(_REFUSALS)) for _ in range(4)]
    yield strikes
    strikes.count = sum(
        not 200 <= call.reply.status < 300
        for each, first in zip(sinks, before, strict=True)
        for call in each.calls[first:]
    )
    for each in sinks:
        each.replies.clear()


@contextmanager
def _killed_database(deployment: Deployment, _chance: random.Random) -> Iterator[Strikes]:
    """PostgreSQL is ended with SIGKILL, and comes back at another port."""
    application = deployment.application
    pid = int((application.state / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
    server = psutil.Process(pid)
    for each in [server, *server.children()]:
        each.kill()
    timer = threading.Timer(
        _OUTAGE_SECONDS,
        sql_replica.provide,
        (application.state, application.client, application.topology),
    )
    timer.start()
    try:
        yield Strikes(1)
    finally:
        timer.join()


def _ends(now: datetime) -> list[datetime]:
    """The last and the first moments of months, of a year and of a February, none of them ahead of now."""
    this_month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    this_year = this_month.replace(month=1)
    last_march = this_year.replace(year=now.year - 1, month=3)
    firsts = (this_month, last_month, this_year, last_march)
    return [moment for first in firsts for moment in (first, first - timedelta(milliseconds=1))]


FAULTS: tuple[Fault, ...] = (
    Fault("dynamodb-throttled", _rules(_error("dynamodb", "ProvisionedThroughputExceededException", 400, 0.3))),
    Fault("dynamodb-5xx", _rules(_error("dynamodb", "InternalServerError", 500, 0.3))),
    Fault(
        "marker-table-unavailable",
        _rules(_error("dynamodb", "AccessDeniedException", 400, 1, ttl_s=_OUTAGE_SECONDS)),
    ),
    Fault(  # SQS is called by functions only where something is put off: so something is
        "sqs-throttled-or-5xx",
        _rules(
            _error("sqs", "RequestThrottled", 403, 0.3),
            _error("sqs", "InternalError", 500, 0.3),
            _error("dynamodb", "InternalServerError", 500, 0.4),
        ),
    ),
    Fault("sns-throttled", _rules(_error("sns", "ThrottledException", 429, 0.3))),
    Fault(
        "derived-publish-fails",
        _rules(_error("sns", "InternalErrorException", 500, 1, ttl_s=_OUTAGE_SECONDS)),
        through_proxy=False,
    ),
    Fault("s3-slow-down-or-5xx", _rules(_error("s3", "SlowDown", 503, 0.3), _error("s3", "InternalError", 500, 0.2))),
    Fault(
        "ses-throttled-or-5xx",
        _rules(
            _error("sesv2", "TooManyRequestsException", 429, 0.3),
            _error("sesv2", "InternalServiceErrorException", 500, 0.1),
        ),
    ),
    Fault(
        "slow-past-deadline",
        _rules({"service": "*", "probability": 0.01, "latency": {"min": 9000, "max": 9500}}),
        through_proxy=False,
    ),
    Fault("reset-before-write", _rules({"service": "*", "probability": 0.15, "reset": True})),
    Fault("reset-after-write", _rules({"service": "*", "probability": 0.15, "response": {"abort_bytes": 0}})),
    Fault("duplicate-delivery", _nothing, redelivers=True),
    Fault("reordered-delivery", _nothing, redelivers=True, reorders=True),
    Fault("function-killed", _killed),
    Fault("engine-restarted", _nothing, restarts=True),
    Fault("postgresql-killed", _killed_database),
    Fault("webhooks-refuse", _refused_webhooks),
    Fault("month-and-year-ends", _nothing, moments=_ends(datetime.now(UTC))),
)
