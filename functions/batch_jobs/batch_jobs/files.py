"""The files of a job in the stack's bucket: intermediate files under `work/`, results under `results/`. Their names
depend only on the job and a number, so a file that is written again replaces itself.
"""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice

from batch_jobs import settings
from fanout import aws

aws.prepare("s3")

CSV, JSON = "text/csv; charset=utf-8", "application/json"
# Each part of an upload but the last has at least 5 MiB. https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
_PART = 8 << 20
# The number of files in memory at a time: a chunk's rejects are a few hundred kilobytes.
_AHEAD = 8


def manifest(job_id: str, content: bytes) -> str:
    """Return the key of a list of a job's chunks. Another list has another key, so no list is overwritten."""
    return f"work/{job_id}/chunks-{hashlib.sha256(content).hexdigest()[:16]}.json"


def rejects_of(job_id: str, number: int) -> str:
    """Return the key of a chunk's rejected rows."""
    return f"work/{job_id}/rejects/{number:05d}.csv"


def totals_of(job_id: str, number: int) -> str:
    """Return the key of a chunk's part of a report."""
    return f"work/{job_id}/totals/{number:05d}.json"


def result(job_id: str, name: str) -> str:
    """Return the key of a result file."""
    return f"results/{job_id}/{name}"


def uri(key: str) -> str:
    """Return the S3 URI of a key."""
    return f"s3://{_bucket()}/{key}"


def write(key: str, body: bytes, content_type: str) -> None:
    """Write a small file."""
    aws.client("s3").put_object(Bucket=_bucket(), Key=key, Body=body, ContentType=content_type)


def read_all(keys: Iterable[str]) -> Iterator[bytes]:
    """Yield the bodies of many files in order, reading a few at a time."""

    def read(key: str) -> bytes:
        return bytes(aws.client("s3").get_object(Bucket=_bucket(), Key=key)["Body"].read())

    aws.client("s3")  # created before the threads: they may share a client, but creating one is not thread-safe
    with ThreadPoolExecutor(_AHEAD) as pool:
        waiting = iter(keys)
        while some := list(islice(waiting, _AHEAD)):
            yield from pool.map(read, some)


def write_long(key: str, pieces: Iterable[bytes], content_type: str) -> None:
    """Write a file of any length, piece by piece. It becomes visible as a whole or not at all."""
    parts = _parts(pieces)
    first = next(parts, b"")
    second = next(parts, None)
    if second is None:
        write(key, first, content_type)
    else:
        _upload(key, chain([first, second], parts), content_type)


def _parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        if len(buffer) >= _PART:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def _upload(key: str, parts: Iterable[bytes], content_type: str) -> None:
    s3, where = aws.client("s3"), {"Bucket": _bucket(), "Key": key}
    upload = s3.create_multipart_upload(**where, ContentType=content_type)["UploadId"]
    try:
        tags = [
            s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=part)["ETag"]
            for number, part in enumerate(parts, 1)
        ]
        made = {"Parts": [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]}
        s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=made)
    except BaseException:
        s3.abort_multipart_upload(**where, UploadId=upload)
        raise


def _bucket() -> str:
    return settings.bucket().job_bucket
