"""The command line: every mistake gets a message that names it, an exit code, and no traceback."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from fanout_cli.commands import status, trace
from fanout_cli.stack import deploy
from fanout_cli.stack.target import Target
from fanout_cli.stack.topology import Subscriber, Topic, Topology
from local_engine.postgres import server
from local_engine.process import EngineError
from tests.unit.cli.conftest import Result

Run = Callable[..., Result]
ROOT = Path(__file__).parents[3]
COMMANDS = [
    *(["up"], ["down"], ["status"], ["env"], ["publish"], ["trace"], ["demo"], ["pause"], ["resume"]),
    *(["logs", "read"], ["audit", "verify"], ["analytics", "query"], ["replicas", "verify"]),
    *(["jobs", "watch"], ["jobs", "list"]),
    *(["dlq", "list"], ["dlq", "show"], ["dlq", "redrive"], ["dlq", "purge"]),
]
EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "source": "urn:example:intranet",
    "type": "team.message.posted.v1",
    "data": {"text": "Lunch at noon", "author": "Maya Lindqvist"},
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_json_and_its_exit_codes(run: Run, command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert f"$ fanout {' '.join(command)}" in result.out or f"fanout {' '.join(command)}" in result.out
    assert "Example" in result.out
    assert "--json" in result.out
    assert "Exit codes: 0" in result.out


@pytest.mark.parametrize(
    "arguments",
    [
        *(["env"], ["status"], ["trace", "e1"], ["trace", "e1", "--json"], ["logs", "read"], ["env", "--json"]),
        ["env", "--sam-local"],
        ["analytics", "query", "SELECT 1"],
        *(["dlq", "list"], ["dlq", "show", "a/b"], ["dlq", "purge", "a/b", "--all", "--yes"]),
        *(["dlq", "redrive", "a/b", "--all", "--yes", "--json"], ["pause", "a/b"], ["resume", "a/b", "--json"]),
    ],
    ids=" ".join,
)
def test_without_an_engine_commands_name_the_next_step_and_print_nothing(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.out == ""
    assert "no engine is running" in result.err
    assert "fanout up" in result.err


def test_a_good_event_without_an_engine_is_not_published(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "e.json"
    file.write_text(json.dumps(EVENT))
    result = run("publish", "team_events", str(file), "--json")
    assert (result.exit_code, result.out) == (1, "")
    assert "no engine is running" in result.err


@pytest.mark.parametrize(
    "arguments", [["publish", "team-event", "-"], ["up", "--use-case", "team-event"]], ids=" ".join
)
def test_an_unknown_use_case_is_wrong_usage_and_names_the_known_and_the_closest(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "did you mean team_events?" in result.err
    assert "Known use cases: " in result.err


def test_an_unknown_use_case_starts_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_engine.process.start", lambda *_, **__: pytest.fail("an engine was started"))
    assert run("up", "--use-case", "nonsense").exit_code == 2


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ('{"specversion": "1.0",\n "id": }', 1, "line 2, column 8: not valid JSON"),
        (json.dumps({**EVENT, "data": {"text": "x"}}), 1, "author"),
        (json.dumps({**EVENT, "type": "team.message.posted.v9"}), 1, "did you mean team.message.posted.v1"),
        ('"hello"', 1, "an event is a JSON object, this is a string"),
        ("", 1, "is empty"),
    ],
)
def test_bad_content_is_named_and_nothing_is_published(
    run: Run, tmp_path: Path, content: str, code: int, message: str
) -> None:
    file = tmp_path / "e.json"
    file.write_text(content)
    result = run("publish", "team_events", str(file))
    assert result.exit_code == code
    assert message in result.err
    assert str(file) in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["publish", "team_events"],
        ["publish", "team_events", "nowhere.json"],
        ["publish", "team_events", "-", "--count", "0"],
        ["publish", "team_events", "-", "--type", "order.placed.v1"],
        ["trace"],
        ["trace", "e1", "--wait", "-1"],
        ["up", "--port", "http"],
        ["nonsense"],
        ["demo", "--json", "no/such/folder/report.json"],
        ["logs", "read", "--from", "soon"],
    ],
    ids=" ".join,
)
def test_wrong_usage_has_exit_code_2_and_no_traceback(
    run: Run, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanout_cli.commands.publish.read_documents", _no_input)
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.out == ""
    assert "Traceback" not in result.err


def _no_input(name: str) -> list[Any]:
    from fanout_cli.publishing.inputs import read_documents  # noqa: PLC0415 - the real one, for real files

    return [] if name == "-" else read_documents(name)


def test_down_without_an_engine_succeeds(run: Run) -> None:
    result = run("down", "--json")
    assert (result.exit_code, json.loads(result.out)) == (0, {"stopped": False, "purged": False})


def test_purge_leaves_nothing_of_the_engine_behind(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "aws").mkdir(parents=True)
    (state / "aws" / "config").write_text("x")
    (state / "sam-local").mkdir()
    (state / "sam-local" / "endpoint.json").write_text("{}")
    (state / "published.jsonl").write_text("{}\n")
    (state / "deployed.json").write_text("x")
    assert run("down", "--purge").exit_code == 0
    assert [path.name for path in state.iterdir() if path.name != "engine.lock"] == []


def test_down_stops_the_embedded_postgresql_and_purge_deletes_it(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state"
    try:
        server.start(state)
        assert json.loads(run("down", "--json").out) == {"stopped": True, "purged": False}
        assert not server.running(state)
        assert (state / "postgres" / "data").is_dir()
        assert run("down", "--purge").exit_code == 0
        assert not (state / "postgres").exists()
    finally:
        server.stop(state, purge=True)


def test_a_port_in_use_is_reported_and_exits_with_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise EngineError("Port 4566 is in use by postgres (process 7). Choose another port with --port.")

    monkeypatch.setattr("local_engine.process.start", refuse)
    result = run("up", "--use-case", "team_events")
    assert result.exit_code == 1
    assert "Port 4566 is in use by postgres" in result.err


def test_a_missing_sam_is_reported_before_an_engine_is_started(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(deploy.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("local_engine.process.start", lambda *_, **__: pytest.fail("an engine was started"))
    result = run("up", "--use-case", "team_events")
    assert result.exit_code == 1
    assert "the SAM CLI is missing" in result.err
    assert "make setup" in result.err


def test_an_unsupported_python_is_reported_by_any_python() -> None:
    script = "import sys; sys.version_info = (3, 9, 2, 'final', 0); import fanout_cli.main"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "fanout needs Python 3.11 or newer" in result.stderr
    assert "is 3.9" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_engine_python_that_lambda_does_not_have_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho 3.27\n")
    python.chmod(0o755)
    monkeypatch.setattr(deploy, "ENGINE_ENVIRONMENT", tmp_path)
    with pytest.raises(deploy.UserError, match=r"Python 3\.27, and Lambda has no such runtime"):
        deploy.engine_runtime()


def test_an_engine_environment_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(deploy, "ENGINE_ENVIRONMENT", tmp_path)
    with pytest.raises(deploy.UserError, match="missing or broken") as failure:
        deploy.engine_runtime()
    assert "make setup" in failure.value.next_step


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ClientError({"Error": {"Code": "ExpiredToken", "Message": "token expired"}}, "DescribeStacks"),
            "Sign in again",
        ),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks"), "may not do this"),
        (NoCredentialsError(), "Unable to locate credentials"),
    ],
)
def test_what_aws_refuses_is_a_message_with_a_hint(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, message: str
) -> None:
    def fail(_: Target) -> None:
        raise error

    monkeypatch.setattr(Target, "topology", fail)
    result = run("trace", "e1", "--profile", "staging")
    assert result.exit_code == 1
    assert message in result.err
    assert "Traceback" not in result.err


def test_an_internal_error_has_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "resolve", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("trace", "e1")


def test_the_message_of_an_error_is_shown_as_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise deploy.UserError("[red]not markup[/red]")

    monkeypatch.setattr(status, "resolve", fail)
    assert "[red]not markup[/red]" in run("status").err


def test_outside_of_a_checkout_the_installed_one_is_used(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FANOUT_STATE")
    from fanout_cli.stack.state import checkout, state_folder  # noqa: PLC0415

    assert checkout() == ROOT
    assert state_folder() == ROOT / ".fanout"


class PublishedError(Exception):
    """The command went on to publish."""


@pytest.mark.parametrize(
    ("arguments", "mode", "refused"),
    [
        (["publish", "audit_logs", "FILE"], "COMPLIANCE", True),
        (["publish", "audit_logs", "FILE", "--into-compliance-lock"], "COMPLIANCE", False),
        (["publish", "audit_logs", "FILE"], "GOVERNANCE", False),
        (["publish", "team_events", "FILE"], "COMPLIANCE", False),
        (["demo"], "COMPLIANCE", True),
        (["demo", "--into-compliance-lock"], "COMPLIANCE", False),
        (["demo"], "GOVERNANCE", False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_nothing_gets_into_a_compliance_lock_unasked(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], mode: str, refused: bool
) -> None:
    names = ("audit_logs/record", "team_events/team_a")
    subscribers = {name: Subscriber(name, name, "g", "i", "d", {}) for name in names}
    topics = (Topic("AuditLogs", "arn:a", "audit_logs", ()), Topic("TeamEvents", "arn:t", "team_events", ()))
    deployed = Topology("fanout-prod", topics, subscribers, {"audit_logs": {"LockMode": mode, "LockDays": "3653"}})
    monkeypatch.setattr(Target, "topology", lambda _: deployed)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):  # the command sets them for its process
        monkeypatch.setenv(name, "us-east-1")

    def publishing(*_: object) -> None:
        raise PublishedError

    monkeypatch.setattr("fanout_cli.commands.publish.EventPublisher", publishing)
    monkeypatch.setattr("fanout_cli.commands.demo.run_demo", publishing)
    use_case = arguments[1] if arguments[0] == "publish" else "audit_logs"
    sample = ROOT / "events" / use_case / "valid" / "ordinary.json"
    given = [str(sample) if each == "FILE" else each for each in arguments]
    if not refused:
        with pytest.raises(PublishedError):
            run(*given, "--region", "us-east-1")
        return
    result = run(*given, "--region", "us-east-1")
    assert (result.exit_code, result.out) == (1, "")
    assert "it cannot be deleted for 3653 days" in result.err
    assert "--into-compliance-lock" in result.err
