"""Goes into a deployed function's package beside its module, as the handler: kills the function at one point, once.

Runs inside the function. KILL_HANDLER names the real handler, KILL_AT the point, KILL_FOLDER a folder outside of it
where it leaves a file once it has struck, so that the next attempt passes.
"""

import importlib
import os
import signal
from pathlib import Path
from typing import Any

from fanout import aws

_module, _name = os.environ["KILL_HANDLER"].split(".")
_at = os.environ["KILL_AT"]
_folder = Path(os.environ["KILL_FOLDER"])

EFFECTS = {"PutItem", "TransactWriteItems", "UpdateItem", "SendEmail"}
_make_client = aws.client.__wrapped__


def _strike(point: str) -> None:
    if point != _at:
        return
    try:
        (_folder / "struck").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


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


aws.client = _client  # type: ignore[assignment]
_real = getattr(importlib.import_module(_module), _name)


def handler(event: dict[str, Any], context: Any) -> Any:
    """Call the real handler, and kill the function before it can acknowledge if that is the point."""
    response = _real(event, context)
    _strike("before acknowledgement")
    return response
