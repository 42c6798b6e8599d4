"""Deploying into the engine: exactly the named use cases, with the stock SAM CLI, and its failures in full."""

import os
from pathlib import Path
from typing import Any

import pytest

from fanout_cli.errors import UsageError, UserError
from fanout_cli.stack import deploy
from local_engine.process import Engine

ENGINE = Engine(port=4999, pid=1, started_at="now", log=Path("engine.log"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with two use cases that can be switched, and one that cannot yet."""
    made = tmp_path / "checkout"
    for name in ("team_events", "user_registration", "unfinished"):
        (made / "usecases" / name).mkdir(parents=True)
        (made / "usecases" / name / "template.yaml").write_text("Resources: {}\n")
    (made / "template.yaml").write_text(
        "Parameters:\n  Stage:\n    Type: String\n  DeployTeamEvents:\n    Type: String\n"
        "  DeployUserRegistration:\n    Type: String\nResources: {}\n"
    )
    (made / "samconfig.toml").write_text(
        '[local.global.parameters]\nparameter_overrides = ["Stage=local", "Runtime=python3.11"]\n'
    )
    return made


@pytest.fixture
def sam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program in the place of SAM CLI that writes down how it was called, and does what `behaviour` says."""
    program = tmp_path / "sam"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nenv | grep ^AWS_ | sort > {tmp_path}/environment\n'
        f". {tmp_path}/behaviour\n"
    )
    program.chmod(0o755)
    (tmp_path / "behaviour").write_text("")
    monkeypatch.setattr(deploy, "sam", lambda: program)
    monkeypatch.setattr(deploy, "engine_runtime", lambda: "python3.12")
    return tmp_path


class CloudFormation:
    """Has the root stack, which a deployment by hand changes."""

    def __init__(self) -> None:
        self.updated = 0

    def describe_stacks(self, **_: str) -> dict[str, list[dict[str, Any]]]:
        stack = {"StackId": "arn", "CreationTime": 0, "LastUpdatedTime": self.updated, "StackStatus": "UPDATE_COMPLETE"}
        return {"Stacks": [stack]}


def run(root: Path, use_cases: list[str], cloudformation: Any = None) -> None:
    state = root.parent / "state"
    state.mkdir(exist_ok=True)
    deploy.Deployment(root, state, ENGINE, cloudformation or CloudFormation(), "fanout").run(use_cases)


def test_exactly_the_named_use_cases_are_switched_on(root: Path, sam: Path) -> None:
    run(root, ["team_events"])
    build, deployment = (sam / "calls").read_text().splitlines()
    assert build == "build --config-env local"
    assert deployment == (
        "deploy --config-env local --stack-name fanout --no-progressbar --parameter-overrides "
        "Stage=local Runtime=python3.12 DeployTeamEvents=true DeployUserRegistration=false"
    )


def test_sam_sees_the_engines_profile_and_no_other_key(root: Path, sam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_PROFILE", "production")
    run(root, ["team_events"])
    seen = (sam / "environment").read_text()
    assert "AWS_PROFILE=fanout-local" in seen
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:4999" in seen
    assert "real" not in seen
    assert "production" not in seen


def test_a_failed_deployment_shows_the_end_of_its_output_and_where_the_rest_is(root: Path, sam: Path) -> None:
    (sam / "behaviour").write_text('if [ "$1" = deploy ]; then echo "Error: no such bucket" >&2; exit 1; fi\n')
    with pytest.raises(UserError, match=r"sam deploy failed:\n.*Error: no such bucket") as failure:
        run(root, ["team_events"])
    log = Path(failure.value.next_step.removeprefix("All of its output: "))
    assert "no such bucket" in log.read_text()
    assert not deploy.changed(root, root.parent / "state"), "a failed deployment is not recorded"


def test_a_change_of_anything_that_is_deployed_is_noticed(root: Path, sam: Path) -> None:
    state = root.parent / "state"
    assert not deploy.changed(root, state), "deployed by hand: unknown"
    run(root, ["team_events"])
    assert not deploy.changed(root, state)
    (root / "README.md").write_text("not deployed")
    assert not deploy.changed(root, state)
    (root / "functions").mkdir()
    (root / "functions" / "new.py").write_text("")
    assert deploy.changed(root, state)


@pytest.mark.parametrize(
    "change", ["nothing", "code", "another use case", "by hand", "no build", "a broken record", "the runtime"]
)
def test_what_is_deployed_already_is_not_built_again(
    root: Path, sam: Path, change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (sam / "behaviour").write_text("mkdir -p .aws-sam/build && touch .aws-sam/build/template.yaml\n")
    cloudformation, use_cases = CloudFormation(), ["team_events"]
    run(root, use_cases, cloudformation)
    (sam / "calls").unlink()
    match change:
        case "code":
            (root / "functions").mkdir()
            (root / "functions" / "new.py").touch()
        case "another use case":
            use_cases = ["user_registration"]
        case "by hand":
            cloudformation.updated += 1
        case "no build":
            (root / ".aws-sam" / "build" / "template.yaml").unlink()
        case "a broken record":
            (root.parent / "state" / "deployed.json").write_text("{")
        case "the runtime":
            monkeypatch.setattr(deploy, "engine_runtime", lambda: "python3.13")
    run(root, use_cases, cloudformation)
    assert (sam / "calls").exists() is (change != "nothing")
    assert ("nothing has changed" in capsys.readouterr().err) is (change == "nothing")


def test_what_is_edited_during_a_deployment_is_deployed_by_the_next(root: Path, sam: Path) -> None:
    (sam / "behaviour").write_text("mkdir -p functions && touch functions/new.py\n")
    run(root, ["team_events"])
    assert deploy.changed(root, root.parent / "state")


def test_none_named_means_all_and_an_unknown_name_is_wrong_usage(root: Path) -> None:
    assert deploy.chosen(root, []) == ["team_events", "user_registration"]
    assert deploy.chosen(root, ["user_registration", "user_registration"]) == ["user_registration"]
    with pytest.raises(UsageError, match="did you mean user_registration"):
        deploy.chosen(root, ["UserRegistration"])


@pytest.mark.parametrize("content", ["", "[local]\n", "not = [toml"])
def test_a_samconfig_without_the_local_parameters_is_named(root: Path, content: str) -> None:
    (root / "samconfig.toml").write_text(content)
    with pytest.raises(UserError, match=r"samconfig\.toml"):
        deploy.parameter_overrides(root)


def test_a_checkout_without_a_template_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"template\.yaml is missing"):
        deploy.switchable(tmp_path)


def test_the_sam_beside_the_interpreter_wins_over_the_one_on_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in ("beside", "elsewhere"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "sam").write_text("#!/bin/sh\n")
        (tmp_path / folder / "sam").chmod(0o755)
    monkeypatch.setattr(deploy.sys, "executable", str(tmp_path / "beside" / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'elsewhere'}{os.pathsep}{os.environ['PATH']}")
    assert deploy.sam() == tmp_path / "beside" / "sam"
    (tmp_path / "beside" / "sam").unlink()
    assert deploy.sam() == tmp_path / "elsewhere" / "sam"


def test_warming_calls_every_function_and_survives_those_that_fail(capsys: pytest.CaptureFixture[str]) -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    from fanout_cli.stack.topology import Subscriber  # noqa: PLC0415

    calls: list[str] = []

    class Functions:
        def invoke(self, *, FunctionName: str, Payload: bytes) -> Any:  # noqa: N803
            calls.append(FunctionName)
            if FunctionName == "broken":
                raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "x"}}, "Invoke")

    names = ["broken", "good"]
    deploy.warm(Functions(), [Subscriber(f"u/{name}", name, "g", "i", "d", {}) for name in names])
    assert sorted(calls) == names
    assert "u/broken did not warm up" in capsys.readouterr().err
