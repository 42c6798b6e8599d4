"""Fixtures on running engines: one with our patches, and one as upstream ships it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine_tests.aws import Aws
from local_engine import process
from tests.conftest import reaper  # noqa: F401 - a fixture


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and here / "unit" not in item.path.parents:
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The account of an engine that runs for the whole session; tests make resources of their own in it."""
    state = tmp_path_factory.mktemp("engine")
    yield Aws(process.start(state, 0))
    process.stop(state, purge=True)


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The account of an engine without our patches: shows whether upstream still has a fault.

    A test that takes it asserts the faulty behaviour. When it fails, upstream has fixed the fault:
    delete the patch and that test.
    """
    state = tmp_path_factory.mktemp("upstream")
    yield Aws(process.start(state, 0, patched=False))
    process.stop(state, purge=True)
