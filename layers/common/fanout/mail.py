"""Mail through Amazon SES: to which addresses it can go, and of every failure whether the mail may have gone out.

A mail has no idempotency key, so whoever sends one does it inside `fanout.effects.at_most_once`.
Errors of SendEmail: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
"""

import re
import unicodedata
from typing import Any

import msgspec

from fanout import aws
from fanout.failures import Reject, Retry

# What a dot-atom and a host name may be (RFC 5321, 4.1.2 and 4.5.3.1). Quoted local parts and address literals are
# left out: nobody registers with them, and they are where mail systems disagree.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_LOCAL = 64
_LONGEST = 254

# What a person must mend, or a daily quota, which is one of 24 hours: ten attempts at this distance outlast it.
_LONG_WAIT = 3 * 3600
_PAUSED = {"SendingPausedException", "AccountSuspendedException", "LimitExceededException"}
_REFUSED = {"MessageRejected", "BadRequestException"}


class MalformedAddressError(ValueError):
    """No mail can go to this address. The message says what is wrong with it, and does not quote it."""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail ready to be sent."""

    locale: str
    """The one it is written in."""
    subject: str
    text: str
    html: str


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
    host = ascii_domain(domain)
    labels = host.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        raise MalformedAddressError("what stands behind the @ is no domain name")
    if len(local) + 1 + len(host) > _LONGEST:
        raise MalformedAddressError(f"it is longer than {_LONGEST} characters")
    return f"{local}@{host}"


def ascii_domain(domain: str) -> str:
    """Return the domain in lower case, its non-ASCII labels in Punycode (RFC 5890, 2.3.2.1), whether it is one or not.

    Not Python's own "idna" codec: it follows the rules of 2003, under which straße.de is another domain than today.
    """
    labels = unicodedata.normalize("NFC", domain.lower()).split(".")
    return ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels)


def send(mail: Mail, *, recipient: str, sender: str, configuration_set: str = "") -> str:
    """Send the mail once, without any retry, over a new connection, and return SES's message id.

    recipient: as `deliverable` returns it. configuration_set: SES's; "" for none.
    Raises Retry or Reject if it certainly did not go out; anything else leaves that open. No reason holds an address,
    although some messages of SES do.
    """
    request: dict[str, Any] = {
        "FromEmailAddress": sender,
        "Destination": {"ToAddresses": [recipient]},
        "Content": {
            "Simple": {
                "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": mail.text, "Charset": "UTF-8"},
                    "Html": {"Data": mail.html, "Charset": "UTF-8"},
                },
            }
        },
    }
    if configuration_set:
        request["ConfigurationSetName"] = configuration_set
    try:
        answer = aws.call_once("sesv2", "send_email", **request)
    except Exception as error:
        _judge(error)
        raise
    message_id: str = answer["MessageId"]
    return message_id


def _judge(error: Exception) -> None:
    """Raise Retry or Reject for a response of SES that says that it did not take the mail; return for anything else."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up, see fanout.aws

    if not isinstance(error, ClientError):
        return
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = aws.error_code(error)
    text = str(error).lower()
    if not 400 <= status < 500:
        return
    if code in _REFUSED:
        why = " (sender or recipient is not verified in SES)" if "not verified" in text else ""
        raise Reject(f"refused: SES answers {code}{why}") from error
    if code in _PAUSED or "daily message quota" in text:
        raise Retry(f"paused: SES answers {code}", after=_LONG_WAIT) from error
    raise Retry(f"not-taken: SES answers {code}") from error  # throttled, or we are not allowed to
