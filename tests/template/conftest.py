"""Every test with a `deployment` holds in each of them."""

import pytest

from fanout_wiring import Composition
from tests.template.deployments import DEPLOYMENTS


@pytest.fixture(params=DEPLOYMENTS)
def deployment(request: pytest.FixtureRequest) -> Composition:
    return DEPLOYMENTS[request.param]()
