"""A rehearsal of the first deployment and of its removal, with stock SAM CLI on an engine of its own."""

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fanout_cli.stack.deploy import switchable
from tests.integration.application import ROOT
from tests.integration.test_deployment import Checkout

KEPT = ("team_events", "audit_logs")
REHEARSE = ("first-deployment", "--rehearse", "--account", "000000000000")


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("first") / "fanout")
    config = made.folder / "samconfig.toml"
    text = config.read_text("utf-8")
    for use_case, parameter in switchable(ROOT).items():
        if use_case not in KEPT:
            text = text.replace(f'"{parameter}=true"', f'"{parameter}=false"')
    config.write_text(text, "utf-8")
    made.application.start_engine()
    yield made
    made.application.fanout("down", "--purge", check=None)


def versions(s3: Any, bucket: str) -> list[str]:
    found = s3.list_object_versions(Bucket=bucket)
    return [each["Key"] for each in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]]


def prune_versions(checkout: Checkout) -> None:
    """Run the commands of the page that delete unused versions."""
    page = (ROOT / "docs/first-deployment.md").read_text("utf-8")
    [script] = re.findall(r"^```sh\n(.+?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["bash", "-eu", "-c", script.replace("fanout-dev-", "fanout-")],
        env=checkout.application.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_is_deployed_works_and_nothing_of_it_is_left_after_its_removal(checkout: Checkout) -> None:
    application = checkout.application
    cloudformation, s3 = application.client("cloudformation"), application.client("s3")
    refused = application.fanout("first-deployment", "--rehearse", "--account", "123456789012", check=2)
    assert "the credentials belong to account 000000000000, not to 123456789012" in refused.stderr
    assert cloudformation.describe_stacks()["Stacks"] == []

    done = application.fanout(*REHEARSE)
    assert "fanout is deployed and works" in done.stderr
    assert application.topology.use_cases == sorted(KEPT)
    managed = next(each["Name"] for each in s3.list_buckets()["Buckets"] if "sam-cli" in each["Name"])
    assert versions(s3, managed) != []
    keys = [each["KeyId"] for each in application.client("kms").list_keys()["Keys"]]

    functions, team_a = application.client("lambda"), application.subscriber("team_events/team_a").function_name
    functions.update_function_configuration(FunctionName=team_a, Description="changed by a test")
    functions.publish_version(FunctionName=team_a)
    prune_versions(checkout)
    left = functions.list_versions_by_function(FunctionName=team_a)["Versions"]
    assert [each["Version"] for each in left] == ["$LATEST", checkout.versions()["team_events/team_a"]]

    policy = application.topology.outputs["team_events"]["PublisherPolicyArn"]
    iam = application.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    iam.create_role(RoleName="producer", AssumeRolePolicyDocument=json.dumps(document))
    iam.attach_role_policy(RoleName="producer", PolicyArn=policy)
    blocked = application.fanout(*REHEARSE, "--remove", "fanout", check=2)
    assert "role producer has the policy" in blocked.stderr
    iam.detach_role_policy(RoleName="producer", PolicyArn=policy)

    removed = application.fanout(*REHEARSE, "--remove", "fanout")
    assert "fanout is removed" in removed.stderr
    assert [each["StackName"] for each in cloudformation.describe_stacks()["Stacks"]] == ["aws-sam-cli-managed-default"]
    assert application.client("dynamodb").list_tables()["TableNames"] == []
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == [managed]
    assert versions(s3, managed) == []
    assert application.client("secretsmanager").list_secrets()["SecretList"] == []
    states = [application.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in keys]
    assert states == ["PendingDeletion"] * len(keys)
    assert keys != []

    again = application.fanout(*REHEARSE, "--remove", "fanout")
    assert "fanout is removed" in again.stderr, "a removal that was interrupted can be started again"


def test_a_failed_first_deployment_is_explained_and_blocks_the_next_until_it_is_deleted(checkout: Checkout) -> None:
    template = checkout.folder / "platform/claim_checks.yaml"
    original = template.read_text("utf-8")
    planted = "\n  Planted:\n    Type: AWS::SQS::Queue\n    Properties: {VisibilityTimeout: !Ref Bucket}\n"
    template.write_text(original.replace("\nOutputs:", f"{planted}\nOutputs:"), "utf-8")
    application = checkout.application
    failed = application.fanout(*REHEARSE, check=1)
    assert "Planted (AWS::SQS::Queue)" in failed.stderr

    template.write_text(original, "utf-8")
    blocked = application.fanout(*REHEARSE, check=2)
    assert "stack fanout is ROLLBACK_COMPLETE: it can only be deleted" in blocked.stderr
    assert "aws cloudformation delete-stack --stack-name fanout" in blocked.stderr

    application.fanout(*REHEARSE, "--remove", "fanout")
    with pytest.raises(ClientError, match="does not exist"):
        application.client("cloudformation").describe_stacks(StackName="fanout")
    assert application.client("dynamodb").list_tables()["TableNames"] == []
