"""What a bucket's template says, and what S3 refuses: compat/bucket_properties.py, and what audit_logs builds on."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from engine_tests.aws import Aws

KEY = "arn:aws:kms:us-east-1:000000000000:key/of-nobody"


def bucket(aws: Aws, *, days: Any = 1, mode: str = "GOVERNANCE", stack: str = "") -> tuple[str, str]:
    """Stack and bucket: locked and encrypted by its template. Deploys again if a stack is given."""
    template = {
        "Parameters": {"Days": {"Type": "Number", "Default": days}},
        "Resources": {
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "ObjectLockEnabled": True,
                    "ObjectLockConfiguration": {
                        "ObjectLockEnabled": "Enabled",
                        "Rule": {"DefaultRetention": {"Mode": mode, "Days": {"Ref": "Days"}}},
                    },
                    "BucketEncryption": {
                        "ServerSideEncryptionConfiguration": [
                            {
                                "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
                                "BucketKeyEnabled": True,
                            }
                        ]
                    },
                },
            }
        },
    }
    name = stack or aws.name("stack")
    act, waiter = ("update", "stack_update_complete") if stack else ("create", "stack_create_complete")
    getattr(aws.cloudformation, f"{act}_stack")(StackName=name, TemplateBody=json.dumps(template))
    aws.cloudformation.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
    [resource] = aws.cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    return name, resource["PhysicalResourceId"]


def error(call: Any, **arguments: Any) -> str:
    """The code with which a call is refused."""
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    return str(refusal.value.response["Error"]["Code"])


def test_what_is_written_to_a_bucket_that_a_template_locks_cannot_be_deleted(aws: Aws) -> None:
    _, name = bucket(aws)
    version = aws.s3.put_object(Bucket=name, Key="entry", Body=b"1")["VersionId"]
    found = aws.s3.get_object(Bucket=name, Key="entry")
    assert found["ObjectLockMode"] == "GOVERNANCE"
    assert timedelta(hours=23) < found["ObjectLockRetainUntilDate"] - datetime.now(UTC) < timedelta(hours=25)
    assert error(aws.s3.delete_object, Bucket=name, Key="entry", VersionId=version) == "AccessDenied"
    assert aws.s3.get_object(Bucket=name, Key="entry", VersionId=version)["Body"].read() == b"1"
    assert aws.s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"


def test_under_compliance_not_even_a_bypass_deletes(aws: Aws) -> None:
    _, name = bucket(aws, mode="COMPLIANCE")
    version = aws.s3.put_object(Bucket=name, Key="entry", Body=b"1")["VersionId"]
    call = {"Bucket": name, "Key": "entry", "VersionId": version, "BypassGovernanceRetention": True}
    assert error(aws.s3.delete_object, **call) == "AccessDenied"


def test_another_retention_holds_for_what_is_written_from_then_on(aws: Aws) -> None:
    stack, name = bucket(aws)
    aws.s3.put_object(Bucket=name, Key="before", Body=b"1")
    assert bucket(aws, days=3, stack=stack) == (stack, name)
    aws.s3.put_object(Bucket=name, Key="after", Body=b"1")
    until = {key: aws.s3.head_object(Bucket=name, Key=key)["ObjectLockRetainUntilDate"] for key in ("before", "after")}
    assert timedelta(hours=47) < until["after"] - until["before"] < timedelta(hours=49)


def test_what_is_written_is_encrypted_with_the_key_of_the_template(aws: Aws) -> None:
    _, name = bucket(aws)
    aws.s3.put_object(Bucket=name, Key="entry", Body=b"1")
    found = aws.s3.head_object(Bucket=name, Key="entry")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", KEY)


def test_a_conditional_write_adds_no_second_version(aws: Aws) -> None:
    _, name = bucket(aws)
    aws.s3.put_object(Bucket=name, Key="entry", Body=b"1", IfNoneMatch="*")
    assert error(aws.s3.put_object, Bucket=name, Key="entry", Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
    [version] = aws.s3.list_object_versions(Bucket=name)["Versions"]
    assert aws.s3.get_object(Bucket=name, Key="entry", VersionId=version["VersionId"])["Body"].read() == b"1"


def test_upstream_still_ignores_lock_and_encryption_of_a_template(upstream: Aws) -> None:
    _, name = bucket(upstream)
    assert "Status" not in upstream.s3.get_bucket_versioning(Bucket=name)
    assert error(upstream.s3.get_object_lock_configuration, Bucket=name) == "ObjectLockConfigurationNotFoundError"
    assert "ServerSideEncryption" not in upstream.s3.put_object(Bucket=name, Key="entry", Body=b"1")
