"""Settings: errors name the environment variable."""

import msgspec
import pytest

from fanout.settings import SettingsError, load


class Example(msgspec.Struct):
    feed_table: str
    limit: int = 5


def test_values_are_read_and_typed() -> None:
    assert load(Example, {"FEED_TABLE": "t", "LIMIT": "7"}) == Example("t", 7)
    assert load(Example, {"FEED_TABLE": "t"}).limit == 5


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="FEED_TABLE is not set"):
        load(Example, {})


def test_a_value_of_the_wrong_type_is_named() -> None:
    with pytest.raises(SettingsError, match="limit"):
        load(Example, {"FEED_TABLE": "t", "LIMIT": "many"})
