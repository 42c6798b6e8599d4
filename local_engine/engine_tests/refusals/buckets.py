"""What S3 refuses."""

import json
from collections.abc import Callable
from typing import Any

from engine_tests.aws import Aws
from engine_tests.refusals.refusal import Refusal

_GUIDE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide"
_API = "https://docs.aws.amazon.com/AmazonS3/latest/API"
_ISSUES = "https://github.com"


def _bucket(aws: Aws, **request: Any) -> str:
    name = aws.name("bucket")
    aws.s3.create_bucket(Bucket=name, **request)
    return name


def _called(
    id: str,
    rule: str,
    source: str,
    code: str,
    call: Callable[[Aws], object],
    *,
    text: str = "",
    held: str = "strictness/buckets.py",
) -> Refusal:
    return Refusal(id=f"s3-{id}", rule=rule, source=source, code=code, text=text, held=held, call=call)


def _policy(id: str, rule: str, source: str, text: str, **changed: Any) -> Refusal:
    """A rule about a bucket's policy; None takes a key of the statement away."""

    def document(own: Any) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "s3:GetObject", "Resource": own}
        kept = {key: value for key, value in {**statement, **changed}.items() if value is not None}
        return {"Version": "2012-10-17", "Statement": [kept]}

    def put(aws: Aws) -> None:
        bucket = _bucket(aws)
        aws.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document(f"arn:aws:s3:::{bucket}/*")))

    resource = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": "Bucket"},
            "PolicyDocument": document({"Fn::Sub": "${Bucket.Arn}/*"}),
        },
    }
    return Refusal(
        id=f"s3-{id}",
        rule=rule,
        source=source,
        code="MalformedPolicy",
        text=text,
        held="strictness/buckets.py",
        call=put,
        template={"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}, "Policy": resource}},
    )


def _lifecycle(id: str, rule: str, code: str, text: str, *rules: dict[str, Any]) -> Refusal:
    def put(aws: Aws) -> None:
        complete = [
            {"Status": "Enabled", "Filter": {"Prefix": f"{number}/"}, **each} for number, each in enumerate(rules)
        ]
        aws.s3.put_bucket_lifecycle_configuration(Bucket=_bucket(aws), LifecycleConfiguration={"Rules": complete})

    source = f"{_GUIDE}/lifecycle-transition-general-considerations.html"
    return _called(id, rule, source, code, put, text=text)


def _delete_full_bucket(aws: Aws) -> None:
    bucket = _bucket(aws)
    aws.s3.put_object(Bucket=bucket, Key="one", Body=b"")
    aws.s3.delete_bucket(Bucket=bucket)


def _suspend_versions_of_locked_bucket(aws: Aws) -> None:
    bucket = _bucket(aws, ObjectLockEnabledForBucket=True)
    aws.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def _put(aws: Aws, bucket: str, key: str = "one", **request: Any) -> None:
    aws.s3.put_object(Bucket=bucket, Key=key, Body=b"", **request)


REFUSALS = (
    _called(
        "a-bucket-name-is-not-reserved",
        "A bucket's name has no reserved prefix or suffix",
        f"{_GUIDE}/bucketnamingrules.html",
        "InvalidBucketName",
        lambda aws: aws.s3.create_bucket(Bucket="planted-s3alias"),
    ),
    _called(
        "a-full-bucket-is-not-deleted",
        "A bucket with objects is not deleted",
        f"{_API}/API_DeleteBucket.html",
        "BucketNotEmpty",
        _delete_full_bucket,
        held="ministack",
    ),
    _called(
        "a-key-has-1024-bytes-at-most",
        "An object's key has 1,024 bytes at most",
        f"{_GUIDE}/object-keys.html",
        "KeyTooLongError",
        lambda aws: _put(aws, _bucket(aws), "k" * 1025),
    ),
    _called(
        "metadata-has-2-kb-at-most",
        "An object's own metadata has 2 KB at most",
        f"{_GUIDE}/UsingMetadata.html",
        "MetadataTooLarge",
        lambda aws: _put(aws, _bucket(aws), Metadata={"text": "x" * 2049}),
    ),
    _policy(
        "a-policy-is-of-its-own-bucket",
        "A bucket's policy names resources of this bucket",
        f"{_ISSUES}/noobaa/noobaa-core/issues/10058",
        "Policy has invalid resource",
        Resource="arn:aws:s3:::another-bucket/*",
    ),
    _policy(
        "a-policy-names-a-principal",
        "A statement of a bucket's policy names a principal",
        f"{_ISSUES}/hashicorp/terraform/issues/28688",
        "Missing required field Principal",
        Principal=None,
    ),
    _policy(
        "a-policy-names-a-resource",
        "A statement of a bucket's policy names a resource",
        f"{_ISSUES}/aws/aws-cdk/issues/6708",
        "Statement is missing required element",
        Resource=None,
    ),
    _policy(
        "a-policy-has-actions-of-s3",
        "A bucket's policy has actions of S3",
        f"{_API}/API_PutBucketPolicy.html",
        "Policy has invalid action",
        Action="sqs:SendMessage",
    ),
    _policy(
        "an-action-applies-to-its-resource",
        "Actions on buckets need the bucket as resource, those on objects its objects",
        f"{_ISSUES}/humanmade/S3-Uploads/issues/239",
        "Action does not apply to any resource(s) in statement",
        Action="s3:ListBucket",
    ),
    _policy(
        "a-policy-allows-or-denies",
        "A statement's effect is Allow or Deny",
        f"{_API}/API_PutBucketPolicy.html",
        "Invalid effect",
        Effect="allow",
    ),
    _lifecycle(
        "a-lifecycle-rule-has-an-action",
        "A lifecycle rule has an action",
        "InvalidRequest",
        "At least one action needs to be specified in a rule",
        {"ID": "one"},
    ),
    _lifecycle(
        "an-object-is-infrequently-accessed-after-30-days",
        "A transition to STANDARD_IA comes after 30 days at least",
        "InvalidArgument",
        "'Days' in Transition action must be greater than or equal to 30 for storageClass 'STANDARD_IA'",
        {"ID": "one", "Transitions": [{"Days": 10, "StorageClass": "STANDARD_IA"}]},
    ),
    _lifecycle(
        "an-object-expires-after-its-transition",
        "An object expires after its transition",
        "InvalidArgument",
        "'Days' in the Expiration action must be greater than 'Days' in the Transition action",
        {"ID": "one", "Transitions": [{"Days": 60, "StorageClass": "GLACIER"}], "Expiration": {"Days": 30}},
    ),
    _lifecycle(
        "a-lifecycle-rule-has-an-id-of-its-own",
        "The ids of lifecycle rules are unique",
        "InvalidArgument",
        "Rule ID must be unique",
        {"ID": "one", "Expiration": {"Days": 30}},
        {"ID": "one", "Expiration": {"Days": 60}},
    ),
    _called(
        "a-lock-needs-versions",
        "A bucket with Object Lock keeps its versioning",
        f"{_GUIDE}/object-lock-configure.html",
        "InvalidBucketState",
        _suspend_versions_of_locked_bucket,
    ),
    _called(
        "a-locked-object-is-in-a-locked-bucket",
        "An object is locked in a bucket with Object Lock only",
        f"{_GUIDE}/object-lock-configure.html",
        "InvalidRequest",
        lambda aws: _put(
            aws, _bucket(aws), ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate="2099-01-01T00:00:00Z"
        ),
        held="ministack",
    ),
    _called(
        "a-retention-ends-in-the-future",
        "An object is retained until a time in the future",
        f"{_API}/API_PutObject.html",
        "InvalidArgument",
        lambda aws: _put(
            aws,
            _bucket(aws, ObjectLockEnabledForBucket=True),
            ObjectLockMode="GOVERNANCE",
            ObjectLockRetainUntilDate="2020-01-01T00:00:00Z",
        ),
        text="The retain until date must be in the future!",
    ),
    _called(
        "a-retention-has-an-end",
        "A retention has a mode and an end",
        f"{_API}/API_PutObject.html",
        "InvalidArgument",
        lambda aws: _put(aws, _bucket(aws, ObjectLockEnabledForBucket=True), ObjectLockMode="GOVERNANCE"),
        text="must both be supplied",
    ),
)
