"""E-mail addresses: the keyed hashes that stand for them wherever they are stored."""

import hashlib
import hmac
from functools import cache
from typing import Literal

from fanout import aws
from fanout.mail import canonical
from user_registration import settings

_SHORTEST_KEY = 32


def keyed_hash(address: str, purpose: Literal["analytics", "suppression"]) -> str:
    """Return what stands for the address in a store: HMAC-SHA256 in hexadecimal.

    The same address gives the same hash however it is written (`fanout.mail.canonical`), and another one for each
    purpose, so that one store's hashes cannot be looked up in another's.
    """
    return hmac.new(_key(), f"{purpose}\0{canonical(address)}".encode(), hashlib.sha256).hexdigest()


@cache
def _key() -> bytes:
    """The key, read once per process: it never changes, for with it every hash would."""
    secret = aws.client("secretsmanager").get_secret_value(SecretId=settings.hashing().email_hash_key_secret_arn)
    key: bytes = secret["SecretString"].encode()
    if len(key) < _SHORTEST_KEY:
        raise RuntimeError(f"the key in EMAIL_HASH_KEY_SECRET_ARN is shorter than {_SHORTEST_KEY} bytes")
    return key
