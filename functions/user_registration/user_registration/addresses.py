"""Keyed hashes of e-mail addresses: stores hold no address in plain text."""

import hashlib
import hmac
from functools import cache
from typing import Literal

from fanout import aws
from fanout.integrations.mail import canonical
from user_registration import settings

aws.prepare("secretsmanager")

_SHORTEST_KEY = 32


def keyed_hash(address: str, purpose: Literal["analytics", "suppression"]) -> str:
    """Return the address's HMAC-SHA256 in hexadecimal.

    All spellings of an address have the same hash (`integrations.mail.canonical`). The hash differs by purpose, so that
    the hashes of one store cannot be looked up in another.
    """
    return hmac.new(_key(), f"{purpose}\0{canonical(address)}".encode(), hashlib.sha256).hexdigest()


@cache
def _key() -> bytes:
    """Return the key, read once per process. It never changes, because every stored hash depends on it."""
    secret = aws.client("secretsmanager").get_secret_value(SecretId=settings.hashing().email_hash_key_secret_arn)
    key: bytes = secret["SecretString"].encode()
    if len(key) < _SHORTEST_KEY:
        raise RuntimeError(f"the key in EMAIL_HASH_KEY_SECRET_ARN is shorter than {_SHORTEST_KEY} bytes")
    return key
