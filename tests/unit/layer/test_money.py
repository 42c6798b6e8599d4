"""Money as text."""

import pytest

from fanout.money import money


@pytest.mark.parametrize(
    ("amount", "currency", "sign", "shown"),
    [
        (1234, "EUR", ".", "12.34 EUR"),
        (5, "EUR", ",", "0,05 EUR"),
        (1234, "JPY", ".", "1234 JPY"),
        (1234, "KWD", ".", "1.234 KWD"),
        (100_000_000, "USD", ".", "1000000.00 USD"),
    ],
)
def test_an_amount_has_as_many_decimals_as_its_currency(amount: int, currency: str, sign: str, shown: str) -> None:
    assert money(amount, currency, sign) == shown
