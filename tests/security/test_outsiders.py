"""Callers without a function's role: a producer, a user without permissions, a caller without credentials."""

import uuid

import pytest

from tests.integration.application import Application
from tests.security import needs
from tests.security.principals import Deployed, Principal, attempts

USE_CASES = sorted({role.partition("/")[0] for role in needs.NEEDS})


@pytest.fixture(scope="module")
def deployed(application: Application) -> Deployed:
    return Deployed.of(application)


@pytest.mark.parametrize("use_case", USE_CASES)
def test_a_producer_may_publish_to_its_topic_and_store_claim_checks_and_read_nothing(
    use_case: str, deployed: Deployed
) -> None:
    topic = _TOPICS.get(use_case, use_case)
    policy = deployed.resources[f"{use_case}/{topic}/PublisherPolicy"][1]
    producer = Principal.user(deployed.application, f"producer-{uuid.uuid4()}", policy)
    assert producer.allowed(attempts(deployed, use_case)) == {
        (f"{use_case}/{topic}/Topic", "Publish"),
        (f"ClaimChecks/Bucket:{needs.use_case(use_case)}", "PutObject"),
    }


# The topic of a use case has its name, but for one.
_TOPICS = {"OrderWorkflow": "NewOrder"}


def test_a_user_of_the_account_without_permissions_may_do_nothing(deployed: Deployed) -> None:
    user = Principal.user(deployed.application, f"user-{uuid.uuid4()}")
    assert user.allowed(attempts(deployed)) == set()


def test_a_caller_without_credentials_may_do_nothing(deployed: Deployed) -> None:
    """Buckets are left out: the engine lets unsigned requests pass to S3. AWS's public access block refuses them."""
    stranger = Principal.anonymous(deployed.application)
    assert stranger.allowed(attempt for attempt in attempts(deployed) if attempt.service != "s3") == set()
