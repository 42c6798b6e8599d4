"""The sample events: valid ones satisfy contract and functions, invalid ones are rejected for the reason they state.

events/<use_case>/valid/*.json      an event each; ordinary*, unicode*, largest*, oldest*
events/<use_case>/invalid/*.json    {"event": {...}, or "body": "...", "expect": {"outcome", "reason", "by": [...]}};
                                    `by`: the functions that must reject it, all that receive it unless given
events/<use_case>/foreign/<Topic>/* what others publish to a topic in a form of their own
events/<use_case>/lambda/*.json     made from these by `make generate`
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from fanout import contracts
from fanout.delivery import read
from fanout.event import Event, InvalidEvent, decode, decode_data, encode
from fanout.outcomes import Discard
from fanout.publisher import MAX_BYTES
from fanout.testing import LambdaContext, envelope_record, lambda_event, sns_record, sqs_record
from fanout_cli.generate.lambda_payloads import payloads
from fanout_cli.generate.service_payloads import service_payloads
from fanout_wiring import Wire, Wiring
from tests.unit.conftest import Queues

ROOT = Path(__file__).parents[2]
USE_CASES = sorted(folder.name for folder in (ROOT / "events").iterdir())
VALID = sorted(ROOT.glob("events/*/valid/*.json"))
INVALID = sorted(ROOT.glob("events/*/invalid/*.json"))
FOREIGN = sorted(ROOT.glob("events/*/foreign/*/*"))
# Of functions that a subscription leads to; tests/unit has the payloads of the others.
DELIVERED = [
    path
    for use_case in USE_CASES
    for path in sorted((ROOT / "events" / use_case / "lambda").iterdir())
    if path.stem not in service_payloads(ROOT, use_case)
]

Modules = Callable[[str, str], ModuleType]
Lines = Callable[[str], list[dict[str, Any]]]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT / "events").with_suffix(""))


def use_case_of(path: Path) -> str:
    return path.relative_to(ROOT / "events").parts[0]


def typed(path: Path) -> Event[Any]:
    event = decode(path.read_bytes())
    return decode_data(event, contracts.load(use_case_of(path))[event.type])


def record(wire: Wire, text: str) -> dict[str, Any]:
    """The text as it comes to the function at the end of the wire."""
    if wire.delivery == "direct":
        return sns_record(text, topic=wire.topic)
    return envelope_record(text, topic=wire.topic) if wire.delivery == "envelope" else sqs_record(text)


def validated(module: ModuleType, wire: Wire, text: str) -> Event[Any] | None:
    """The event that a function finds in the text; None if it discards it."""
    try:
        return module.handler.parser.validate(module.handler.parser.parse(read(record(wire, text)).notification))
    except Discard:
        return None


@pytest.mark.parametrize("use_case", USE_CASES)
def test_every_use_case_has_ordinary_unicode_largest_and_oldest_samples(use_case: str) -> None:
    names = {path.stem.split("-")[0] for path in (ROOT / "events" / use_case / "valid").iterdir()}
    assert names >= {"ordinary", "unicode", "largest", "oldest"}


@pytest.mark.parametrize("use_case", USE_CASES)
def test_every_event_type_of_a_use_case_that_it_handles_has_an_ordinary_sample(use_case: str) -> None:
    topics = {wire.topic for wire in Wiring(ROOT, use_case).wires}
    handled = {
        name for name, schema in contracts.load(use_case).items() if contracts.contract_of(schema).topic in topics
    }
    assert {typed(path).type for path in VALID if use_case_of(path) == use_case and "ordinary" in path.stem} == handled


@pytest.mark.parametrize("path", VALID, ids=named)
def test_a_valid_sample_satisfies_its_contract_and_is_unchanged_by_a_round_trip(path: Path) -> None:
    event = typed(path)
    again = decode(encode(event))
    assert decode_data(again, type(event.data)) == event
    assert json.loads(encode(decode(path.read_bytes()))) == json.loads(path.read_bytes()), "an unknown attribute"
    assert path.stat().st_size <= MAX_BYTES, "too large to be published without a claim check"


def rewritten(value: Any, notation: str) -> Any:
    """The value with every integer in another notation."""
    match value:
        case dict():
            return {name: rewritten(each, notation) for name, each in value.items()}
        case list():
            return [rewritten(each, notation) for each in value]
        case int() if not isinstance(value, bool):
            return msgspec.Raw(notation.format(value).encode())
        case _:
            return value


@pytest.mark.parametrize("notation", ["{}.0", "{}.000E+0"])
@pytest.mark.parametrize("path", VALID, ids=named)
def test_a_valid_sample_stays_valid_with_its_integers_in_another_notation(path: Path, notation: str) -> None:
    sample = json.loads(path.read_bytes())
    body = msgspec.json.encode({**sample, "data": rewritten(sample["data"], notation)})
    event = typed(path)
    assert decode_data(decode(body), type(event.data)) == event


@pytest.mark.parametrize("path", [path for path in VALID if path.stem.startswith("largest")], ids=named)
def test_in_a_largest_sample_no_text_can_be_a_hundredth_longer(path: Path) -> None:
    sample = json.loads(path.read_bytes())
    schema = type(typed(path).data)
    # A locale that is too long is shortened, not refused.
    texts = [name for name, value in sample["data"].items() if isinstance(value, str) and name != "locale"]
    assert texts
    for name in texts:
        text = sample["data"][name]
        grown = {**sample, "data": {**sample["data"], name: text + "x" * (1 + len(text) // 100)}}
        body = json.dumps(grown, ensure_ascii=False, separators=(",", ":")).encode()
        if len(body) <= MAX_BYTES:
            with pytest.raises(InvalidEvent):
                decode_data(decode(body), schema)


@pytest.mark.parametrize("path", VALID, ids=named)
def test_every_function_of_its_topic_accepts_a_valid_sample(path: Path, function_module: Modules) -> None:
    event = typed(path)
    topic = contracts.contract_of(type(event.data)).topic
    found = [
        validated(function_module(use_case_of(path), wire.subscriber.partition("/")[2]), wire, path.read_text("utf-8"))
        for wire in Wiring(ROOT, use_case_of(path)).wires
        if wire.topic == topic
    ]
    assert [each.data for each in found if each] == [event.data for each in found if each]
    assert any(found)


@pytest.mark.parametrize("path", FOREIGN, ids=named)
def test_every_function_of_its_topic_accepts_foreign_messages(path: Path, function_module: Modules) -> None:
    on_topic = [wire for wire in Wiring(ROOT, use_case_of(path)).wires if wire.topic == path.parent.name]
    assert on_topic
    for wire in on_topic:
        module = function_module(use_case_of(path), wire.subscriber.partition("/")[2])
        event = validated(module, wire, path.read_text("utf-8"))
        assert event is None or encode(event), "raises Reject if the function does not know the form"


@pytest.mark.guarantee("dead-letters/reason")
@pytest.mark.parametrize("path", INVALID, ids=named)
def test_an_invalid_sample_is_rejected_for_the_reason_it_states(
    path: Path, function_module: Modules, queues: Queues, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = json.loads(path.read_bytes())
    expected = sample["expect"]
    text = sample["body"] if "body" in sample else json.dumps(sample["event"])
    receivers = [wire for wire in Wiring(ROOT, use_case_of(path)).wires if receives(wire, sample, use_case_of(path))]
    assert receivers
    for wire in receivers:
        monkeypatch.setenv("FANOUT_SUBSCRIBER", wire.subscriber)
        module = function_module(use_case_of(path), wire.subscriber.partition("/")[2])
        module.handler(lambda_event([record(wire, text)]), LambdaContext())
        [receipt] = lines("receipt")
        assert {"outcome": receipt["outcome"], "reason": receipt["reason"]} == {
            "outcome": expected["outcome"],
            "reason": expected["reason"],
        }
    dead_letters = queues.dead()
    assert [(dead_letter["outcome"], dead_letter["reason"]) for dead_letter in dead_letters] == [
        ("rejected", expected["reason"]) for _ in receivers
    ]


def receives(wire: Wire, sample: dict[str, Any], use_case: str) -> bool:
    if "by" in sample["expect"]:
        return wire.subscriber.partition("/")[2] in sample["expect"]["by"]
    schema = contracts.load(use_case).get(sample.get("event", {}).get("type"))
    return schema is None or contracts.contract_of(schema).topic == wire.topic


@pytest.mark.parametrize("use_case", USE_CASES)
def test_the_payloads_for_sam_local_invoke_are_those_of_the_samples(use_case: str) -> None:
    folder = ROOT / "events" / use_case / "lambda"
    made = payloads(ROOT, use_case)
    assert {path.name: path.read_text("utf-8") for path in folder.iterdir()} == made, (
        "samples, contracts or templates have changed: run `make generate` and commit events/"
    )
    subscribers = {wire.subscriber.partition("/")[2] for wire in Wiring(ROOT, use_case).wires}
    assert {name.partition("-ordinary")[0] for name in made if "-ordinary" in name} == subscribers


@pytest.mark.parametrize("path", DELIVERED, ids=named)
def test_a_function_accepts_its_payload(path: Path, function_module: Modules) -> None:
    module = function_module(use_case_of(path), path.stem.partition("-")[0])
    [delivered] = json.loads(path.read_bytes())["Records"]
    try:
        event = module.handler.parser.validate(module.handler.parser.parse(read(delivered).notification))
    except Discard:
        return
    assert encode(event)


@pytest.mark.parametrize("path", [path for path in DELIVERED if "-ordinary" in path.stem], ids=named)
def test_a_payload_contains_its_sample_as_the_function_reads_it(path: Path) -> None:
    subscriber, _, rest = path.stem.partition("-ordinary")
    sample = path.parents[1] / "valid" / f"ordinary{rest}.json"
    [delivered] = json.loads(path.read_bytes())["Records"]
    delivery = read(delivered)
    assert json.loads(delivery.notification.text) == json.loads(sample.read_bytes())
    [wire] = {
        wire.delivery for wire in Wiring(ROOT, use_case_of(path)).wires if wire.subscriber.endswith(f"/{subscriber}")
    }
    assert delivery.is_direct == (wire == "direct")
    assert (delivery.notification.topic_arn is None) == (wire == "raw")
