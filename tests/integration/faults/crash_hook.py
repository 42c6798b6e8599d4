"""Goes into a deployed function's package beside its module, as the handler: strikes it at one point, once.

Runs inside the function. STRIKE_HANDLER names the real handler, STRIKE_AT the point, STRIKE_BY what happens there:
`kill` (SIGKILL), `hang` (a call that does not come back) or `freeze` (the same, and deaf to signals). STRIKE_FOLDER is
a folder outside of it where it leaves a file once it has struck, so that the next attempt passes.
"""

import importlib
import os
import signal
import time
from pathlib import Path
from typing import Any

from fanout import aws, aws_calls
from fanout.aws_operations import Operation

_module, _name = os.environ["STRIKE_HANDLER"].rsplit(".", 1)
_at = os.environ["STRIKE_AT"]
_by = os.environ["STRIKE_BY"]
_folder = Path(os.environ["STRIKE_FOLDER"])
_FOREVER = 3600
_make_client = aws.client.__wrapped__


def _strike(point: str) -> None:
    if point != _at:
        return
    try:
        (_folder / "struck").touch(exist_ok=False)
    except FileExistsError:
        return
    if _by == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if _by == "freeze":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(_FOREVER)


def _before(model: Any, **_: Any) -> None:
    _strike(f"before {model.name}")


def _after(model: Any, **_: Any) -> None:
    _strike(f"after {model.name}")


_clients: dict[tuple[str, bool], Any] = {}


def _client(service: str, *, retries: bool = True) -> Any:
    key = (service, retries)
    if key not in _clients:
        client = _clients[key] = _make_client(service, retries=retries)
        client.meta.events.register("before-call", _before)
        client.meta.events.register("after-call", _after)
    return _clients[key]


_carry_out = aws_calls.Client.call


def _call(client: aws_calls.Client, operation: Operation, parameters: dict[str, Any]) -> dict[str, Any]:
    _strike(f"before {operation.name}")
    try:
        return _carry_out(client, operation, parameters)
    finally:
        _strike(f"after {operation.name}")


aws_calls.Client.call = _call  # type: ignore[method-assign]
aws.client = _client  # type: ignore[assignment]
_real = getattr(importlib.import_module(_module), _name)


def handler(event: dict[str, Any], context: Any) -> Any:
    """Call the real handler, and strike before the function can acknowledge if that is the point."""
    response = _real(event, context)
    if event.get("Records") != []:  # a warm-up call has none
        _strike("before acknowledgement")
    return response
