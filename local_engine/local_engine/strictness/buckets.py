"""What S3 refuses of buckets, their policies and lifecycle rules, and of objects.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html
"""

import datetime
import json
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from ministack.services import s3

from local_engine.strictness._refusing import Data, Refused, before_provisioning

_RESERVED = re.compile(r"(xn--|sthree-|amzn-s3-demo-).*|.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)")
_STATEMENT_KEYS = {
    "Action",
    "Condition",
    "Effect",
    "NotAction",
    "NotPrincipal",
    "NotResource",
    "Principal",
    "Resource",
    "Sid",
}
_BUCKET_ACTIONS = re.compile(r"s3:(List(Bucket|BucketVersions|BucketMultipartUploads)|(Get|Put|Delete)Bucket\w*)")
_OBJECT_ACTIONS = re.compile(r"s3:((Get|Put|Delete|Restore)Object\w*|AbortMultipartUpload|ListMultipartUploadParts)")
_POLICY_LIMIT = 20 * 1024
_KEY_LIMIT, _METADATA_LIMIT = 1024, 2048


def apply() -> None:
    """Validate what comes over the API, and buckets' policies from CloudFormation."""
    _before("_create_bucket", lambda name, *_: _validate_name(name))
    _before("_put_bucket_policy", _validate_policy)
    _before("_put_bucket_lifecycle", lambda _, body: _validate_lifecycle(body))
    _before("_put_bucket_versioning", _validate_versioning)
    _before("_put_object", lambda _bucket, key, _body, headers: _validate_object(key, headers))
    before_provisioning(
        "AWS::S3::BucketPolicy",
        lambda properties: _validate_policy(properties["Bucket"], json.dumps(properties["PolicyDocument"])),
    )


def _before(function: str, check: Callable[..., None]) -> None:
    original = getattr(s3, function)

    def handle(*arguments: Any, **named: Any) -> Any:
        try:
            check(*arguments)
        except Refused as refused:
            return s3._error(refused.code, str(refused), 400, f"/{arguments[0]}")
        return original(*arguments, **named)

    setattr(s3, function, handle)


def _validate_name(name: str) -> None:
    if _RESERVED.fullmatch(name) or ".-" in name or "-." in name:
        raise Refused("InvalidBucketName", "The specified bucket is not valid.")


def _validate_object(key: str, headers: dict[str, str]) -> None:
    if len(key.encode()) > _KEY_LIMIT:
        raise Refused("KeyTooLongError", "Your key is too long")
    metadata = {
        name.lower().removeprefix("x-amz-meta-"): value for name, value in headers.items() if _is_metadata(name)
    }
    if sum(len(name) + len(value) for name, value in metadata.items()) > _METADATA_LIMIT:
        raise Refused("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
    mode, until = (headers.get(f"x-amz-object-lock-{name}") for name in ("mode", "retain-until-date"))
    if bool(mode) != bool(until):
        raise Refused(
            "InvalidArgument",
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
        )
    if until and datetime.datetime.fromisoformat(until) <= datetime.datetime.now(datetime.UTC):
        raise Refused("InvalidArgument", "The retain until date must be in the future!")


def _is_metadata(header: str) -> bool:
    return header.lower().startswith("x-amz-meta-")


def _validate_versioning(name: str, body: bytes) -> None:
    # Whether Object Lock is on, ministack itself asks of the bucket's record.
    if b"Suspended" in body and name in s3._bucket_object_lock:
        raise Refused(
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
        )


def _validate_policy(bucket: str, body: bytes | str) -> None:
    if len(body) > _POLICY_LIMIT:
        raise _malformed("Policy exceeds the maximum allowed document size.")
    try:
        policy = json.loads(body)
        statements = policy["Statement"]
    except ValueError:
        raise _malformed("Policies must be valid JSON and the first byte must be '{'") from None
    except (KeyError, TypeError):
        raise _malformed("Missing required field Statement") from None
    if not statements:
        raise _malformed("Could not parse the policy: Statement is empty!")
    for statement in statements if isinstance(statements, list) else [statements]:
        _validate_statement(bucket, statement)


def _validate_statement(bucket: str, statement: Data) -> None:
    unknown = set(statement) - _STATEMENT_KEYS
    if unknown:
        raise _malformed(f"Unknown field {min(unknown)}")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed(f"Invalid effect: {statement.get('Effect')}")
    if "Principal" not in statement and "NotPrincipal" not in statement:
        raise _malformed("Missing required field Principal")
    if not (_listed(statement, "Action") and _listed(statement, "Resource")):
        raise _malformed("Statement is missing required element")
    resources = _listed(statement, "Resource")
    own = re.compile(rf"arn:aws[a-z-]*:s3:::{re.escape(bucket)}(/.*)?")
    if not all(own.fullmatch(resource) for resource in resources):
        raise _malformed("Policy has invalid resource")
    names_bucket, names_objects = any("/" not in each for each in resources), any("/" in each for each in resources)
    for action in _listed(statement, "Action"):
        if action != "*" and not action.lower().startswith("s3:"):
            raise _malformed("Policy has invalid action")
        on_bucket, on_objects = _BUCKET_ACTIONS.fullmatch(action), _OBJECT_ACTIONS.fullmatch(action)
        if (on_bucket and not names_bucket) or (on_objects and not names_objects):
            raise _malformed("Action does not apply to any resource(s) in statement")


def _listed(statement: Data, name: str) -> list[str]:
    value = statement.get(name, statement.get(f"Not{name}", []))
    return [value] if isinstance(value, str) else list(value or [])


def _validate_lifecycle(body: bytes) -> None:
    rules = [rule for rule in ElementTree.fromstring(body) if rule.tag.endswith("Rule")]  # noqa: S314 - ministack parses the same document
    ids: list[str | None] = []
    for rule in rules:
        found: dict[str, list[ElementTree.Element]] = {}
        for child in rule:
            found.setdefault(child.tag.rsplit("}", 1)[-1], []).append(child)
        ids.append(found["ID"][0].text if "ID" in found else str(len(ids)))
        _validate_lifecycle_rule(found)
    if len(set(ids)) < len(ids):
        raise Refused("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    if any(len(rule_id or "") > 255 for rule_id in ids):
        raise Refused("InvalidArgument", "ID length should not exceed allowed limit of 255")


def _validate_lifecycle_rule(rule: dict[str, list[ElementTree.Element]]) -> None:
    actions = {name for name in rule if "Transition" in name or "Expiration" in name or name.startswith("Abort")}
    if not actions:
        raise Refused("InvalidRequest", "At least one action needs to be specified in a rule")
    expiration = next((_days(each) for each in rule.get("Expiration", [])), None)
    for transition in rule.get("Transition", []):
        days, storage = _days(transition), _text(transition, "StorageClass")
        if storage in ("STANDARD_IA", "ONEZONE_IA") and days is not None and days < 30:
            raise Refused(
                "InvalidArgument",
                f"'Days' in Transition action must be greater than or equal to 30 for storageClass '{storage}'",
            )
        if days is not None and expiration is not None and expiration <= days:
            raise Refused(
                "InvalidArgument",
                "'Days' in the Expiration action must be greater than 'Days' in the Transition action",
            )


def _days(element: ElementTree.Element) -> int | None:
    text = _text(element, "Days")
    return None if text is None else int(text)


def _text(element: ElementTree.Element, name: str) -> str | None:
    return next((child.text for child in element if child.tag.rsplit("}", 1)[-1] == name), None)


def _malformed(message: str) -> Refused:
    return Refused("MalformedPolicy", message)
