"""Samples are judged by the functions themselves, in the account that unit tests have."""

from tests.unit.conftest import cloud, fresh_settings, function_module, lines, queues

__all__ = ["cloud", "fresh_settings", "function_module", "lines", "queues"]
