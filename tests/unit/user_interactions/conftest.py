"""The table of user_interactions in moto, and its functions as SNS and the inbox call them."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest

from fanout.event import Event
from fanout.testing import REGION, LambdaContext, lambda_event, sns_record, sqs_record
from user_interactions.handlers import posts

from ..conftest import Deployed, Queues

TABLE = "interactions"
WORDS = "blocked-words"


@pytest.fixture(autouse=True)
def account(queues: Queues, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Queues:
    monkeypatch.setenv("INTERACTIONS_TABLE", make_table(TABLE))
    monkeypatch.setenv("COUNTER_SHARDS", "4")
    boto3.client("ssm", region_name=REGION).put_parameter(
        Name=WORDS, Value="casino, buy followers, 赌场", Type="String"
    )
    monkeypatch.setenv("BLOCKED_WORDS_PARAMETER", WORDS)
    return queues


@pytest.fixture(name="posts")
def posts_fixture(deployed: Deployed) -> ModuleType:
    return deployed(posts)


@pytest.fixture
def totals(posts: ModuleType) -> Callable[[str], dict[str, int]]:
    """A post's totals as a page that shows the post reads them."""

    def read(post_id: str) -> dict[str, int]:
        answer = posts.handler({"action": "totals", "post_id": post_id}, None)
        assert answer["ok"], answer
        found: dict[str, int] = answer["totals"]
        return found

    return read


def deliver(module: ModuleType, *events: Event[Any] | str) -> None:
    """As SNS does: one invocation per event."""
    for event in events:
        assert module.handler(lambda_event([sns_record(event)]), LambdaContext()) is None


def deliver_batch(module: ModuleType, *events: Event[Any] | str) -> list[Any]:
    """As the inbox does: together. Returns the failures."""
    answer = module.handler(lambda_event([sqs_record(event) for event in events]), LambdaContext())
    failures: list[Any] = answer["batchItemFailures"]
    return failures
