"""Claim checks: an event too large for its topic is stored in S3, and a stub with its digest is published instead.

The reference in the stub is the SHA-256 digest of the stored bytes, never a bucket or a path: a subscriber looks only
into the bucket and prefix it is configured with, a forged reference cannot lead it anywhere else, and what it finds is
known to be what was stored. (The pattern: https://www.enterpriseintegrationpatterns.com/patterns/messaging/StoreInLibrary.html)
"""

import hashlib
import os
from typing import Any

import msgspec

from fanout import aws, contracts
from fanout.event import Event, InvalidEvent, decode, encode
from fanout.identity import subscriber_name
from fanout.outcomes import Reject

MAX_BYTES = 16 * 1024 * 1024
"""The largest event that can be stored. A subscriber holds it in memory several times."""


class TooLargeError(ValueError):
    """The event is larger than MAX_BYTES."""


class ClaimChecks:
    """The bucket and prefix where one use case stores its large events."""

    def __init__(self, bucket: str, use_case: str) -> None:
        self._bucket = bucket
        self._prefix = f"{use_case}/"

    @classmethod
    def configured(cls) -> "ClaimChecks | None":
        """Return the store that FANOUT_CLAIM_CHECK_BUCKET configures; None if it is not set."""
        bucket = os.environ.get("FANOUT_CLAIM_CHECK_BUCKET", "")
        use_case = subscriber_name().split("/", maxsplit=1)[0]
        return cls(bucket, use_case) if bucket else None

    def store(self, event: Event[Any]) -> Event[dict[str, Any]]:
        """Store the event and return its stub: the same envelope, the filterable fields, the digest.

        Storing the same event twice writes the same object. Raises TooLargeError, and what S3 raises.
        """
        body = encode(event)
        if len(body) > MAX_BYTES:
            raise TooLargeError(f"{len(body)} bytes, a claim check takes {MAX_BYTES}")
        digest = hashlib.sha256(body).hexdigest()
        aws.client("s3").put_object(
            Bucket=self._bucket, Key=self._prefix + digest, Body=body, ContentType="application/cloudevents+json"
        )
        return event.with_data(contracts.filterable_fields(event.type, event.data), claimcheck=digest)

    def retrieve(self, stub: Event[msgspec.Raw]) -> Event[msgspec.Raw]:
        """Return the whole event that a stub stands for.

        Raises Reject if nothing or another event is stored under its digest, and what S3 raises otherwise: a retry.
        """
        try:
            found = aws.client("s3").get_object(Bucket=self._bucket, Key=f"{self._prefix}{stub.claimcheck}")
            if found["ContentLength"] > MAX_BYTES:
                raise Reject(
                    "claim-check-too-large", f"{found['ContentLength']} bytes are stored, {MAX_BYTES} is the most"
                )
            body = found["Body"].read()
        except Exception as error:
            if aws.error_code(error) in {"NoSuchKey", "404"}:
                raise Reject("claim-check-missing", "nothing is stored under the event's claim check") from None
            raise
        if hashlib.sha256(body).hexdigest() != stub.claimcheck:
            raise Reject("claim-check-altered", "the stored object does not have the claim check's digest")
        try:
            event = decode(body)
        except InvalidEvent as error:
            raise Reject("claim-check-invalid", str(error)) from None
        if (event.source, event.id, event.type) != (stub.source, stub.id, stub.type):
            raise Reject("claim-check-mismatch", "the stored event is not the stub's")
        # An event without a time has that of its publishing, which the parser has set on the stub.
        return event if event.time else msgspec.structs.replace(event, time=stub.time)
