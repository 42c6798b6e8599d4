"""Each function's VersionDescription: which parameters it names, and whether it fits. The rest is rule E9120."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fanout_wiring import load
from tests.template.application import ROOT

# Given by the root's own resources, or once by who deploys the use case alone.
FIXED = {"ClaimCheckBucket"}
LIMIT = 256  # https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
USE_CASES = sorted(ROOT.glob("usecases/*/template.yaml"))


def functions(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            yield name, resource["Properties"]


@pytest.mark.guarantee("deployment/setting-version")
@pytest.mark.parametrize("file", USE_CASES, ids=lambda file: file.parent.name)
def test_another_value_of_a_parameter_publishes_a_version_of_the_functions_that_read_it(file: Path) -> None:
    """Those with an empty default, too, which rule E9120 takes for links to other stacks."""
    template = load(file)
    everywhere = template["Globals"]["Function"]
    for name, function in functions(template):
        environment = {**everywhere["Environment"]["Variables"], **function["Environment"]["Variables"]}
        read = {value["Ref"] for value in environment.values() if isinstance(value, dict) and "Ref" in value}
        changing = (read & set(template["Parameters"])) - FIXED
        description = str(function["VersionDescription"])
        assert {parameter for parameter in changing if f"${{{parameter}}}" not in description} == set(), name


@pytest.mark.parametrize("file", USE_CASES, ids=lambda file: file.parent.name)
def test_the_longest_description_of_a_version_fits(file: Path) -> None:
    template = load(file)
    for name, function in functions(template):
        written = function["VersionDescription"]["Fn::Sub"]
        text = written if isinstance(written, str) else written[0] + written[1]["Network"]["Fn::If"][1]["Fn::Sub"]
        words = re.sub(r"\$\{\w+\}", "", text)
        parameters = re.findall(r"\$\{(\w+)\}", text.replace("${Network}", ""))
        longest = len(words) + sum(length(name, template["Parameters"][name]) for name in parameters)
        assert longest <= LIMIT, f"{name}: {longest} characters"


def length(name: str, parameter: dict[str, Any]) -> int:
    if "AllowedValues" in parameter:
        return max(len(str(value)) for value in parameter["AllowedValues"])
    bound = "MaxValue" if parameter["Type"] == "Number" else "MaxLength"
    assert bound in parameter, f"{name} has no {bound}"
    return len(str(parameter["MaxValue"])) if bound == "MaxValue" else int(parameter["MaxLength"])
