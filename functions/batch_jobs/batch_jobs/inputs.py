"""The input file in S3: its permitted locations, and reading it in blocks.

A requester must not gain access to everything that the functions may read. So only configured locations are read: the
stack's own bucket under `inputs/`, and the parameter InputLocations. Both the code and the role enforce it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from batch_jobs.domain.errors import JobProblemError
from fanout import aws

aws.prepare("s3")

_BLOCK = 1 << 20
_MISSING = {"404", "NoSuchKey", "NoSuchBucket"}
_FORBIDDEN = {"403", "AccessDenied"}


class Place(NamedTuple):
    """An object in S3."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """s3://bucket/key"""
        return f"s3://{self.bucket}/{self.key}"


def place(uri: str) -> Place:
    """Return the object that an S3 URI points to."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return Place(bucket, key)


def check(uri: str, locations: Sequence[str]) -> Place:
    """Return the input's place. Raises JobProblemError unless it is in one of the locations (`bucket/prefix`)."""
    found = place(uri)
    if not any(f"{found.bucket}/{found.key}".startswith(location) for location in locations):
        raise JobProblemError("forbidden_input", f"{uri} is not in a location that inputs may be in")
    return found


def version(where: Place) -> str:
    """Return the current ETag of the object. Raises JobProblemError if the object is missing or empty."""
    try:
        head = aws.client("s3").head_object(Bucket=where.bucket, Key=where.key)
    except Exception as error:
        raise _problem(error, where) or error from None
    if head["ContentLength"] == 0:
        raise JobProblemError("empty_input", f"{where.uri} is empty")
    return str(head["ETag"])


def blocks(where: Place, etag: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Yield bytes `start` to `end` of the object, a mebibyte at a time.

    Raises JobProblemError if the object has changed since: a job must not mix two versions.
    """
    byte_range = f"bytes={start}-{'' if end is None else end - 1}"
    try:
        answer = aws.client("s3").get_object(Bucket=where.bucket, Key=where.key, IfMatch=etag, Range=byte_range)
    except Exception as error:
        raise _problem(error, where) or error from None
    body: Any = answer["Body"]
    yield from body.iter_chunks(_BLOCK)


def _problem(error: Exception, where: Place) -> JobProblemError | None:
    """Return the job's problem for an S3 error; None if the error is retried."""
    code = aws.error_code(error)
    if code in _MISSING:
        return JobProblemError("no_such_input", f"{where.uri} does not exist")
    if code in _FORBIDDEN:
        return JobProblemError("unreadable_input", f"{where.uri} is not readable, or does not exist")
    if code in {"PreconditionFailed", "412"}:
        return JobProblemError("input_changed", f"{where.uri} was replaced while the job was reading it")
    return None
