"""Claim checks: an event too large for its topic is parked in S3, and a stub with its digest travels instead.

The reference in the stub is the SHA-256 digest of the parked bytes, never a bucket or a path: a subscriber looks only
into the bucket and prefix it is configured with, a forged reference cannot lead it anywhere else, and what it finds is
known to be what was parked. (The pattern: https://www.enterpriseintegrationpatterns.com/patterns/messaging/StoreInLibrary.html)
"""

import hashlib
import os
from typing import Any

import msgspec

from fanout import aws, contracts
from fanout.event import Event, InvalidEvent, decode, encode
from fanout.failures import Reject
from fanout.identity import subscriber_name

LARGEST = 16 * 1024 * 1024
"""Bytes of an event that can be parked. Whoever redeems it holds it in memory several times over."""


class TooLargeError(ValueError):
    """The event is larger than what may be parked."""


class ClaimChecks:
    """The place in S3 where one use case parks its large events."""

    def __init__(self, bucket: str, use_case: str) -> None:
        self._bucket = bucket
        self._prefix = f"{use_case}/"

    @classmethod
    def configured(cls) -> "ClaimChecks | None":
        """Return the place this function is configured with (FANOUT_CLAIM_CHECK_BUCKET); None where there is none."""
        bucket = os.environ.get("FANOUT_CLAIM_CHECK_BUCKET", "")
        use_case = subscriber_name().split("/", maxsplit=1)[0]
        return cls(bucket, use_case) if bucket else None

    def park(self, event: Event[Any]) -> Event[dict[str, Any]]:
        """Store the event and return its stub: the same envelope, the filterable fields, the digest.

        Parking the same event twice stores the same object. Raises TooLargeError, and what S3 raises.
        """
        body = encode(event)
        if len(body) > LARGEST:
            raise TooLargeError(f"{len(body)} bytes, a claim check takes {LARGEST}")
        digest = hashlib.sha256(body).hexdigest()
        aws.client("s3").put_object(
            Bucket=self._bucket, Key=self._prefix + digest, Body=body, ContentType="application/cloudevents+json"
        )
        return event.with_data(contracts.filterable_fields(event.type, event.data), claimcheck=digest)

    def redeem(self, stub: Event[msgspec.Raw]) -> Event[msgspec.Raw]:
        """Return the whole event that a stub stands for.

        Raises Reject if nothing (or something else) lies under its digest; what S3 raises otherwise, to be retried.
        """
        try:
            found = aws.client("s3").get_object(Bucket=self._bucket, Key=f"{self._prefix}{stub.claimcheck}")
            if found["ContentLength"] > LARGEST:
                raise Reject(f"claim-check-too-large: {found['ContentLength']} bytes are parked, {LARGEST} is the most")
            body = found["Body"].read()
        except Exception as error:
            if aws.error_code(error) in {"NoSuchKey", "404"}:
                raise Reject("claim-check-missing: nothing is parked under the event's claim check") from None
            raise
        if hashlib.sha256(body).hexdigest() != stub.claimcheck:
            raise Reject("claim-check-altered: what is parked does not have the claim check's digest")
        try:
            event = decode(body)
        except InvalidEvent as error:
            raise Reject(f"claim-check-invalid: {error}") from None
        if (event.source, event.id, event.type) != (stub.source, stub.id, stub.type):
            raise Reject("claim-check-mismatch: what is parked is another event than the stub says")
        # An event without a time has that of its publishing, which the stub was given on its way.
        return event if event.time else msgspec.structs.replace(event, time=stub.time)
