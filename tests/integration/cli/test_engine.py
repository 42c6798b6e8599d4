"""Starting, leaving and finding the engine with the command: ports, environments, restarts, refusals."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local_engine import process
from tests.integration.application import BIN, ROOT, Application
from tests.waiting import until


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Application]:
    """A state folder of its own, whose engine the test starts."""
    made = Application(tmp_path / "state")
    yield made
    process.stop(made.state, purge=True)


def test_env_leads_a_shell_to_the_engine_and_is_empty_without_one(bare: Application) -> None:
    nothing = bare.fanout("env", check=1)
    assert (nothing.stdout, "no engine is running" in nothing.stderr) == ("", True)
    process.start(bare.state, 0)
    script = 'eval "$(fanout env)" && aws sns create-topic --name from-a-shell --query TopicArn --output text'
    variables = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(bare.state), "FANOUT_STATE": str(bare.state)}
    shell = subprocess.run(["sh", "-c", script], cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    assert bare.client("sns").list_topics()["Topics"] == [{"TopicArn": shell.stdout.strip()}]
    assert not (bare.state / ".aws").exists(), "the user's own files stay untouched"
    bare.fanout("down")
    assert bare.fanout("env", check=1).stdout == ""
    assert not (bare.state / "aws" / "config").exists(), "the profile must not lead to the next program on that port"


def test_an_engine_without_an_application_is_reported(bare: Application) -> None:
    process.start(bare.state, 0)
    result = bare.fanout("status", "--json", check=1)
    found = json.loads(result.stdout)
    assert (found["deployed"], found["use_cases"]) == (False, [])
    assert "there is no stack fanout" in result.stderr


def test_a_killed_engine_counts_as_stopped(bare: Application) -> None:
    engine = process.start(bare.state, 0)
    os.kill(engine.pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(engine.pid) or process.running(bare.state) is None, "the engine is gone")
    assert bare.fanout("env", check=1).stdout == ""
    assert "no engine is running" in bare.fanout("trace", "e1", check=1).stderr
    assert json.loads(bare.fanout("down", "--json").stdout)["stopped"] is False


def test_a_port_in_use_is_named_with_its_holder_and_nothing_is_left_running(bare: Application) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = bare.fanout("up", "--port", str(port), "--use-case", "team_events", check=1)
    assert f"Port {port} is in use" in result.stderr
    assert str(os.getpid()) in result.stderr
    assert process.running(bare.state) is None


def test_a_down_and_up_again_keeps_the_port_the_data_and_the_traces(bare: Application) -> None:
    said = bare.fanout("up", "--port", "0", "--use-case", "team_events").stdout
    assert "sam sync with --config-env local deploy every use case" in said
    endpoint = bare.endpoint
    status = json.loads(bare.fanout("status", "--json").stdout)
    assert [each["use_case"] for each in status["use_cases"]] == ["team_events"]
    before = publish(bare)
    bare.fanout("trace", before, "--wait", "30")
    bare.fanout("down")
    assert process.running(bare.state) is None
    process.start(bare.state)
    assert f"http://127.0.0.1:{json.loads((bare.state / 'engine.json').read_text())['port']}" == endpoint
    bare.fanout("trace", before)
    bare.fanout("trace", publish(bare), "--wait", "30")


def publish(application: Application) -> str:
    """Publish the ordinary sample as a new event; return its id."""
    sample = "events/team_events/valid/ordinary.json"
    printed = application.fanout("publish", "team_events", sample, "--count", "1", "--json").stdout
    return str(json.loads(printed)["event_id"])
