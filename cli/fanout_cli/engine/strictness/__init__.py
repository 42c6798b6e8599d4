"""What AWS refuses and ministack 1.5.33 accepts, refused here with AWS's error code and text: one module per service.

Each module names the sources of its rules and has an `apply()`. tests/engine/refusals holds the rules as test cases;
docs/aws-rules.md lists them.
"""

from fanout_cli.engine.strictness import (
    functions,
    queues,
    request_shapes,
    topics,
)

_PATCHES = (
    functions,
    queues,
    request_shapes,
    topics,
)


def apply() -> None:
    """Apply every patch, after those of `compat` and before the first request."""
    for patch in _PATCHES:
        patch.apply()
