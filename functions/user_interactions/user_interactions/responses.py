"""Requests to functions that a caller invokes directly, without a topic: validation and response."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec


def respond(request: Any, request_types: Any, act: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    """Return {"ok": True, ...} with the result of `act`, or {"ok": False, "error": why the request is invalid}.

    request_types: the union of Structs that a request may be; the field `action` selects one.
    """
    try:
        valid = msgspec.convert(request, request_types)
    except msgspec.ValidationError as error:
        return {"ok": False, "error": f"invalid request: {error}"}
    return {"ok": True, **act(valid)}
