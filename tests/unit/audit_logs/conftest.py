"""Table and bucket of audit_logs in moto, and its functions as the FIFO queues call them."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest

from audit_logs.handlers import preserve as preserve_module
from audit_logs.handlers import record as record_module
from fanout.contracts.audit_logs import AuditRecorded
from fanout.event import Event
from fanout.testing import REGION, LambdaContext, lambda_event, sqs_record
from fanout_cli.audit.stores import AwsStores

from ..conftest import Queues

TABLE = "audit"
BUCKET = "trail"
SENSITIVE = "**.password,after.card.number,source_ip"


@pytest.fixture(autouse=True)
def account(queues: Queues, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Queues:
    monkeypatch.setenv("AUDIT_TABLE", make_table(TABLE))
    boto3.client("s3", region_name=REGION).create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    monkeypatch.setenv("TRAIL_BUCKET", BUCKET)
    monkeypatch.setenv("SENSITIVE_FIELDS", SENSITIVE)
    return queues


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return the handler module of a function ("record"), with the name it is deployed under in the environment."""

    def load(name: str) -> ModuleType:
        monkeypatch.setenv("FANOUT_SUBSCRIBER", f"audit_logs/{name}")
        return {"preserve": preserve_module, "record": record_module}[name]

    return load


@pytest.fixture
def record(function: Callable[[str], ModuleType]) -> ModuleType:
    return function("record")


@pytest.fixture
def preserve(function: Callable[[str], ModuleType]) -> ModuleType:
    return function("preserve")


@pytest.fixture
def stores(account: Queues) -> Callable[[str], AwsStores]:
    """A tenant's stores, as the command reads them."""
    return lambda tenant: AwsStores(lambda service: boto3.client(service, region_name=REGION), TABLE, BUCKET, tenant)


def recorded(tenant: str = "acme", id: str | None = None, **data: Any) -> Event[AuditRecorded]:
    """An event of that tenant."""
    given = {"actor": "user/ada", "action": "user.role.changed", "resource": "user/grace", "outcome": "success", **data}
    return Event.new(AuditRecorded(tenant=tenant, **given), source="urn:test:iam", id=id)


def deliver(module: ModuleType, *events: Event[Any] | str, group: str = "acme") -> list[Any]:
    """As a FIFO queue does: together, in order. Returns the failures."""
    answer = module.handler(lambda_event([sqs_record(event, group=group) for event in events]), LambdaContext())
    failures: list[Any] = answer["batchItemFailures"]
    return failures
