"""The environment of the engine: its users reach the engine or nothing."""

import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest

from fanout_cli.errors import UserError
from fanout_cli.stack import environment, target
from local_engine import process
from local_engine.process import Engine

ENGINE = Engine(port=4999, pid=1, started_at="now", log=Path("engine.log"))
NAMES = {
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
}


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state folder whose engine runs; the environment is that of a person with an AWS account."""
    monkeypatch.setenv("FANOUT_STATE", str(tmp_path))
    monkeypatch.setattr(process, "running", lambda _: ENGINE)
    for name in NAMES | {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_SNS", "NO_PROXY", "no_proxy"}:
        # Set first, so that monkeypatch puts back what the code under test changes.
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    return tmp_path


def test_only_the_six_exports_are_printed_and_a_shell_reads_them_back(tmp_path: Path) -> None:
    state = tmp_path / "a folder with 'quotes'"
    text = environment.shell(environment.exports(state, ENGINE))
    assert {line.split("=")[0] for line in text.splitlines()} == {f"export {name}" for name in NAMES}
    shown = subprocess.run(
        ["sh", "-c", f'{text}\nprintf %s "$AWS_CONFIG_FILE"'], capture_output=True, text=True, check=True
    )
    assert shown.stdout == str(state / "aws" / "config")


def test_the_profile_leads_boto3_to_the_engine(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.write_profile(running, ENGINE)
    for name, value in environment.exports(running, ENGINE).items():
        if name != "AWS_ENDPOINT_URL":  # the profile must do without
            monkeypatch.setenv(name, value)
    client = boto3.Session().client("sns")
    assert client.meta.endpoint_url == "http://127.0.0.1:4999"


def test_the_credentials_are_for_their_owner_only(tmp_path: Path) -> None:
    environment.write_profile(tmp_path, ENGINE)
    assert (tmp_path / "aws" / "credentials").stat().st_mode & 0o077 == 0


def test_keys_and_endpoints_of_the_users_environment_do_not_get_through() -> None:
    base = {
        "AWS_ACCESS_KEY_ID": "real",
        "AWS_ENDPOINT_URL_SNS": "https://elsewhere.example",
        "PATH": "/bin",
        "NO_PROXY": "a",
    }
    variables = environment.for_engine(Path("/state"), ENGINE, base)
    assert {name for name in variables if name.startswith("AWS_")} == NAMES
    assert variables["PATH"] == "/bin"
    assert variables["NO_PROXY"] == "a,127.0.0.1,localhost"


def test_without_any_option_commands_work_on_the_engine_in_any_environment(
    running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", "https://elsewhere.example")
    found = target.resolve()
    assert found.engine == ENGINE
    assert found.stack_name == "fanout"
    assert found.client("sns").meta.endpoint_url == "http://127.0.0.1:4999"


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ({"profile": "staging"}, {}),
        ({"region": "eu-north-1"}, {}),
        ({"stack_name": "fanout-dev"}, {"AWS_PROFILE": "staging"}),
        ({"stack_name": "fanout-dev"}, {"AWS_ACCESS_KEY_ID": "key"}),
    ],
)
def test_aws_is_reached_only_where_the_caller_names_it(
    running: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert target.resolve(**options).engine is None


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ({"stack_name": "alone"}, {}),
        ({"stack_name": "alone"}, {"AWS_PROFILE": "fanout-local"}),
        ({"profile": "fanout-local"}, {}),
        ({}, {"AWS_ACCESS_KEY_ID": "key"}),
    ],
)
def test_a_stack_of_the_engine_is_found_by_its_name_alone(
    running: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert target.resolve(**options).engine == ENGINE


def test_a_named_profile_wins_over_keys_in_the_environment(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    target.resolve(profile="staging")
    import os  # noqa: PLC0415

    assert "AWS_ACCESS_KEY_ID" not in os.environ
    assert os.environ["AWS_PROFILE"] == "staging"


def test_without_an_engine_and_without_a_stack_there_is_no_target(
    running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "running", lambda _: None)
    with pytest.raises(UserError, match="no engine is running") as failure:
        target.resolve()
    assert "fanout up" in failure.value.next_step


def test_without_an_engine_a_stacks_name_means_aws(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "running", lambda _: None)
    found: Any = target.resolve(stack_name="fanout-prod")
    assert (found.engine, found.stack_name) == (None, "fanout-prod")
