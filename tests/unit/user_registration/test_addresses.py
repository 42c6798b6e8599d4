"""Addresses: their representation in the stores."""

import hashlib
import hmac

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanout.integrations.mail import MalformedAddressError, deliverable
from fanout.testing import REGION
from user_registration import addresses

from ..conftest import spy
from .conftest import KEY


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text() | st.builds("{}@{}".format, st.text(), st.text()))
def test_every_accepted_address_is_one_plain_ascii_address(typed: str) -> None:
    try:
        taken = deliverable(typed)
    except MalformedAddressError:
        return
    assert taken.isascii()
    assert taken.count("@") == 1
    assert not set(taken) & set(' \r\n\t,;:<>()[]"\\')
    assert deliverable(taken) == taken
    assert addresses.keyed_hash(taken, "suppression") == addresses.keyed_hash(typed, "suppression")


def test_a_hash_is_keyed_and_the_same_for_every_spelling_of_the_address() -> None:
    expected = hmac.new(KEY.encode(), b"analytics\0info@xn--mnchen-3ya.example", hashlib.sha256).hexdigest()
    written = [
        "info@münchen.example",
        "INFO@MÜNCHEN.EXAMPLE",
        " info@xn--mnchen-3ya.example ",
        "\ufeffinfo@ｍünchen.example\u200b",
        "info@mu\u0308nchen.example",
    ]
    assert {addresses.keyed_hash(address, "analytics") for address in written} == {expected}


def test_the_hash_of_a_plain_address_is_that_of_the_address_in_lower_case() -> None:
    stored = hmac.new(KEY.encode(), b"suppression\0ada+news@example.org", hashlib.sha256).hexdigest()
    assert addresses.keyed_hash("Ada+News@Example.org", "suppression") == stored


@pytest.mark.guarantee("personal-data/hash-purpose")
def test_hashes_for_one_purpose_cannot_be_looked_up_under_another() -> None:
    assert addresses.keyed_hash("a@example.org", "analytics") != addresses.keyed_hash("a@example.org", "suppression")


def test_a_malformed_address_has_a_hash_too() -> None:
    assert len({addresses.keyed_hash(address, "analytics") for address in ("", "ada", "ada@", "@ada", "é@")}) == 5


def test_the_key_is_read_once_per_process() -> None:
    calls = spy("secretsmanager", "GetSecretValue")
    for number in range(3):
        addresses.keyed_hash(f"{number}@example.org", "analytics")
    assert len(calls) == 1


def test_a_key_that_could_be_guessed_is_refused() -> None:
    boto3.client("secretsmanager", region_name=REGION).put_secret_value(SecretId="hash-key", SecretString="short")
    with pytest.raises(RuntimeError, match="EMAIL_HASH_KEY_SECRET_ARN is shorter than 32"):
        addresses.keyed_hash("ada@example.org", "analytics")
