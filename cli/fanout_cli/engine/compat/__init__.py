"""Patches for faults of ministack 1.5.33 that touch us: one module per fault.

Each module says symptom, cause, what the patch does and when it can go, and has an `apply()`. The
tests in tests/engine show the right behaviour on the patched engine and, on an unpatched one, that
upstream still has the fault: when that second test fails, delete the patch.
"""

from fanout_cli.engine.compat import get_template_urls, nested_stacks

_PATCHES = (nested_stacks, get_template_urls)


def apply() -> None:
    """Apply every patch, before the first request."""
    for patch in _PATCHES:
        patch.apply()
