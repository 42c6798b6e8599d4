"""`fanout env --sam-local`: SAM CLI itself gives each function its deployed environment and the engine's endpoint.

Only the container is missing here: it gets what SAM CLI's own classes return in these tests.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from samcli.commands.local.cli_common.invoke_context import InvokeContext
from samcli.commands.local.invoke.cli import cli as invoke
from samcli.commands.local.lib.local_lambda import LocalLambdaRunner
from samcli.local.docker.lambda_container import LambdaContainer

from fanout_cli.stack import sam_local, target
from local_engine import process
from local_engine.process import Engine
from tests.template.application import ROOT
from tests.unit.cli.conftest import Result

from .test_topology import FUNCTION, STACK, Account

ENGINE = Engine(port=4999, pid=1, started_at="now", log=Path("engine.log"))
# SAM CLI's own libraries use each other's deprecated functions.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Context(InvokeContext):
    """SAM CLI's context of `sam local invoke`, without a container runtime."""

    @staticmethod
    def _get_container_manager(*_: Any) -> None:
        return None


@contextmanager
def sam_cli(line: str) -> Iterator[tuple[InvokeContext, dict[str, Any]]]:
    """SAM CLI's context of a `sam local invoke` line, and the options that it has read from the line."""
    assert line.startswith("sam local invoke ")
    options = invoke.make_context("invoke", shlex.split(line)[3:]).params
    with Context(
        template_file=str(ROOT / "template.yaml"),
        function_identifier=options["function_logical_id"],
        env_vars_file=options["env_vars"],
        container_env_vars_file=options["container_env_vars"],
        debug_ports=options["debug_port"],
        add_host=options["add_host"],
    ) as context:
        yield context, options


def container(context: InvokeContext, path: str) -> dict[str, str]:
    """The variables of the container in which SAM CLI would run a function."""
    runner = LocalLambdaRunner(
        local_runtime=None,  # what runs containers
        function_provider=context._function_provider,
        cwd=str(ROOT),
        real_path=str(ROOT),
        env_vars_values=context._env_vars_value,
        debug_context=context._debug_context,
    )
    config = runner.get_invoke_config(runner.get_function(path))
    _, endpoint = LambdaContainer._get_debug_settings(config.runtime, context._debug_context)
    return {**config.env_vars.resolve(), **endpoint}


@pytest.mark.slow
def test_sam_cli_gives_every_function_its_own_deployed_variables_and_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Context(template_file=str(ROOT / "template.yaml")) as context:
        declared = {
            function.full_path: (function.environment or {"Variables": {}})["Variables"]
            for function in context._function_provider.get_all()
        }
    deployed = {path: {name: f"{path} {name}" for name in names} for path, names in declared.items()}
    assert len(deployed) == 38
    files = sam_local.write(tmp_path / "a folder", ENGINE, deployed)
    with sam_cli(sam_local.command(files, "TeamEvents/TeamAFunction", "event.json")) as (context, options):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.setenv(name, "real")
        assert options["event"] == "event.json"
        assert options["add_host"] == {"host.docker.internal": "host-gateway"}
        for path, variables in deployed.items():
            found = container(context, path)
            assert {name: found[name] for name in variables} == variables
            assert found["AWS_ENDPOINT_URL"] == "http://host.docker.internal:4999"
            assert "real" not in found.values()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    """What is deployed on the engine that runs."""
    made = Account()
    made.add_stack("fanout", [(STACK, "TeamEvents", "team-events")])
    made.add_stack("team-events", [(FUNCTION, "BroadcastFunction", "broadcast"), (FUNCTION, "TeamAFunction", "team-a")])
    made.add_function("broadcast")
    made.add_function("team-a", "team_events/team_a")
    monkeypatch.setattr(process, "running", lambda _: ENGINE)
    monkeypatch.setattr(target.Target, "client", made.client)
    return made


@pytest.mark.slow
def test_the_command_prints_a_line_with_a_payload_that_can_be_typed_as_it_is(run: Any, account: Account) -> None:
    result: Result = run("env", "--sam-local")
    assert (result.exit_code, result.err) == (0, "")
    with sam_cli(result.out) as (context, options):
        assert options["function_logical_id"] == "TeamEvents/TeamAFunction"
        assert (ROOT / options["event"]).is_file()
        assert container(context, "TeamEvents/TeamAFunction")["FANOUT_SUBSCRIBER"] == "team_events/team_a"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--sam-local", "--stack-name", "other"], 1, "there is no stack other"),
        (["--stack-name", "fanout"], 2, "without --sam-local"),
    ],
    ids=["no such stack", "without --sam-local"],
)
def test_what_is_missing_is_named(run: Any, account: Account, arguments: list[str], code: int, message: str) -> None:
    result: Result = run("env", *arguments)
    assert (result.exit_code, result.out) == (code, "")
    assert message in result.err
