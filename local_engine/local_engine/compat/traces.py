"""`sam traces` and `sam logs --include-traces` fail without a reason.

Symptom: every X-Ray call gets status 400 with neither error code nor text, and SAM CLI prints no reason.
Cause: ministack has no X-Ray, and `app` answers for a service it does not have in a shape of its own.
Patch: every X-Ray call gets UnknownOperationException, with which AWS's services of this protocol refuse an operation
that they do not have, and the reason as its text. SAM CLI prints the text of an error that the service model does not
declare; for one that it declares, it prints a traceback (samcli/commands/_utils/command_exception_handler.py).
https://github.com/smithy-lang/smithy-rs/blob/main/rust-runtime/aws-smithy-http-server/src/protocol/rest_json_1/router.rs
It can go when upstream has X-Ray.
"""

from typing import Any

from ministack import app
from ministack.core.responses import error_response_json

_REASON = "The local engine keeps no X-Ray traces."


def apply() -> None:
    """Register X-Ray as a service that refuses every request."""
    app.SERVICE_HANDLERS["xray"] = _refuse


async def _refuse(*_request: Any) -> Any:
    return error_response_json("UnknownOperationException", _REASON, 404, content_type="application/json")
