"""Tracking numbers of parcels."""

import hashlib

_DIGITS = 18


def tracking_number(order_id: str, parcel: int, series: int = 0) -> str:
    """Return the tracking number of an order's parcel (from 1): the same one at every attempt.

    `FO`, 18 digits, and a check digit by GS1's rule, so that a misread number is noticed:
    https://www.gs1.org/services/how-calculate-check-digit-manually
    """
    digest = hashlib.sha256(f"{series} {parcel} {order_id}".encode()).digest()
    digits = f"{int.from_bytes(digest) % 10**_DIGITS:0{_DIGITS}}"
    return f"FO{digits}{check_digit(digits)}"


def check_digit(digits: str) -> int:
    """Return GS1's check digit: with the digits, weighted 3 and 1 from the end, it makes a multiple of ten."""
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return -weighted % 10
