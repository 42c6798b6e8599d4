"""One engine with the whole application on it, for every test of a session that asks for it."""

from collections.abc import Iterator

import pytest

from tests.integration.application import Application


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The application, deployed by `fanout up` on a free port with a state folder of its own."""
    made = Application(tmp_path_factory.mktemp("state"))
    try:
        made.fanout("up", "--port", "0")
        yield made
    finally:
        made.fanout("down", "--purge", check=None)
