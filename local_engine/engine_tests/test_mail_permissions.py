"""Who may send mail, and as whom: compat/mail_permissions.py."""

import contextlib
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from engine_tests.aws import ACCOUNT, REGION, Aws

SENDER = "welcome@permissions.example.com"
RECIPIENT = "ada@example.com"
SES = f"arn:aws:ses:{REGION}:{ACCOUNT}"


def sender_allowed(aws: Aws, *resources: str, address: str = SENDER) -> Any:
    """An SES client of a user that may send to RECIPIENT from these resources, as one address."""
    return client_allowed(aws, f"identity/{RECIPIENT}", *resources, address=address)


def client_allowed(aws: Aws, *resources: str, address: str = SENDER) -> Any:
    """An SES client of a user that may use these resources, as one address."""
    user = aws.name("user")
    aws.iam.create_user(UserName=user)
    statement = {
        "Effect": "Allow",
        "Action": "ses:SendEmail",
        "Resource": [f"{SES}:{each}" for each in resources],
        "Condition": {"StringEquals": {"ses:FromAddress": address}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    aws.iam.put_user_policy(UserName=user, PolicyName="send", PolicyDocument=json.dumps(policy))
    key = aws.iam.create_access_key(UserName=user)["AccessKey"]
    return boto3.client(
        "sesv2",
        endpoint_url=aws.engine.endpoint,
        region_name=REGION,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


def send(client: Any, sender: str = SENDER, **options: str) -> str:
    sent = client.send_email(
        FromEmailAddress=sender,
        Destination={"ToAddresses": [RECIPIENT]},
        Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "there"}}}},
        **options,
    )
    return str(sent["MessageId"])


def identity(aws: Aws, name: str) -> str:
    with contextlib.suppress(aws.sesv2.exceptions.AlreadyExistsException):  # another test's
        aws.sesv2.create_email_identity(EmailIdentity=name)
    return f"identity/{name}"


def test_a_sender_that_is_allowed_may_send_with_the_configuration_set_that_is_allowed(aws: Aws) -> None:
    name = aws.name("set")
    aws.sesv2.create_configuration_set(ConfigurationSetName=name)
    allowed = sender_allowed(aws, identity(aws, SENDER), f"configuration-set/{name}")
    assert send(allowed)
    assert send(allowed, f"Fanout <{SENDER}>", ConfigurationSetName=name)


def test_another_address_identity_or_configuration_set_is_refused(aws: Aws) -> None:
    other = "other@permissions.example.com"
    identity(aws, other)
    name = aws.name("set")
    aws.sesv2.create_configuration_set(ConfigurationSetName=name)
    allowed = sender_allowed(aws, f"identity/{SENDER}", f"identity/{other}")
    with pytest.raises(ClientError, match="AccessDenied"):
        send(allowed, other)
    with pytest.raises(ClientError, match="AccessDenied"):
        send(sender_allowed(aws, f"identity/{SENDER}", address=other), other)
    with pytest.raises(ClientError, match="AccessDenied"):
        send(allowed, ConfigurationSetName=name)


def test_the_identities_of_the_recipients_are_checked_as_in_the_sandbox(aws: Aws) -> None:
    mine = identity(aws, SENDER)
    with pytest.raises(ClientError, match="AccessDenied"):
        send(client_allowed(aws, mine))
    assert send(client_allowed(aws, "identity/*"))


def test_every_identity_allowed_under_the_condition_is_one_sender(aws: Aws) -> None:
    other = "another@permissions.example.com"
    identity(aws, other)
    allowed = client_allowed(aws, "identity/*")
    assert send(allowed)
    with pytest.raises(ClientError, match="AccessDenied"):
        send(allowed, other)


def test_an_address_without_an_identity_of_its_own_uses_its_domains(aws: Aws) -> None:
    sender = "anyone@domain.example.com"
    assert send(sender_allowed(aws, identity(aws, "domain.example.com"), address=sender), sender)


def test_upstream_still_refuses_the_sender_that_is_allowed(upstream: Aws) -> None:
    allowed = sender_allowed(upstream, identity(upstream, SENDER))
    with pytest.raises(ClientError, match="AccessDenied"):
        send(allowed)
