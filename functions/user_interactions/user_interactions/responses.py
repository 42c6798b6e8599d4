"""Requests of whoever invokes a function itself, without a topic: read, checked, and answered in words."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec


def answer(request: Any, kinds: Any, act: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    """Return {"ok": True, ...} with what `act` makes of the request, or {"ok": False, "error": what is wrong with it}.

    kinds: the union of Structs, told apart by the field `action`, that a request may be.
    """
    try:
        understood = msgspec.convert(request, kinds)
    except msgspec.ValidationError as error:
        return {"ok": False, "error": f"the request is not understood: {error}"}
    return {"ok": True, **act(understood)}
