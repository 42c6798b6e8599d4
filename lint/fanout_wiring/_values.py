"""What templates hold in more than one shape, in one."""

import json
from contextlib import suppress
from typing import Any


def as_list(value: Any) -> list[Any]:
    """What may be given as one or as several, as several; nothing as none."""
    return value if isinstance(value, list) else [] if value is None else [value]


def as_dict(value: Any) -> dict[str, Any]:
    """A mapping, or the one that a text holds as JSON; an empty one for whatever else a template has in its place."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        with suppress(ValueError):
            value = json.loads(value)
    return value if isinstance(value, dict) else {}


def is_true(value: Any) -> bool:
    """Whether CloudFormation takes a value for true."""
    return str(value).lower() == "true"
