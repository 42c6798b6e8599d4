"""Every function's role is tried on every table, queue, bucket, topic and secret: it may do what it needs, no more."""

import pytest

from tests.integration.application import Application
from tests.security import needs
from tests.security.principals import Deployed, Principal, attempts


@pytest.fixture(scope="module")
def deployed(application: Application) -> Deployed:
    return Deployed.of(application)


def test_every_function_role_of_the_application_is_tried(deployed: Deployed) -> None:
    assert sorted(deployed.function_roles) == sorted(needs.NEEDS)


@pytest.mark.parametrize("role", needs.NEEDS)
def test_a_role_may_do_what_its_function_needs_and_nothing_else(role: str, deployed: Deployed) -> None:
    principal = Principal.holding(deployed.application, deployed.function_roles[role])
    allowed = principal.allowed(attempts(deployed, role))
    expected = set(needs.of(role, set(deployed.resources)))
    too_much, too_little = sorted(allowed - expected), sorted(expected - allowed)
    assert not too_much, f"{role} may, and should not: {too_much}"
    assert not too_little, f"{role} needs, and is refused: {too_little}"
