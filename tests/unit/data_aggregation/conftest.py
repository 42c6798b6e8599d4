"""The table of data_aggregation in moto, and its functions as their queues call them."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend, Table

from data_aggregation.handlers import mobile, store, web
from fanout.testing import LambdaContext, lambda_event, sqs_record
from tests.three_sources import Amounts, Sample

from ..conftest import Queues

TABLE = "aggregates"
FUNCTIONS = {"web.pageview.v1": web, "mobile.session.v1": mobile, "store.sale.v1": store}


@pytest.fixture(autouse=True)
def account(queues: Queues, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Queues:
    monkeypatch.setenv("AGGREGATES_TABLE", make_table(TABLE))
    return queues


@pytest.fixture(autouse=True)
def one_backup_per_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let moto copy the table once per transaction: to roll back with, it does so for every single action."""
    transact = DynamoDBBackend.transact_write_items

    def with_one_backup(backend: DynamoDBBackend, actions: list[dict[str, Any]]) -> None:
        backups: dict[int, Any] = {}

        def deepcopy(value: Any, *rest: Any) -> Any:
            if not isinstance(value, Table):
                return copy.deepcopy(value, *rest)
            if id(value) not in backups:  # all are made before the first action is done, so they are all the same
                backups[id(value)] = copy.deepcopy(value)
            return backups[id(value)]

        with monkeypatch.context() as patch:
            patch.setattr(models, "copy", SimpleNamespace(copy=copy.copy, deepcopy=deepcopy))
            transact(backend, actions)

    monkeypatch.setattr(DynamoDBBackend, "transact_write_items", with_one_backup)


@pytest.fixture
def totals(items: Callable[[str], list[dict[str, Any]]]) -> Callable[[], Amounts]:
    """Read all aggregates, without the idempotency records."""
    return lambda: Counter({(item["pk"], item["sk"]): int(item["total"]) for item in items(TABLE) if "total" in item})


def deliver(module: ModuleType, *samples: Sample | str, receive_count: int = 1) -> list[int]:
    """Hand events to a function as one batch; return the positions of those to retry."""
    bodies = [each if isinstance(each, str) else json.dumps(each.event) for each in samples]
    records = [sqs_record(body, receive_count=receive_count) for body in bodies]
    response = module.handler(lambda_event(records), LambdaContext())
    positions = {record["messageId"]: number for number, record in enumerate(records)}
    return sorted(positions[failure["itemIdentifier"]] for failure in response["batchItemFailures"])
