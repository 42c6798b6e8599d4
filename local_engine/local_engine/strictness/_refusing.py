"""Refuse a request before the engine serves it, and a resource before a stack makes it."""

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services.cloudformation import provisioners

Data = dict[str, Any]


class Refused(Exception):
    """What AWS answers: error code and text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def before(service: Any, function: str, check: Callable[[Data], None]) -> None:
    """Call the check with the request of a JSON service's function, which is the last of its arguments."""
    original = getattr(service, function)

    def handle(*arguments: Any) -> Any:
        try:
            check(arguments[-1])
        except Refused as refused:
            return error_response_json(refused.code, str(refused))
        return original(*arguments)

    setattr(service, function, handle)


def before_provisioning(resource_type: str, check: Callable[[Data], None]) -> None:
    """Call the check with the properties of a resource of the type before it is created or changed."""
    handler = provisioners._RESOURCE_HANDLERS[resource_type]
    create, update = handler["create"], handler["update"]

    def created(logical_id: str, properties: Data, stack: str) -> Any:
        check(properties)
        return create(logical_id, properties, stack)

    def updated(physical_id: str, old: Data, new: Data, *rest: Any) -> Any:
        check(new)
        return update(physical_id, old, new, *rest)

    handler["create"], handler["update"] = created, updated
