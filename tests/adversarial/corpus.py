"""Hostile records, made from an event that a subscriber takes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_EVENTS = Path(__file__).parents[2] / "events"

DEEP = 100_000
LONG = "A" * 200_000
MEGABYTE = "A" * 2**20
DIGEST = "0" * 64
HUGE_INTEGERS = (2**63, 2**64, -(2**63) - 1, 10**40, 10**4290)
INJECTION = 'x\n{"message":"receipt","outcome":"processed"}\r\n\x1b[2J\u202e\u2028\x00'

Event = dict[str, Any]


def samples(use_case: str) -> dict[str, Event]:
    """An ordinary event of each type of a use case, under an id of its own."""
    found: dict[str, Event] = {}
    files = sorted((_EVENTS / use_case / "valid").glob("*.json"), key=lambda file: "ordinary" not in file.name)
    for file in files:
        event = json.loads(file.read_text(encoding="utf-8"))
        found.setdefault(event["type"], {**event, "id": f"foreign-{event['type']}"})
    return found


def text(event: Any) -> str:
    return json.dumps(event, ensure_ascii=False)


def no_events(event: Event) -> dict[str, str]:
    """Bodies that are not an event for any subscriber. None is plain text, which some topics accept."""
    whole = text(event)
    with_data = whole.replace(text(event["data"]), "%s")
    assert "%s" in with_data
    without_data = {name: value for name, value in event.items() if name != "data"}
    return {
        "an empty object": "{}",
        "a list in an object": '{"a": [{}]}',
        "cut off": whole[:-1],
        "cut off within a string": whole[: len(whole) // 2],
        "followed by more": f"{whole}x",
        "two documents": whole + whole,
        "a byte order mark": f"\ufeff{whole}",
        "single quotes": "{'specversion': '1.0'}",
        "a comment": f"{whole[:-1]}/* */}}",
        "a trailing comma": f"{whole[:-1]},}}",
        "NaN": with_data % "NaN",
        "Infinity": with_data % "-Infinity",
        "a number beyond a double": with_data % "1e400",
        "an integer of five thousand digits": with_data % ("1" * 5_000),
        "half a surrogate pair": with_data % '"\\ud800"',
        "halves the wrong way round": with_data % '"\\udc00\\ud800"',
        "a broken escape": with_data % '"\\u12"',
        "a raw line break in a string": with_data % '"a\nb"',
        "lists in lists": with_data % ("[" * DEEP + "]" * DEEP),
        "objects in objects": with_data % ('{"a":' * DEEP + "1" + "}" * DEEP),
        "lists in lists without an end": whole[:-1] + ',"x":' + "[" * DEEP,
        "an unknown attribute that goes deep": whole[:-1] + ',"x":' + "[" * DEEP + "]" * DEEP + "}",
        "nothing but brackets": "{" * 200_000,
        "no data": text(without_data),
        "data null": text({**event, "data": None}),
        "data a text": text({**event, "data": "x"}),
        "data a list": text({**event, "data": [event["data"]]}),
        "data a very long text": text({**event, "data": LONG}),
        "data base64": text({**without_data, "data_base64": "e30="}),
        **{f"{name}: {label}": text({**event, name: value}) for name, label, value in _attributes()},
        **{f"no {name}": text({k: v for k, v in event.items() if k != name}) for name in ("id", "source", "type")},
        **{f"claimcheck {label}": text({**event, "claimcheck": value}) for label, value in _CLAIM_CHECKS.items()},
    }


def _attributes() -> Iterator[tuple[str, str, Any]]:
    """CloudEvents attributes with values that none may have."""
    for name in ("id", "source", "type", "specversion"):
        for label, value in _NO_TEXT.items():
            yield name, label, value
        yield name, "empty", ""
        yield name, "very long", LONG
        yield name, "a name of 600 characters", "x" * 600
    for value in ("0.3", "1", "1.0\n", "１.0"):
        yield "specversion", repr(value), value
    for value in ("unknown.v1", "Order.Placed.v1", "../x", INJECTION, "x\x00"):
        yield "type", repr(value), value
    for value in (
        *("tomorrow", "2026-01-01", "2026-01-01T00:00:00", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"),
        *("9999-12-31T23:59:59-14:00", "10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z"),
        *("2026-01-01T00:00:00+99:99", "２０26-01-01T00:00:00Z", "", 1, 1e18, [], {}, True, LONG),
    ):
        yield "time", f"time {str(value)[:30]!r} {type(value).__name__}", value
    for value in ("text/plain", "", 1):
        yield "datacontenttype", repr(value), value
    for name in ("subject", "traceparent", "causationid"):
        yield name, "a number", 1


_NO_TEXT = {"null": None, "a number": 1, "a list": ["a"], "an object": {"a": "b"}, "true": True}
_CLAIM_CHECKS = {
    "out of its prefix": "../other/" + DIGEST,
    "absolute": "/etc/passwd",
    "encoded": "%2e%2e%2f" + DIGEST,
    "of another bucket": "s3://other/" + DIGEST,
    "of another use case": "team_events/" + DIGEST,
    "in capitals": "A" * 64,
    "too short": "0" * 63,
    "with a line break": DIGEST + "\n",
    "with a NUL": DIGEST[:-1] + "\x00",
    "empty": "",
    "a number": 1,
    "very long": LONG,
    "that nothing lies under": DIGEST,
}

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "zero": 0,
    "minus one": -1,
    "a fraction": 1.5,
    "1e308": 1e308,
    **{f"an integer of {len(str(each))} digits{' below zero' * (each < 0)}": each for each in HUGE_INTEGERS},
    "an empty text": "",
    "a space": " ",
    "a NUL": "\x00",
    "an injection": INJECTION,
    "a bidi override": "\u202eabc",
    "no character": "\uffff",
    "a long text": "Ä" * 20_000,
    "a path": "../../etc/passwd",
    "a hash sign": "a#b=c/d",
    "a template": "$name ${subject} {0} %s",
    "an early time": "0001-01-01T00:00:00+14:00",
    "a late time": "9999-12-31T23:59:59-14:00",
    "an empty list": [],
    "a list": ["x"],
    "a list of a thousand": ["x"] * 1_000,
    "an empty object": {},
    "an object": {"S": "x"},
    "a list in lists": [[[[[[[["x"]]]]]]]],
}
"""What a field of an event's data may be made to be: some of it some contract allows."""


