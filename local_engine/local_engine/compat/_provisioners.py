"""Add to what a CloudFormation resource handler of the engine does."""

from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]


def after_deploying(resource_type: str, then: Callable[[str, Properties], None]) -> None:
    """Call `then(physical_id, properties)` whenever a resource of the type was created or updated."""
    handler = provisioners._RESOURCE_HANDLERS[resource_type]
    create, update = handler["create"], handler["update"]

    def created(logical_id: str, properties: Properties, stack: str) -> tuple[str, Properties]:
        physical_id, attributes = create(logical_id, properties, stack)
        then(physical_id, properties)
        return physical_id, attributes

    def updated(physical_id: str, old: Properties, new: Properties, *rest: Any) -> tuple[str, Properties]:
        new_id, attributes = update(physical_id, old, new, *rest)
        then(new_id, new)
        return new_id, attributes

    handler["create"], handler["update"] = created, updated
