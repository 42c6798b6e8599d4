"""The engine refuses what AWS refuses: the call over its API, and the deployment with `sam deploy`."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result
from samcli.cli.main import cli as sam

from engine_tests.aws import ALL_CAPABILITIES, Aws
from engine_tests.refusals import SERVICES
from engine_tests.refusals.refusal import Refusal, Template

EVERY = [refusal for refusals in SERVICES.values() for refusal in refusals]
BY_CALL = [refusal for refusal in EVERY if refusal.call]
BY_DEPLOYMENT = [refusal for refusal in EVERY if refusal.template is not None]


def test_there_are_eighty_rules_or_more_each_with_a_name_of_its_own_and_a_test() -> None:
    assert len(EVERY) >= 80
    assert [name for name, count in Counter(refusal.id for refusal in EVERY).items() if count > 1] == []
    assert [refusal.id for refusal in EVERY if refusal not in BY_CALL and refusal not in BY_DEPLOYMENT] == []


@pytest.mark.parametrize("refusal", BY_CALL, ids=lambda refusal: refusal.id)
def test_a_call_that_aws_refuses_is_refused(aws: Aws, refusal: Refusal) -> None:
    assert refusal.call is not None
    with pytest.raises(ClientError) as caught:
        refusal.call(aws)
    error = caught.value.response["Error"]
    assert error["Code"] == refusal.code
    assert refusal.text in error["Message"]


@pytest.mark.parametrize("refusal", BY_DEPLOYMENT, ids=lambda refusal: refusal.id)
def test_a_deployment_that_aws_refuses_is_refused(
    aws: Aws, refusal: Refusal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal.template is not None
    stack = aws.name("planted")
    if refusal.previous is not None:
        previous = refusal.previous(aws) if callable(refusal.previous) else refusal.previous
        aws.cloudformation.create_stack(
            StackName=stack, TemplateBody=json.dumps(previous), Capabilities=ALL_CAPABILITIES
        )
        assert aws.settled(stack) == "CREATE_COMPLETE", aws.failures(stack)
    planted = deploy(aws, stack, refusal.template, tmp_path, monkeypatch)
    assert planted.exit_code == 1, planted.output
    # CloudFormation refuses the change set, which SAM reports, or a resource, which the events report in full.
    reasons = [] if "calling the CreateChangeSet operation" in planted.output else _reasons(aws, stack)
    assert any(refusal.text in said for said in (planted.output, *reasons)), (planted.output, reasons)


def _reasons(aws: Aws, stack: str) -> list[str]:
    events = aws.cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    return [event.get("ResourceStatusReason", "") for event in events]


def deploy(
    aws: Aws,
    stack: str,
    template: Template | Callable[[Aws], Template],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Result:
    """Run `sam deploy`, in this process: it starts once for all."""
    made = template(aws) if callable(template) else template
    file = folder / "template.json"
    file.write_text(json.dumps(made))
    monkeypatch.chdir(folder)
    arguments = ["deploy", "--template-file", str(file), "--stack-name", stack, "--no-confirm-changeset"]
    return CliRunner(env=aws.environment).invoke(sam, [*arguments, "--capabilities", *ALL_CAPABILITIES])
