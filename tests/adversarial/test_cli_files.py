"""Every file that a person hands to the command: whatever is in it, an exit code and a message, never a traceback."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout_cli import main
from fanout_cli.errors import UserError
from fanout_cli.publishing.journal import Journal
from fanout_cli.stack import deploy
from tests.adversarial import corpus

EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "source": "urn:example:intranet",
    "type": "team.message.posted.v1",
    "data": {"text": "Lunch at noon", "author": "Maya Lindqvist"},
}
WHOLE = json.dumps(EVENT).encode()

BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "white space": b" \n\t\r\n",
    "bytes of a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
    "NULs": b"\x00" * 1_000,
    "UTF-16": json.dumps(EVENT).encode("utf-16"),
    "Latin-1": '{"text": "Größe"}'.encode("latin-1"),
    "cut off": WHOLE[:-5],
    "followed by more": WHOLE + b"x",
    "a number": b"1",
    "null": b"null",
    "a text": b'"x"',
    "NaN": b"NaN",
    "an integer of five thousand digits": b"1" * 5_000,
    "an integer of five thousand digits in an object": b'{"a":' + b"1" * 5_000 + b"}",
    "an integer of five thousand digits on the second line": b'{"a":1}\n{"a":' + b"1" * 5_000 + b"}",
    "a number beyond a double": WHOLE[:-1] + b',"x":1e400}',
    "lists in lists": b"[" * corpus.DEEP + b"]" * corpus.DEEP,
    "lists in lists without an end": b"[" * corpus.DEEP,
    "objects in objects": b'{"a":' * corpus.DEEP,
    "depth on the second line": b'{"a":1}\n' + b"[" * corpus.DEEP,
    "depth in the data": WHOLE[:-2] + b',"x":' + b"[" * 960 + b"]" * 960 + b"}}",
    "a key twice": WHOLE[:-1] + b',"id":"e2"}',
    "a key twice, deep down": WHOLE[:-1] + b',"x":[{"y":{"z":1,"z":2}}]}',
    "a key twice on the second line": WHOLE + b"\n" + WHOLE[:-1] + b',"id":"e2"}',
    "half a surrogate pair": json.dumps({**EVENT, "id": "\ud800"}).encode(),
    "half a surrogate pair in a key": json.dumps({**EVENT, "\ud800": 1}).encode(),
    "a control character": b'{"a": "\x1b[2J"}',
    "an id that is none": json.dumps({**EVENT, "id": 5}).encode(),
    "an unknown type that steers a terminal": json.dumps({**EVENT, "type": corpus.INJECTION}).encode(),
    "a megabyte where a word should be": json.dumps({**EVENT, "specversion": corpus.MEGABYTE}).encode(),
    "values that steer a terminal": json.dumps({**EVENT, "data": {"audience": [corpus.INJECTION]}}).encode(),
    "a mixed list": json.dumps([EVENT, 5]).encode(),
    "an empty list": b"[]",
    "a thousand bad events": b"\n".join([json.dumps({**EVENT, "id": 5}).encode()] * 1_000),
}

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one command line where no engine runs and no AWS is known; return exit code and message."""
    monkeypatch.setenv("FANOUT_STATE", str(tmp_path / "state"))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main.run(arguments)
        return code, capsys.readouterr().err

    return call


def assert_reported(code: int, message: str, name: str) -> None:
    """One message in the form that all have: what is wrong with which input, and what to do about it."""
    assert code in {1, 2}
    assert message.startswith("Error: ")
    assert name in message
    assert len(message.strip().split("\n")) >= 2, "problem and next step"
    assert len(message) < 20_000
    assert "Traceback" not in message
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]", message)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_with_anything_but_events_is_refused_by_name(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "events.json"
    file.write_bytes(content)
    assert_reported(*run("publish", "team_events", str(file)), str(file))


@pytest.mark.parametrize("kind", ["missing", "directory", "loop", "under a file", "a name too long", "unreadable"])
def test_a_path_that_leads_to_no_file_is_refused_by_name(run: Run, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "events.json"
    match kind:
        case "directory":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "under a file":
            path.write_text("{}")
            path = path / "x"
        case "a name too long":
            path = tmp_path / ("x" * 3_000)
        case "unreadable":
            path.write_text("{}")
            path.chmod(0)
            if os.access(path, os.R_OK):  # root may read everything
                path = Path("/proc/self/mem")
    assert_reported(*run("publish", "team_events", str(path)), str(path)[:200])


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_whatever_make_publish_fail_otherwise_than_by_a_message(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("files") / "events.json"
    file.write_bytes(content)
    assert main.run(["publish", "team_events", str(file)]) in {1, 2}


STATE_FILES = ["published.jsonl", "published.previous.jsonl", "engine.json", "deployed", "aws"]


@pytest.mark.parametrize("kind", ["bytes", "depth", "other JSON", "a directory", "a loop"])
@pytest.mark.parametrize("name", STATE_FILES)
def test_a_state_folder_in_which_somebody_has_been_is_no_reason_for_a_traceback(
    run: Run, tmp_path: Path, name: str, kind: str
) -> None:
    file = tmp_path / "state" / name
    file.parent.mkdir()
    match kind:
        case "bytes":
            file.write_bytes(bytes(range(256)))
        case "depth":
            file.write_text("[" * corpus.DEEP)
        case "other JSON":
            file.write_text('{"event_id": [], "port": {"a": 1}, "process": [1]}\n5\nnull\n[]\n')
        case "a directory":
            file.mkdir()
        case "a loop":
            file.symlink_to(file)
    for command in (["status"], ["trace", "e1"], ["env"], ["dlq", "list"], ["down"]):
        code, message = run(*command)
        assert code in {0, 1}, message
        assert "Traceback" not in message


@pytest.mark.parametrize("kind", ["a file", "a loop", "under a file"])
def test_a_state_folder_that_is_none_is_refused_by_name(
    run: Run, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    match kind:
        case "a file":
            place.write_text("x")
        case "a loop":
            place.symlink_to(place)
        case "under a file":
            place.write_text("x")
            place = place / "state"
    monkeypatch.setenv("FANOUT_STATE", str(place))
    for command in (["status"], ["trace", "e1"], ["dlq", "list"], ["up"]):
        assert_reported(*run(*command), "place")


@given(content=st.binary(max_size=300))
def test_a_journal_of_any_bytes_can_be_read(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("state")
    (folder / "published.jsonl").write_bytes(content + b"\n" + _journal_line())
    assert [each.event_id for each in Journal(folder).find("e-known")] == ["e-known"]
    assert "e-known" in Journal(folder).all()


def _journal_line() -> bytes:
    known: dict[str, Any] = {"event_id": "e-known", "source": "s", "type": "t", "topic": "a", "published_at": "now"}
    return json.dumps(known).encode() + b"\n"


SAMCONFIGS = {
    "bytes": b"\xff\xfe",
    "no TOML": b"[[[",
    "depth": b"a = " + b"[" * 10_000,
    "another form": b"local = 5",
    "a list": b"[local.deploy]\nparameters = []",
    "no pairs": b'[local.global.parameters]\nparameter_overrides = "Stage"',
    "numbers": b"[local.global.parameters]\nparameter_overrides = [1, 2]",
    "a key twice": b"[local]\na = 1\na = 2",
}


@pytest.mark.parametrize("content", SAMCONFIGS.values(), ids=SAMCONFIGS)
def test_a_samconfig_that_is_none_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "samconfig.toml").write_bytes(content)
    with pytest.raises(UserError, match=r"samconfig\.toml") as raised:
        deploy.parameter_overrides(tmp_path)
    assert raised.value.next_step
