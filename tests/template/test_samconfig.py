"""samconfig.toml: no flags needed, and no way to hit an account by mistake."""

import tomllib
from typing import Any

import pytest

from fanout_wiring import load
from tests.template.application import ROOT, STAGES

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text())


@pytest.mark.guarantee("deployment/local-profile")
def test_local_is_tied_to_the_engine_in_every_command() -> None:
    assert CONFIG["local"]["global"]["parameters"]["profile"] == "fanout-local"


@pytest.mark.parametrize("stage", STAGES)
def test_no_setting_is_repeated(stage: str) -> None:
    """SAM CLI passes the options under global to every command that has them."""
    shared = CONFIG[stage]["global"]["parameters"]
    commands = {name: given["parameters"] for name, given in CONFIG[stage].items() if name != "global"}
    assert not [name for name, given in commands.items() if given.keys() & shared.keys()]


@pytest.mark.parametrize("stage", ["default", "staging", "prod"])
def test_no_other_stage_names_a_profile(stage: str) -> None:
    """The operator who deploys a stage chooses its account."""
    assert not [command for command, given in CONFIG[stage].items() if "profile" in given["parameters"]]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_deploys_without_flags(stage: str) -> None:
    deploy = CONFIG[stage]["global"]["parameters"]
    assert deploy["stack_name"]
    assert deploy["resolve_s3"] is True
    assert {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"} <= set(deploy["capabilities"])


def test_stages_are_different_stacks() -> None:
    names = [CONFIG[stage]["global"]["parameters"]["stack_name"] for stage in STAGES]
    assert len(set(names)) == len(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_every_override_is_a_parameter_of_the_root(stage: str) -> None:
    overrides = CONFIG[stage]["global"]["parameters"]["parameter_overrides"]
    names = {pair.split("=", 1)[0] for pair in overrides}
    assert names <= load(ROOT / "template.yaml")["Parameters"].keys()


def test_only_local_is_the_stage_local() -> None:
    stages = {stage: CONFIG[stage]["global"]["parameters"]["parameter_overrides"] for stage in STAGES}
    assert {stage for stage, pairs in stages.items() if "Stage=local" in pairs} == {"local"}
