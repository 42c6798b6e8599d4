"""One engine with the whole application on it, for all integration tests of a session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.application import Application


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The application, deployed by `fanout up` on a free port with a state folder of its own."""
    made = Application(tmp_path_factory.mktemp("state"))
    try:
        made.fanout("up", "--port", "0")
        yield made
    finally:
        made.fanout("down", "--purge", check=None)
