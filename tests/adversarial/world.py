"""Every subscriber of every use case in one account of moto's, called as Lambda would call it."""

import contextlib
import io
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import psycopg
import pytest

from fanout import contracts
from fanout.observability import logger
from fanout.testing import REGION, LambdaContext, envelope_record, lambda_event, sns_record, sqs_record
from fanout_wiring import Wire, Wiring

ROOT = Path(__file__).parents[2]
TABLE, BUCKET, CLAIMS = "store", "files", "claims"
SENDER = "sender@example.com"

Record = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """One subscriber, and how its events come to it."""

    name: str
    wire: Wire

    @property
    def use_case(self) -> str:
        return self.name.partition("/")[0]

    @property
    def module(self) -> str:
        return self.name.partition("/")[2]

    @property
    def is_enveloped(self) -> bool:
        """Whether a plain text has an identity where this one meets it."""
        return self.wire.delivery != "raw"

    def samples(self) -> list[str]:
        """The bodies of its sample events, the ordinary ones first; what others publish in forms of their own last."""
        files = sorted((ROOT / "events" / self.use_case / "lambda").glob(f"{self.module}-*.json"))
        files.sort(key=lambda file: ("ordinary" not in file.name, file.name))
        bodies = [_body(json.loads(file.read_text(encoding="utf-8"))["Records"][0]) for file in files]
        return sorted(bodies, key=lambda body: '"specversion"' not in body)

    def record(self, body: str, **options: Any) -> Record:
        """A message of its inbox with that body, in the form in which its topic's messages stand there."""
        if self.wire.queue.endswith(".fifo"):
            # A group of its own: nothing waits for anything.
            return sqs_record(body, queue=self.wire.queue, **{"group": str(uuid.uuid4()), **options})
        return sqs_record(body, **options) if self.wire.delivery == "raw" else envelope_record(body, **options)

    def direct(self, body: str) -> Record:
        """The record with which SNS invokes it itself."""
        return sns_record(body, topic=self.wire.topic)


def subjects() -> list[Subject]:
    """Every subscriber once, by name."""
    found: dict[str, Wire] = {}
    for use_case in contracts.use_cases():
        for wire in Wiring(ROOT, use_case).wires:
            found[wire.subscriber] = wire
    return [Subject(name, wire) for name, wire in sorted(found.items())]


@dataclass
class Answer:
    """What an invocation came to."""

    response: Any
    lines: list[str]
    """Everything it logged."""
    failed: list[str] = field(default_factory=list)
    """The messages that come again."""

    def receipts(self) -> list[dict[str, Any]]:
        """The receipts, in order."""
        read = [json.loads(line) for line in self.lines]
        return [line for line in read if line.get("message") == "receipt"]

    def outcomes(self) -> list[tuple[str, str]]:
        """(outcome, reason) of each receipt, in order."""
        return [(line["outcome"], line["reason"] or "") for line in self.receipts()]


