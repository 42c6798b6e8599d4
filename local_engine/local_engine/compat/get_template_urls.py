"""GetTemplate answers template URLs that SAM CLI cannot read.

Symptom: `sam delete` of an application with nested stacks ends with "Unable to parse S3 URL".
Cause: SAM CLI uploads nested templates to the endpoint it was given and writes those URLs
(http://127.0.0.1:4566/bucket/key) into the template; when deleting it parses them back and knows
AWS's forms only. `handlers._get_template` returns the template as it was sent, which is right on AWS,
where the endpoint is AWS's.
Patch: GetTemplate shows such URLs in AWS's path style. What the engine stored is unchanged.
It can go when SAM CLI understands URLs of other endpoints.
"""

import os
from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import handlers

Response = tuple[int, dict[str, str], bytes]


def apply() -> None:
    """Wrap GetTemplate."""
    original: Callable[[dict[str, Any]], Response] = handlers._get_template
    port = os.environ["GATEWAY_PORT"]
    ours = [f"http://{host}:{port}/".encode() for host in ("127.0.0.1", "localhost")]

    def get_template(params: dict[str, Any]) -> Response:
        status, headers, body = original(params)
        for url in ours:
            body = body.replace(url, b"https://s3.us-east-1.amazonaws.com/")
        return status, headers, body

    handlers._get_template = get_template
    handlers._ACTION_HANDLERS["GetTemplate"] = get_template
