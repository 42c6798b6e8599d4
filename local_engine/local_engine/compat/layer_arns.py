"""Layers cannot be addressed by ARN.

Symptom: `sam sync --code` of a layer fails: it lists and publishes versions under the layer's ARN.
Cause: `lambda_svc._list_layer_versions`, `_publish_layer_version` and `_delete_layer_version` take the
whole ARN for a name.
Patch: they accept an ARN, with or without a version.
It can go when upstream accepts ARNs there, as `_get_layer_version` does.
"""

import functools
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc

_FUNCTIONS = ("_list_layer_versions", "_publish_layer_version", "_delete_layer_version")


def apply() -> None:
    """Let layer operations understand ARNs."""
    for name in _FUNCTIONS:
        setattr(lambda_svc, name, _by_name(getattr(lambda_svc, name)))


def _by_name(operation: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(operation)
    def by_name(layer: str, *arguments: Any) -> Any:
        return operation(layer.rsplit(":layer:", maxsplit=1)[-1].split(":", maxsplit=1)[0], *arguments)

    return by_name
