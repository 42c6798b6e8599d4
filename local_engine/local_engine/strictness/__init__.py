"""What AWS refuses and ministack 1.5.33 accepts, refused here with AWS's error code and text: one module per service.

Each module names the sources of its rules and has an `apply()`. engine_tests/refusals holds the rules as test cases;
docs/aws-rules.md lists them.
"""

from local_engine.strictness import (
    alarms,
    analytics,
    buckets,
    delivery_streams,
    functions,
    keys,
    logs,
    mail,
    parameters,
    queues,
    request_shapes,
    resource_schemas,
    roles,
    rules,
    schedules,
    secrets,
    stacks,
    state_machines,
    tables,
    templates,
    topics,
)

_PATCHES = (
    alarms,
    analytics,
    buckets,
    delivery_streams,
    keys,
    logs,
    mail,
    parameters,
    queues,
    roles,
    rules,
    schedules,
    secrets,
    stacks,
    state_machines,
    tables,
    templates,
    topics,
    # A resource meets the last of these first: the services' limits, then its schema, then what the modules above say.
    resource_schemas,
    functions,
    request_shapes,
)


def apply() -> None:
    """Apply every patch, after those of `compat` and before the first request."""
    for patch in _PATCHES:
        patch.apply()