def bent(event: Event) -> Iterator[tuple[str, str]]:
    """The event with each field of its data in turn left out, and made to be each of VALUES."""
    for path in _paths(event["data"]):
        name = ".".join(map(str, path))
        yield f"{name} left out", text(_with(event, path, None, remove=True))
        for label, value in VALUES.items():
            yield f"{name}: {label}", text(_with(event, path, value))


def nested(event: Event, depth: int) -> Iterator[tuple[str, str]]:
    """The event with a value that goes that deep in each field of its data, and in an unknown one."""
    for name in (*event["data"], "unknown_field"):
        for label, value in (("lists", "[" * depth + "]" * depth), ("objects", '{"a":' * depth + "1" + "}" * depth)):
            for wrap in ("%s", '{"x": %s}', "[%s]", '{"x": {"M": {"y": %s}}}'):
                data = {**event["data"], name: "\x01"}
                yield (
                    f"{name}: {depth} {label} in {wrap}",
                    text({**event, "data": data}).replace('"\\u0001"', wrap % value),
                )


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*before, key)
        yield from _paths(each, (*before, key))


def _with(event: Event, path: tuple[Any, ...], value: Any, *, remove: bool = False) -> Event:
    copy = json.loads(text(event))
    place = copy["data"]
    for key in path[:-1]:
        place = place[key]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return dict(copy)