class World:
    """The account, with all that any subscriber needs."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, load: Callable[[str, str], ModuleType], *, dsn: str, webhook: str
    ) -> None:
        self._monkeypatch, self._load, self._dsn = monkeypatch, load, dsn
        self._log = io.StringIO()
        self.s3 = boto3.client("s3", region_name=REGION)
        self.sqs = boto3.client("sqs", region_name=REGION)
        self.dynamodb = boto3.client("dynamodb", region_name=REGION)
        _make_table(self.dynamodb)
        for bucket in (BUCKET, CLAIMS):
            self.s3.create_bucket(Bucket=bucket)
        self.inbox: str = self.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        self.dead_letters: str = self.sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        topic = boto3.client("sns", region_name=REGION).create_topic(Name="Topic")["TopicArn"]
        secrets = boto3.client("secretsmanager", region_name=REGION)
        boto3.client("ses", region_name=REGION).verify_email_identity(EmailAddress=SENDER)
        environment = {
            **{f"{name}_TABLE": TABLE for name in _TABLES},
            **{f"{name}_BUCKET": BUCKET for name in ("ARCHIVE", "TRAIL", "JOB", "UNPUBLISHED")},
            **{f"{name}_TOPIC_ARN": topic for name in ("JOB_OUTCOMES", "NEW_ORDER", "NOTIFICATIONS")},
            "PRIMARY_TABLE": "customers",
            "SENSITIVE_FIELDS": "**.password",
            "SENDER_ADDRESS": SENDER,
            "COUNTER_SHARDS": "4",
            "STAGE": "local",
            "OWN_STACK": "",
            "STATE_MACHINE_ARN": _state_machine(),
            "EMAIL_HASH_KEY_SECRET_ARN": secrets.create_secret(Name="key", SecretString="k" * 40)["ARN"],
            "SQL_SECRET_ARN": secrets.create_secret(Name="sql", SecretString=json.dumps({"dsn": dsn}))["ARN"],
            "WEBHOOK_SECRET_ARN": secrets.create_secret(
                Name="hook", SecretString=json.dumps({"url": f"{webhook}/hook", "routing_key": "routing-key"})
            )["ARN"],
            "FANOUT_QUEUE_URL": self.inbox,
            "FANOUT_DEAD_LETTER_URL": self.dead_letters,
            "FANOUT_CLAIM_CHECK_BUCKET": CLAIMS,
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    def call(self, subject: Subject, records: Sequence[Record]) -> Answer:
        """Invoke a subscriber with a batch. Whatever the batch holds, this raises nothing: that is what is tested."""
        self._monkeypatch.setenv("FANOUT_SUBSCRIBER", subject.name)
        module = self._load(subject.use_case, subject.module)
        out = io.StringIO()
        with contextlib.redirect_stdout(out), _logging_to(out):
            response = module.handler(lambda_event(records), LambdaContext(timeout=300))
        lines = [line for line in out.getvalue().split("\n") if line]
        failed = [each["itemIdentifier"] for each in (response or {}).get("batchItemFailures", [])]
        return Answer(response, lines, failed)

    def dead(self) -> list[dict[str, Any]]:
        """All dead letters, taken out."""
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=self.dead_letters, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.dead_letters, ReceiptHandle=message["ReceiptHandle"])
            found += messages
        return found

    def stored(self) -> set[str]:
        """What effects left behind: the keys of all items and objects, without the times of day that are in some."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=TABLE, ProjectionExpression="pk, sk")
        items = {f"{item['pk']['S']} | {item['sk']['S']}" for page in pages for item in page["Items"]}
        objects = {each["Key"] for each in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            rows = connection.execute("SELECT key FROM replicated_rows").fetchall() if _has_rows(connection) else []
        return {_TIME.sub("<time>", key) for key in items | objects | {row[0] for row in rows}}

    def forget(self) -> None:
        """Empty the stores: the next batch meets an account in which nothing has happened."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=TABLE, ProjectionExpression="pk, sk")
        for page in pages:
            for item in page["Items"]:
                if item != _WRITTEN_ONCE:
                    self.dynamodb.delete_item(TableName=TABLE, Key=item)
        for each in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            self.s3.delete_object(Bucket=BUCKET, Key=each["Key"])
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            if _has_rows(connection):
                connection.execute("DELETE FROM replicated_rows")


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d[\d:.]*Z?")
# user_interactions/counters: once per process.
_WRITTEN_ONCE = {"pk": {"S": "shards"}, "sk": {"S": "-"}}
_TABLES = (
    *("FEED", "MAIL", "ANALYTICS", "MONITOR", "AUDIT", "JOB", "IMPORT", "AGGREGATES", "REPLICA", "PAYMENT", "LABEL"),
    *("NOTIFICATION", "STOCK", "ORDER", "ALERT", "CHANNEL", "INTERACTIONS"),
)


def _has_rows(connection: "psycopg.Connection[Any]") -> bool:
    return connection.execute("SELECT to_regclass('replicated_rows')").fetchone() != (None,)


def _make_table(dynamodb: Any) -> None:
    """One table that has the keys and indexes of all."""
    attributes = {"pk": "S", "sk": "S", "at": "S", "due_shard": "S", "due_at": "N"}

    def keys(partition: str, sort: str) -> list[dict[str, str]]:
        return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]

    everything = {"ProjectionType": "ALL"}
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in attributes.items()],
        KeySchema=keys("pk", "sk"),
        GlobalSecondaryIndexes=[
            {"IndexName": "ByTime", "KeySchema": keys("pk", "at"), "Projection": everything},
            {"IndexName": "due", "KeySchema": keys("due_shard", "due_at"), "Projection": everything},
        ],
    )


def _state_machine() -> str:
    arn: str = boto3.client("stepfunctions", region_name=REGION).create_state_machine(
        name="jobs",
        definition=json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/jobs",
    )["stateMachineArn"]
    return arn


@contextlib.contextmanager
def _logging_to(out: io.StringIO) -> Any:
    """Powertools' Logger took sys.stdout when it was made."""
    streams = [handler for handler in logger.handlers if isinstance(handler, logging.StreamHandler)]
    before = [handler.setStream(out) for handler in streams]
    try:
        yield
    finally:
        for handler, stream in zip(streams, before, strict=True):
            if stream is not None:
                handler.setStream(stream)


def _body(record: Mapping[str, Any]) -> str:
    """The text that was published."""
    if "Sns" in record:
        return str(record["Sns"]["Message"])
    body = str(record["body"])
    return str(json.loads(body)["Message"]) if '"TopicArn"' in body else body


def seconds(work: Callable[[], Any]) -> float:
    """How much CPU time this takes: other programs on the machine make no difference to it."""
    started = time.process_time()
    work()
    return time.process_time() - started
