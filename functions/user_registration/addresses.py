"""E-mail addresses: which of them mail can go to, and the keyed hashes that stand for them wherever they are stored."""

import hashlib
import hmac
import re
import unicodedata
from functools import cache
from typing import Literal

import settings
from fanout import aws

# What a dot-atom and a host name may be (RFC 5321, 4.1.2 and 4.5.3.1). Quoted local parts and address literals are
# left out: nobody registers with them, and they are where mail systems disagree.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_LOCAL = 64
_LONGEST = 254

_SHORTEST_KEY = 32


class MalformedAddressError(ValueError):
    """No mail can go to this address. The message says what is wrong with it, and does not quote it."""


def deliverable(address: str) -> str:
    """Return the address as SES takes it: ASCII, with an internationalised domain in Punycode.

    Raises MalformedAddressError. https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
    """
    local, at, domain = address.rpartition("@")
    if not at:
        raise MalformedAddressError("it has no @")
    if not local.isascii():
        raise MalformedAddressError("SES takes no other letters than ASCII before the @")
    if not _LOCAL.fullmatch(local) or len(local) > _LONGEST_LOCAL:
        raise MalformedAddressError("what stands before the @ is no mailbox name")
    ascii_domain = _ascii(domain)
    labels = ascii_domain.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        raise MalformedAddressError("what stands behind the @ is no domain name")
    if len(local) + 1 + len(ascii_domain) > _LONGEST:
        raise MalformedAddressError(f"it is longer than {_LONGEST} characters")
    return f"{local}@{ascii_domain}"


def keyed_hash(address: str, purpose: Literal["analytics", "suppression"]) -> str:
    """Return what stands for the address in a store: HMAC-SHA256 in hexadecimal.

    The same address gives the same hash however it is written (case, Unicode or Punycode), and another one for each
    purpose, so that one store's hashes cannot be looked up in another's.
    """
    local, at, domain = address.strip().rpartition("@")
    canonical = f"{local.lower()}{at}{_ascii(domain)}"
    return hmac.new(_key(), f"{purpose}\0{canonical}".encode(), hashlib.sha256).hexdigest()


def _ascii(domain: str) -> str:
    """The domain in lower case, its non-ASCII labels in Punycode (RFC 5890, 2.3.2.1).

    Not Python's own "idna" codec: it follows the rules of 2003, under which straße.de is another domain than today.
    """
    labels = unicodedata.normalize("NFC", domain.lower()).split(".")
    return ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels)


@cache
def _key() -> bytes:
    """The key, read once per process: it never changes, for with it every hash would."""
    secret = aws.client("secretsmanager").get_secret_value(SecretId=settings.hashing().email_hash_key_secret_arn)
    key: bytes = secret["SecretString"].encode()
    if len(key) < _SHORTEST_KEY:
        raise RuntimeError(f"the key in EMAIL_HASH_KEY_SECRET_ARN is shorter than {_SHORTEST_KEY} bytes")
    return key
