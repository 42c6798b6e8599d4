"""samconfig.toml: no flags needed, and no way to hit an account by mistake."""

import tomllib
from typing import Any

import pytest

from fanout_wiring import load
from tests.template.application import ROOT, STAGES

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text())
TALKS_TO_AWS = {"deploy", "sync", "delete", "logs", "remote_invoke"}


def test_local_is_tied_to_the_engine_wherever_sam_talks_to_aws_and_nowhere_else() -> None:
    """A profile under global or build would make `sam build` need an engine."""
    with_profile = {command for command, given in CONFIG["local"].items() if given["parameters"].get("profile")}
    assert with_profile == TALKS_TO_AWS
    assert {CONFIG["local"][command]["parameters"]["profile"] for command in TALKS_TO_AWS} == {"fanout-local"}


@pytest.mark.parametrize("stage", ["default", "staging", "prod"])
def test_no_other_stage_names_a_profile(stage: str) -> None:
    """Which account a stage lives in is for whoever deploys it to say."""
    assert not [command for command, given in CONFIG[stage].items() if "profile" in given["parameters"]]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_deploys_without_flags(stage: str) -> None:
    deploy = CONFIG[stage]["deploy"]["parameters"]
    assert CONFIG[stage]["global"]["parameters"]["stack_name"]
    assert deploy["resolve_s3"] is True
    assert {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"} <= set(deploy["capabilities"])


def test_stages_are_different_stacks() -> None:
    names = [CONFIG[stage]["global"]["parameters"]["stack_name"] for stage in STAGES]
    assert len(set(names)) == len(STAGES)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("command", ["deploy", "sync"])
def test_every_override_is_a_parameter_of_the_root(stage: str, command: str) -> None:
    overrides = CONFIG[stage].get(command, {}).get("parameters", {}).get("parameter_overrides", [])
    names = {pair.split("=", 1)[0] for pair in overrides}
    assert names <= load(ROOT / "template.yaml")["Parameters"].keys()


def test_only_local_is_the_stage_local() -> None:
    stages = {stage: CONFIG[stage]["deploy"]["parameters"]["parameter_overrides"] for stage in STAGES}
    assert {stage for stage, pairs in stages.items() if "Stage=local" in pairs} == {"local"}
