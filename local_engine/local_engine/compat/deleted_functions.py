"""The worker of a deleted function keeps running.

Symptom: after a stack is deleted or redeployed, processes of functions that no longer exist stay.
Cause: `provisioners._lambda_delete` forgets the function, not its workers (DeleteFunction does both).
Patch: deleting a function in a template ends its workers.
It can go when upstream's provisioner does.
"""

from typing import Any

from ministack.core.concurrency import spawn_background
from ministack.core.lambda_runtime import invalidate_worker
from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import provisioners


def apply() -> None:
    """End the workers of a function with it."""
    handler = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    original = handler["delete"]

    def delete(name: str, properties: dict[str, Any]) -> None:
        original(name, properties)
        scope = {"account": get_account_id(), "region": get_region()}
        # In the background: a worker gets time to exit, and the event loop must not wait for that.
        spawn_background(invalidate_worker, name, **scope, thread_name="end-workers")

    handler["delete"] = delete
