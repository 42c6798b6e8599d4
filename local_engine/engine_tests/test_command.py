"""`python -m local_engine` with a SAM project of another kind, in a path with a space."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine_tests.aws import Aws
from local_engine import process
from tests.waiting import until

TEMPLATE = f"""\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Word: {{Type: String, Default: none}}
Resources:
  Jobs: {{Type: AWS::SQS::Queue}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: python{sys.version_info.major}.{sys.version_info.minor}
      Environment: {{Variables: {{WORD: !Ref Word, QUEUE: !Ref Jobs}}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "a project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "app.py").write_text("import os\ndef handler(event, context): return os.environ['WORD']\n")
    (folder / "template.yaml").write_text(TEMPLATE)
    # An account that must never be reached.
    (folder / "samconfig.toml").write_text('version = 0.1\n[default.global.parameters]\nprofile = "production"\n')
    yield folder
    process.stop(folder / ".local-engine")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "local_engine", *arguments]


def failure(folder: Path, *arguments: str) -> str:
    done = subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert process.running(folder / ".local-engine") is None
    return done.stderr


def test_a_project_is_built_deployed_and_served_until_ctrl_c(project: Path) -> None:
    state = project / ".local-engine"
    arguments = command("--port", "0", "--stack-name", "other", "--parameter-overrides", "Word=hello")
    with subprocess.Popen(arguments, cwd=project, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("export AWS_DEFAULT_REGION="):
            line = served.stdout.readline()
            assert line, lines
            lines.append(line)
        engine = process.running(state)
        assert engine is not None
        assert f"export AWS_ENDPOINT_URL={engine.endpoint}\n" in lines
        account = Aws(engine)
        resources = account.resources("other")
        assert resources["Jobs"]
        answer = account.client("lambda").invoke(FunctionName=resources["Worker"])
        assert json.load(answer["Payload"]) == "hello"
        served.send_signal(signal.SIGINT)
        assert served.wait(60) == 0
    assert process.running(state) is None
    until(lambda: not any(str(project) in word for word in _command_lines()), "the end of every process", seconds=10)
    kept = Aws(process.start(state))
    assert kept.resources("other") == resources


def _command_lines() -> list[str]:
    return [word for running in psutil.process_iter(["cmdline"]) for word in running.info["cmdline"] or ()]


def test_a_missing_template_is_refused(tmp_path: Path) -> None:
    assert failure(tmp_path).startswith("There is no template ")


def test_a_port_in_use_is_refused(project: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert "is in use by" in failure(project, "--port", str(other.getsockname()[1]))


def test_a_failed_build_shows_its_reason(project: Path) -> None:
    (project / "src" / "requirements.txt").write_text("./does-not-exist\n")
    assert "sam build failed:\n" in failure(project, "--port", "0")


def test_a_failed_deployment_shows_its_reason_and_does_not_prevent_the_next(project: Path) -> None:
    template = project / "template.yaml"
    too_long = "Type: AWS::SQS::Queue, Properties: {DelaySeconds: 901}"
    template.write_text(TEMPLATE.replace("Type: AWS::SQS::Queue", too_long))
    for _ in range(2):
        assert "DelaySeconds" in failure(project, "--port", "0")
    template.write_text(TEMPLATE)
    with subprocess.Popen(command(), cwd=project, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        assert any(line.startswith("local is served on ") for line in served.stdout)
        served.send_signal(signal.SIGINT)
        assert served.wait(60) == 0
