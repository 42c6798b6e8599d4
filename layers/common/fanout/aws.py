"""AWS clients: created on first use, once per process.

A boto3 client costs more start-up than everything else a function imports together, so nothing here imports boto3
until a handler needs it. boto3 comes from the Lambda runtime; the layer does not carry it.
"""

from functools import cache
from typing import Any


@cache
def client(service: str, *, retries: bool = True) -> Any:
    """Return the process's client of an AWS service ("dynamodb", "sqs", ...).

    retries=False is for calls that must not be made twice by themselves (a mail that may already be on its way).
    Timeouts are short because a function waits for its calls with the clock running; botocore's defaults are 60 s.
    """
    import boto3  # noqa: PLC0415 - start-up cost, see above
    from botocore.config import Config  # noqa: PLC0415

    attempts = {"mode": "standard", "total_max_attempts": 3 if retries else 1}
    config = Config(connect_timeout=2, read_timeout=10, retries=attempts)  # type: ignore[arg-type]
    return boto3.client(service, config=config)  # type: ignore[call-overload]


def error_code(error: BaseException) -> str:
    """Return AWS's code of a botocore ClientError ("ThrottlingException"), "" for any other exception."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code if isinstance(code, str) else ""
