"""No log line contains an event's data: a marker is put into every text of every ordinary sample, then looked for.

Once so that the event stays valid, in an account where everything that the function needs is there; the same where
nothing is there, so that every call to AWS fails; and once for each text so that the event breaks its contract, because
what a decoder says about a value may quote it. Personal or not is not asked: the only texts of an event that may be
logged are those that its contract declares as filterable.
"""

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from fanout import contracts
from fanout.event import InvalidEvent, decode, decode_data
from fanout.testing import REGION, LambdaContext, envelope_record, lambda_event, sns_record, sqs_record
from fanout_wiring import Composition, Resource, Wire, Wiring
from tests.unit.conftest import Queues

ROOT = Path(__file__).parents[2]
SAMPLES = [path for path in sorted(ROOT.glob("events/*/valid/*.json")) if path.stem.startswith("ordinary")]
WORD = "zq7kanarie"

Modules = Callable[[str, str], ModuleType]
Steps = tuple[str | int, ...]


@cache
def composition() -> Composition:
    return Composition(ROOT / "template.yaml", {"Stage": "local"})


def texts(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """Every text in a document, with the way to it."""
    if isinstance(value, str):
        yield steps, value
    elif isinstance(value, dict | list):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(inner, (*steps, step))


def replaced(event: dict[str, Any], steps: Steps, by: Any) -> dict[str, Any]:
    """The event with one value of its data replaced."""
    changed = copy.deepcopy(event)
    place = changed["data"]
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = by
    return changed


def is_valid(event: dict[str, Any], use_case: str) -> bool:
    try:
        decode_data(decode(json.dumps(event)), contracts.load(use_case)[event["type"]])
    except InvalidEvent:
        return False
    return True


def secret(event: dict[str, Any], use_case: str) -> dict[str, Any]:
    """The event with the word in every text that takes it."""
    shown = contracts.contract_of(contracts.load(use_case)[event["type"]]).filterable
    for steps, text in list(texts(event["data"])):
        if steps[0] not in shown:
            tried = replaced(event, steps, WORD + text)
            event = tried if is_valid(tried, use_case) else event
    return event


def record(wire: Wire, text: str) -> dict[str, Any]:
    if wire.delivery == "direct":
        return sns_record(text, topic=wire.topic)
    return envelope_record(text, topic=wire.topic) if wire.delivery == "envelope" else sqs_record(text)


def receivers(event: dict[str, Any], use_case: str) -> list[Wire]:
    topic = contracts.contract_of(contracts.load(use_case)[event["type"]]).topic
    return [wire for wire in Wiring(ROOT, use_case).wires if wire.topic == topic]


def provide(resource: Resource) -> str:
    """Make what a function's environment names; return what it is called."""
    own, name = resource.properties, resource.path.replace("/", "-").lower()
    match resource.type:
        case "AWS::DynamoDB::Table":
            named = {"BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"}
            given = {key: own[key] for key in named & own.keys()}
            boto3.client("dynamodb", region_name=REGION).create_table(TableName=name, **given)
        case "AWS::S3::Bucket":
            boto3.client("s3", region_name=REGION).create_bucket(Bucket=name)
        case "AWS::SNS::Topic":
            return str(boto3.client("sns", region_name=REGION).create_topic(Name=name)["TopicArn"])
        case "AWS::SecretsManager::Secret":
            secrets = boto3.client("secretsmanager", region_name=REGION)
            return str(secrets.create_secret(Name=name, SecretString="x" * 64)["ARN"])
    return name


@pytest.fixture
def deploy(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> Callable[[Wire, bool], None]:
    """Give a function its environment, and make what it names or not."""
    by_path = {resource.path: resource for resource in composition().resources}
    made: dict[str, str] = {}

    def given(wire: Wire, exists: bool) -> None:
        function = next(
            resource
            for resource in composition().of("AWS::Serverless::Function")
            if resource.properties["Environment"]["Variables"].get("FANOUT_SUBSCRIBER") == wire.subscriber
        )
        for name, value in function.properties["Environment"]["Variables"].items():
            found = by_path.get(str(value).strip("<>").removesuffix(".Id").removesuffix(".Arn"))
            if name.startswith("FANOUT_") and name not in ("FANOUT_SUBSCRIBER", "FANOUT_ATTEMPTS_TABLE"):
                continue
            if found is not None and exists and found.path not in made:
                made[found.path] = provide(found)
            monkeypatch.setenv(name, str(value) if found is None else made.get(found.path, found.logical_id))

    return given


def leaks(
    wire: Wire, events: list[dict[str, Any]], function_module: Modules, capture: pytest.CaptureFixture[str]
) -> list[str]:
    """Give a function the events, as one batch; return what it writes that holds the word."""
    module = function_module(wire.subscriber.partition("/")[0], wire.subscriber.partition("/")[2])
    capture.readouterr()
    module.handler(lambda_event([record(wire, json.dumps(event)) for event in events]), LambdaContext())
    said = capture.readouterr()
    receipts = said.out.count('"message":"receipt"')
    assert receipts == len(events), "it has not written of every event, so this would prove nothing"
    return [line for line in (said.out + said.err).splitlines() if WORD in line]


@pytest.mark.parametrize("exists", [True, False], ids=["all-is-well", "everything-fails"])
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_the_data_of_an_event_is_in_no_log_line(
    path: Path, exists: bool, deploy: Any, function_module: Modules, capsys: pytest.CaptureFixture[str]
) -> None:
    use_case = path.parents[1].name
    event = secret(json.loads(path.read_bytes()), use_case)
    for wire in receivers(event, use_case):
        deploy(wire, exists)
        assert leaks(wire, [event], function_module, capsys) == []


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_the_reason_of_a_rejected_event_quotes_none_of_its_data(
    path: Path, deploy: Any, function_module: Modules, capsys: pytest.CaptureFixture[str]
) -> None:
    use_case = path.parents[1].name
    event = json.loads(path.read_bytes())
    broken = [
        changed
        for steps, _ in texts(event["data"])
        for spoilt in (WORD, {WORD: WORD}, [WORD])
        if not is_valid(changed := replaced(event, steps, spoilt), use_case)
    ]
    assert broken
    for wire in receivers(event, use_case):
        deploy(wire, False)
        assert leaks(wire, broken, function_module, capsys) == []
