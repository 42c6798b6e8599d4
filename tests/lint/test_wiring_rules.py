"""Each rule finds what its failing fixtures mark, and nothing else.

A fixture marks a line with the rules that must find something there: `# E9102`. What is not marked must not be found.
Those of passing/ have something for every rule to judge, and no mark.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fanout_wiring._rules import RULES
from tests.lint.judging import judged
from tests.template.application import ROOT

FIXTURES = Path(__file__).parent / "fixtures"
FAILING = sorted(FIXTURES.glob("E*.yaml"))
PASSING = sorted((FIXTURES / "passing").iterdir())
IDS = sorted(rule.id for rule in RULES)


def marks(file: Path) -> set[tuple[int, str]]:
    return {
        (number, rule)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        for rule in re.findall(r"E9\d{3}", line.partition(" # ")[2])
    }


@pytest.mark.parametrize("file", [*FAILING, *PASSING], ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_exactly_the_marked_findings_are_found(file: Path) -> None:
    found = judged(file)
    assert {(match.linenumber, match.rule.id) for match in found} == marks(file), found


@pytest.mark.parametrize("rule", [rule for rule in IDS if rule.startswith("E")])
@pytest.mark.parametrize("shape", ["flat", "nested"])
def test_every_rule_has_a_finding_in_one_template_and_across_templates(rule: str, shape: str) -> None:
    assert rule in {found for _, found in marks(FIXTURES / f"{rule}_{shape}.yaml")}


def test_every_rule_has_its_section_in_the_documentation() -> None:
    page = (ROOT / "docs" / "wiring-rules.md").read_text()
    assert re.findall(r"^## ([A-Z]\d{4}) ", page, re.MULTILINE) == [rule.id for rule in RULES]
    for rule in RULES:
        section = page.split(f"## {rule.id} ")[1].split("\n## ")[0]
        assert rule.page in section, f"{rule.id}: the section does not name {rule.page}"
        assert "**Fix**" in section


def test_a_finding_in_a_nested_template_says_where_and_under_which_parameters() -> None:
    [finding] = judged(FIXTURES / "E9108_nested.yaml")
    assert finding.message.endswith("[Inbox/DeadLetters, inbox.yaml line 26] (with Stage=dev)")


def test_a_reference_out_of_the_templates_is_listed_on_request() -> None:
    assert not judged(FIXTURES / "E9106_flat.yaml", "--ignore-checks", "E9106")
    listed = judged(FIXTURES / "E9106_flat.yaml", "--ignore-checks", "E9106", "--include-checks", "I")
    assert {match.rule.id for match in listed} == {"I9117"}
    assert "<parameter OncallArn>" in listed[0].message


def test_exports_macros_and_templates_elsewhere_are_listed_on_request() -> None:
    listed = {match.message for match in judged(FIXTURES / "passing" / "outside.yaml", "--include-checks", "I")}
    assert listed == {
        "FromTheRepository: its template is not a local file, so what is in it cannot be judged",
        "FromTheWeb: its template is not a local file, so what is in it cannot be judged",
        "Fn::Transform: its macros add resources that cannot be judged",
        "Inbox: <macro IncludedDeadLetters.Arn> is outside, and not judged",
        "Subscription: <import fanout-orders> is outside, and not judged",
        "Subscription: <output DeadLetterArn of FromTheWeb> is outside, and not judged",
        "Worker: <import worker-failures> is outside, and not judged",
        "Worker: <output QueueArn of FromTheRepository> is outside, and not judged",
    }


def test_the_fix_for_a_sam_event_names_what_the_event_has(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("""
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders: {Type: AWS::SNS::Topic}
  Worker:
    Type: AWS::Serverless::Function
    Properties: {Events: {Order: {Type: SNS, Properties: {Topic: !Ref Orders, SqsSubscription: true}}}}
""")
    fixes = {match.rule.id: match.message for match in judged(file)}
    assert "give it RedrivePolicy" in fixes["E9102"]
    assert "declare a queue and an SQS event" in fixes["E9105"]


def test_filters_are_not_checked_without_contracts() -> None:
    assert not judged(FIXTURES / "E9115_flat.yaml", "--configure-rule", "E9115:contracts=no/such/folder")


# --------------------------------------------------------------------------------------------------- as people run them
def lint(*arguments: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--append-rules", str(ROOT / "lint"), *arguments]
    return subprocess.run(command, cwd=cwd, env=kept, input=stdin, capture_output=True, text=True, check=False)


def test_cfn_lint_finds_the_rules_from_any_folder(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "E9102_nested.yaml", tmp_path / "template.yaml")
    shutil.copy(FIXTURES / "inbox.yaml", tmp_path)
    found = lint("--format", "json", "--template", "template.yaml", cwd=tmp_path)
    assert {each["Rule"]["Id"] for each in json.loads(found.stdout)} == {"E9102"}, found.stdout + found.stderr
    assert found.stderr == ""


def test_an_editor_may_pass_the_template_through_standard_input(tmp_path: Path) -> None:
    text = (FIXTURES / "E9105_flat.yaml").read_text()
    found = lint("--format", "json", cwd=tmp_path, stdin=text)
    assert {each["Rule"]["Id"] for each in json.loads(found.stdout)} == {"E9105"}, found.stdout + found.stderr


@pytest.mark.parametrize(
    "text",
    [
        "Resources: {Queue: {Type: AWS::SQS::Queue, Properties: [1]}}",
        "Resources: {Queue: null, Fn::ForEach::All: [A, [B], {}]}",
        "Conditions: {A: {Fn::Equals: [1]}}\nResources: {Q: {Type: AWS::SQS::Queue, Condition: A}}",
        "Resources: {S: {Type: AWS::SNS::Subscription, Properties: {TopicArn: [1], RedrivePolicy: x, Protocol: {}}}}",
        "Parameters: {P: 1}\nResources: {Q: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: {Ref: P}}}}",
        "Resources: {R: {Type: AWS::IAM::Role, Properties: {Policies: [{PolicyDocument: [{Statement: 1}]}]}}}",
        "Resources: {A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: {Ref: B}, Parameters: 7}}}",
    ],
)
def test_an_invalid_template_crashes_no_rule(text: str, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(text)
    assert not [match for match in judged(file) if match.rule.id == "E0002"]
