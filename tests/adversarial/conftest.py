"""Hostile input: what tests in this folder share.

Random tests are the same at every run, so that CI fails because of a change and never by chance. To search for more:
FANOUT_FUZZ=5000 pytest tests/adversarial (that many examples each, different ones in every run).
"""

import os
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from tests.adversarial.world import World
from tests.sink import sink
from tests.unit.conftest import cloud, fresh_settings, function_module

__all__ = ["cloud", "fresh_settings", "function_module"]

_SEARCH = os.environ.get("FANOUT_FUZZ", "")

settings.register_profile(
    "hostile",
    derandomize=not _SEARCH,
    max_examples=int(_SEARCH or 10),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("hostile")


@pytest.fixture(scope="session")
def webhook() -> Iterator[str]:
    """A server that takes every notification."""
    with sink() as made:
        yield made.url


@pytest.fixture
def world(
    cloud: None,
    monkeypatch: pytest.MonkeyPatch,
    function_module: Callable[[str, str], ModuleType],
    postgres: str,
    webhook: str,
) -> World:
    return World(monkeypatch, function_module, dsn=postgres, webhook=webhook)
