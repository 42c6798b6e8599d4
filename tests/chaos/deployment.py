"""The application under attack: its own engine, every function's calls led through the proxy, and people's webhooks."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

from fanout.event import Event
from fanout.publisher import Failed, Publisher, PublishError
from fanout_cli.stack.state import ENGINE_ENVIRONMENT
from local_engine import process
from tests.chaos.proxy import Proxy, proxy
from tests.integration.application import Application
from tests.sink import Sink, sink

# Short enough to be waited for: what a killed function held comes back when the visibility is over.
_TIMEOUT_SECONDS = 8
_VISIBILITY_SECONDS = 2 * _TIMEOUT_SECONDS
_THREADS = 8
# Every alert here is notified: with the default threshold of a storm most would go into one summary. A window's end is
# an event of its own, which waits in the queue until then.
_QUIET = {"STORM_THRESHOLD": "1000000", "NOTIFICATION_WINDOW_SECONDS": "4"}
# A producer whose publishing failed tries again what failed, and nothing else. Much longer than any outage here.
_PRODUCER_ATTEMPTS = 30


@dataclass(frozen=True)
class Deployment:
    """What a fault may attack."""

    application: Application
    proxy: Proxy
    chat: Sink
    pager: Sink

    def restart_engine(self) -> None:
        """Stop the engine and start it: what waits, waits on."""
        process.stop(self.application.state)
        process.start(self.application.state, environment=ENGINE_ENVIRONMENT)

    def publish(self, topic: str, events: Sequence[Event[Any]], *, through_proxy: bool = True) -> None:
        """Publish as a producer must: events that were not accepted are published again, with the same id."""
        sns = self._producer if through_proxy else self.application.client("sns")
        publisher = Publisher(self.application.topic(topic), client=sns, workers=4)
        waiting = list(events)
        for _ in range(_PRODUCER_ATTEMPTS):
            failed = _not_taken(publisher, waiting)
            if not failed:
                return
            assert not any(each.is_final for each in failed.values()), (
                f"SNS refuses events: {list(failed.values())[:3]}"
            )
            waiting = [event for event in waiting if event.id in failed]
        raise AssertionError(
            f"{len(waiting)} events could not be published to {topic} in {_PRODUCER_ATTEMPTS} attempts"
        )

    def workers(self) -> list[psutil.Process]:
        """The processes that functions run in at this moment, in the order of their ids."""
        engine = process.running(self.application.state)
        assert engine is not None, "the engine is not running"
        return sorted(psutil.Process(engine.pid).children(recursive=True), key=lambda each: each.pid)

    @cached_property
    def _producer(self) -> Any:
        config = Config(retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=_THREADS)
        return boto3.client(
            "sns",
            endpoint_url=self.proxy.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        )


def _not_taken(publisher: Publisher, events: Sequence[Event[Any]]) -> dict[str, Failed]:
    try:
        publisher.publish(events)
    except PublishError as error:
        return {each.event_id: each for each in error.failed}
    return {}


@contextmanager
def deployed(state: Path, seed: int) -> Iterator[Deployment]:
    """The whole application on an engine of its own, ready to be attacked; gone at the end."""
    application = Application(state)
    try:
        application.fanout("up", "--port", "0")
        with proxy(application.endpoint, seed, state / "proxy.log") as between, sink() as chat, sink() as pager:
            _webhooks(application, {"chat": chat, "pager": pager})
            _shorten_visibility(application)
            _lead_through(application, between)
            yield Deployment(application.fresh(), between, chat, pager)
    finally:
        application.fanout("down", "--purge", check=None)


def _webhooks(application: Application, servers: dict[str, Sink]) -> None:
    for name, server in servers.items():
        arn = application.subscriber(f"system_alerts/{name}").environment["WEBHOOK_SECRET_ARN"]
        webhook = json.dumps({"url": f"{server.url}/{name}", "routing_key": "routing-key"})
        application.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=webhook)


def _shorten_visibility(application: Application) -> None:
    for subscriber in application.topology.subscribers.values():
        application.client("sqs").set_queue_attributes(
            QueueUrl=subscriber.inbox_url, Attributes={"VisibilityTimeout": str(_VISIBILITY_SECONDS)}
        )


def _lead_through(application: Application, between: Proxy) -> None:
    functions = application.client("lambda")
    names = [each["FunctionName"] for page in _pages(functions) for each in page["Functions"]]
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda name: _lead(functions, name, between), names))


def _pages(functions: Any) -> Any:
    return functions.get_paginator("list_functions").paginate()


def _lead(functions: Any, name: str, between: Proxy) -> None:
    """Make the function call AWS through the proxy."""
    configuration = functions.get_function_configuration(FunctionName=name)
    variables = configuration.get("Environment", {}).get("Variables", {})
    changes = {"AWS_ENDPOINT_URL": between.endpoint}
    changes |= _QUIET if "NOTIFICATIONS_TOPIC_ARN" in variables else {}
    functions.update_function_configuration(
        FunctionName=name,
        Timeout=min(configuration["Timeout"], _TIMEOUT_SECONDS),
        Environment={"Variables": {**variables, **changes}},
    )
    if "FANOUT_QUEUE_URL" in variables:  # warm: a cold start on a busy machine can take longer than an attempt may
        functions.invoke(FunctionName=name, Payload=b'{"Records": []}')
