"""What KMS refuses."""

import json
from typing import Any

from engine_tests.aws import ACCOUNT, Aws
from engine_tests.refusals.refusal import Refusal

_API = "https://docs.aws.amazon.com/kms/latest/APIReference"
_STATES = "https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html"
_MODULE = "strictness/keys.py"
_LOCKOUT = "The new key policy will not allow you to update the key policy in the future."
_MISSING = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"


def _policy(*others: dict[str, Any], action: str = "kms:*") -> dict[str, Any]:
    """A key policy whose first statement lets the account do something, with other statements."""
    account = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": action}
    return {"Version": "2012-10-17", "Statement": [{**account, "Resource": "*"}, *others]}


_USE = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
_NOBODY = {**_USE, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/missing"}}


def _key(aws: Aws) -> str:
    key: str = aws.kms.create_key()["KeyMetadata"]["KeyId"]
    return key


def _pending(aws: Aws) -> str:
    key = _key(aws)
    aws.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return key


def _alias(target: str) -> dict[str, Any]:
    return {
        "Resources": {
            "Alias": {"Type": "AWS::KMS::Alias", "Properties": {"AliasName": "alias/planted", "TargetKeyId": target}}
        }
    }


def _template(policy: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"Resources": {"Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": policy, **properties}}}}


REFUSALS = (
    Refusal(
        id="kms-a-key-policy-lets-the-account-change-it",
        rule="A key policy lets the caller's account change it later",
        source="https://github.com/terraform-aws-modules/terraform-aws-eks/issues/1950",
        code="MalformedPolicyDocumentException",
        text=_LOCKOUT,
        held=_MODULE,
        call=lambda aws: aws.kms.create_key(Policy=json.dumps(_policy(action="kms:Decrypt"))),
        template=_template(_policy(action="kms:Decrypt")),
    ),
    Refusal(
        id="kms-a-changed-key-policy-lets-the-account-change-it",
        rule="So does a key policy that replaces another",
        source=f"{_API}/API_PutKeyPolicy.html",
        code="MalformedPolicyDocumentException",
        text=_LOCKOUT,
        held=_MODULE,
        call=lambda aws: aws.kms.put_key_policy(KeyId=_key(aws), Policy=json.dumps(_policy(action="kms:Decrypt"))),
        previous=_template(_policy()),
        template=_template(_policy(action="kms:Decrypt")),
    ),
    Refusal(
        id="kms-a-principal-exists",
        rule="A role or user that a key policy names exists",
        source="https://github.com/aws-samples/siem-on-amazon-opensearch-service/issues/32",
        code="MalformedPolicyDocumentException",
        text="Policy contains a statement with one or more invalid principals.",
        held=_MODULE,
        call=lambda aws: aws.kms.create_key(Policy=json.dumps(_policy(_NOBODY))),
        template=_template(_policy(_NOBODY)),
    ),
    Refusal(
        id="kms-a-statement-has-a-principal",
        rule="Each statement of a key policy has a principal",
        source=f"{_API}/API_CreateKey.html",
        code="MalformedPolicyDocumentException",
        text="principal",
        held=_MODULE,
        call=lambda aws: aws.kms.create_key(Policy=json.dumps(_policy(_USE))),
        template=_template(_policy(_USE)),
    ),
    Refusal(
        id="kms-a-key-policy-is-json",
        rule="A key policy is a JSON document",
        source=f"{_API}/API_PutKeyPolicy.html",
        code="MalformedPolicyDocumentException",
        text="policy",
        held=_MODULE,
        call=lambda aws: aws.kms.put_key_policy(KeyId=_key(aws), Policy="the account"),
    ),
    Refusal(
        id="kms-an-alias-has-a-key",
        rule="The key of an alias exists",
        source=f"{_API}/API_CreateAlias.html",
        code="NotFoundException",
        text="11111111-2222-3333-4444-555555555555",
        held=_MODULE,
        call=lambda aws: aws.kms.create_alias(AliasName=f"alias/{aws.name()}", TargetKeyId=_MISSING),
        template=_alias(_MISSING),
    ),
    Refusal(
        id="kms-an-alias-is-not-of-aws",
        rule="The name of an alias does not begin with alias/aws/",
        source="https://github.com/getmoto/moto/blob/master/moto/kms/responses.py",
        code="NotAuthorizedException",
        text="alias/aws/",
        held=_MODULE,
        call=lambda aws: aws.kms.create_alias(AliasName="alias/aws/planted", TargetKeyId=_key(aws)),
    ),
    Refusal(
        id="kms-an-alias-has-no-spaces",
        rule="The name of an alias has letters, digits and :/_- only",
        source=f"{_API}/API_CreateAlias.html",
        code="ValidationException",
        text="Member must satisfy regular expression pattern",
        held="strictness/request_shapes.py",
        call=lambda aws: aws.kms.create_alias(AliasName="alias/my key", TargetKeyId=_key(aws)),
    ),
    Refusal(
        id="kms-a-key-pending-deletion-gets-no-alias",
        rule="A key that is pending deletion gets no alias",
        source=_STATES,
        code="KMSInvalidStateException",
        text="pending deletion",
        held=_MODULE,
        call=lambda aws: aws.kms.create_alias(AliasName=f"alias/{aws.name()}", TargetKeyId=_pending(aws)),
        template=lambda aws: _alias(_pending(aws)),
    ),
    Refusal(
        id="kms-a-key-pending-deletion-is-not-enabled",
        rule="A key that is pending deletion is enabled only after the deletion is cancelled",
        source=_STATES,
        code="KMSInvalidStateException",
        text="pending deletion",
        held=_MODULE,
        call=lambda aws: aws.kms.enable_key(KeyId=_pending(aws)),
    ),
    Refusal(
        id="kms-only-a-pending-deletion-is-cancelled",
        rule="Only a deletion that is pending is cancelled",
        source=_STATES,
        code="KMSInvalidStateException",
        text="not pending deletion",
        held=_MODULE,
        call=lambda aws: aws.kms.cancel_key_deletion(KeyId=_key(aws)),
    ),
    Refusal(
        id="kms-a-key-pending-deletion-encrypts-nothing",
        rule="A key that is pending deletion is not used",
        source=_STATES,
        code="KMSInvalidStateException",
        text="pending deletion",
        held="ministack",
        call=lambda aws: aws.kms.encrypt(KeyId=_pending(aws), Plaintext=b"text"),
    ),
    Refusal(
        id="kms-a-key-waits-7-to-30-days",
        rule="A deletion waits for 7 to 30 days",
        source=f"{_API}/API_ScheduleKeyDeletion.html",
        code="ValidationException",
        text="30",
        held="ministack",
        call=lambda aws: aws.kms.schedule_key_deletion(KeyId=_key(aws), PendingWindowInDays=31),
    ),
)
