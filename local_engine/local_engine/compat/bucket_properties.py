"""Templates cannot set a bucket's Object Lock and encryption.

Symptom: a bucket deployed with ObjectLockEnabled and ObjectLockConfiguration locks nothing: what is written
to it can be deleted at once, and a description shows no lock; nor does it show the BucketEncryption.
Cause: `provisioners._s3_create` and `_s3_update` leave them out. Through S3's own API all of them work.
Patch: they are set as S3's API sets them; a lock is never taken away again, as on AWS.
It can go when upstream's provisioner sets them.
"""

from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from ministack.services import s3

from local_engine.compat._provisioners import Properties, after_deploying


def apply() -> None:
    """Give buckets the lock and the encryption that their templates declare."""
    after_deploying("AWS::S3::Bucket", _set_properties)


def _set_properties(bucket: str, properties: Properties) -> None:
    if str(properties.get("ObjectLockEnabled")).lower() == "true" or bucket in s3._bucket_object_lock:
        # On AWS too the lock brings versioning with it.
        s3._bucket_versioning[bucket] = "Enabled"
        s3._bucket_object_lock[bucket] = {
            "enabled": True,
            "default_retention": _default_retention(properties.get("ObjectLockConfiguration") or {}),
        }
    rules = (properties.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration")
    if rules:
        s3._put_bucket_encryption(bucket, _encryption(rules))
    else:
        s3._delete_bucket_encryption(bucket)


def _default_retention(configuration: Properties) -> Properties | None:
    """Days and years come as text where a template's parameter gives them."""
    retention = (configuration.get("Rule") or {}).get("DefaultRetention")
    if not retention:
        return None
    return {name: retention[name] if name == "Mode" else int(retention[name]) for name in retention}


def _encryption(rules: list[dict[str, Any]]) -> bytes:
    """Return the rules as S3's API takes them, which calls the default by another name than CloudFormation does."""
    root = Element("ServerSideEncryptionConfiguration", xmlns=s3.S3_NS)
    for rule in rules:
        element = SubElement(root, "Rule")
        default = SubElement(element, "ApplyServerSideEncryptionByDefault")
        for name, value in (rule.get("ServerSideEncryptionByDefault") or {}).items():
            SubElement(default, name).text = str(value)
        SubElement(element, "BucketKeyEnabled").text = str(rule.get("BucketKeyEnabled", False)).lower()
    found: bytes = tostring(root)
    return found
