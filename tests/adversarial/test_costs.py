"""What hostile input costs: time that grows with its length and no faster, and memory that has a bound.

CPU time is compared, of n and of four times n: a cost that grows with the square would be sixteen times as high. The
bound lies between, so generous that a busy machine makes no difference.
"""

import base64
import contextlib
import gzip
import json
import resource
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from application_logs import cloudwatch_logs
from fanout import delivery, log_entry
from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import InvalidEvent, decode, decode_data
from fanout.testing import LambdaContext, notification
from fanout_cli.errors import UserError
from fanout_cli.publishing.inputs import parse_documents
from tests.adversarial.world import seconds

EVENT = {"specversion": "1.0", "id": "1", "source": "s", "type": "team.message.posted.v1"}
SMALL = 40_000
# 16 for what grows with the square; 4 for what grows evenly.
MOST_GROWTH = 11
# Seconds of CPU that are worth comparing. What grows with the square takes minutes for so much.
SHORTEST = 0.1


def decoded(text: str) -> None:
    """Decode a body as the runtime does before the handler."""
    with contextlib.suppress(InvalidEvent):
        decode_data(decode(text), TeamMessagePosted)


def logged(text: str) -> None:
    """Parse a log line."""
    log_entry.make(service=text, level="INFO", message=text, context={})


def given_to_publish(text: str) -> None:
    """Read a file of events as the command does."""
    with contextlib.suppress(UserError):
        parse_documents(text, "x")


def _whole(data: str) -> str:
    return json.dumps(EVENT)[:-1] + f',"data":{data}}}'


SHAPES: dict[str, tuple[Callable[[str], Any], Callable[[int], str]]] = {
    "lists in lists": (decoded, lambda n: _whole("[" * n + "]" * n)),
    "lists without an end": (decoded, lambda n: _whole("[" * n)),
    "lists beside each other": (decoded, lambda n: _whole('{"text":"t","author":"a","x":[' + "[],[[]]," * n + "1]}")),
    "texts full of brackets": (decoded, lambda n: _whole('{"text":"' + '[{\\"' * n + '","author":"a"}')),
    "backslashes": (decoded, lambda n: _whole('{"text":"' + "\\\\" * n + '","author":"a"}')),
    "backslashes without an end": (decoded, lambda n: _whole('{"text":"' + "\\" * (2 * n + 1) + '","author":"a"}')),
    "the same key": (decoded, lambda n: _whole("{" + '"text":"t",' * n + '"author":"a"}')),
    "other keys": (decoded, lambda n: _whole("{" + ",".join(f'"k{i}":{i}' for i in range(n)) + "}")),
    "white space": (decoded, lambda n: " " * n + _whole("{" + " \n" * n + "}")),
    "digits": (decoded, lambda n: _whole("1" * n)),
    "digits of a fraction": (decoded, lambda n: _whole("0." + "1" * n)),
    "an exponent": (decoded, lambda n: _whole("1e" + "9" * n)),
    "a time of digits": (decoded, lambda n: _whole('{}, "time": "' + "2026-" * n + '"')),
    "envelopes": (
        delivery._envelope.decode,
        lambda n: json.dumps({**notification("x"), "Message": '"\\' * n}),
    ),
    "what looks like Lambda's record": (delivery.of_failed_invocation, lambda n: '{"requestPayload":[' + "{}," * n),
    "a log line": (
        lambda text: log_entry.make(service=text, level="INFO", message=text, context={}),
        lambda n: "Ä" * n,
    ),
    "a file of events": (given_to_publish, lambda n: '{"a":1}\n' * (n // 8) + "["),
}


@pytest.mark.parametrize(("work", "shape"), SHAPES.values(), ids=SHAPES)
def test_the_time_that_a_text_takes_grows_with_its_length_and_no_faster(
    work: Callable[[str], Any], shape: Callable[[int], str]
) -> None:
    small, large = shape(SMALL), shape(4 * SMALL)
    short = min(seconds(lambda: work(small)) for _ in range(3))
    long = min(seconds(lambda: work(large)) for _ in range(3))
    assert long < MOST_GROWTH * max(short, SHORTEST)


def test_a_gzip_bomb_is_refused_in_the_memory_that_its_limit_allows(
    function_module: Callable[[str, str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unpacked whole it would show in the peak of this process."""
    monkeypatch.setenv("FANOUT_SUBSCRIBER", "application_logs/ingest")
    ingest = function_module("application_logs", "ingest")
    bomb = gzip.compress(b" " * (cloudwatch_logs._MOST_BYTES * 8), 1)
    payload = {"awslogs": {"data": base64.b64encode(bomb).decode()}}
    peaks: list[int] = []
    real = cloudwatch_logs._unzipped

    def measured(packed: bytes) -> bytes:
        before = _peak()
        try:
            return bytes(real(packed))
        finally:
            peaks.append(_peak() - before)

    monkeypatch.setattr(cloudwatch_logs, "_unzipped", measured)
    with pytest.raises(ValueError, match="when unpacked"):
        ingest.handler(payload, LambdaContext())
    assert peaks[0] <= 3 * cloudwatch_logs._MOST_BYTES


def _peak() -> int:
    """The most memory this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
