"""Mail through Amazon SES: valid addresses, and for every failure whether the mail may have been sent.

A mail has no idempotency key, so call `send` inside `fanout.idempotency.at_most_once`.
Errors of SendEmail: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
"""

import re
import unicodedata
from typing import Any

import msgspec

from fanout import aws
from fanout.outcomes import Reject, Retry

# A dot-atom and a host name (RFC 5321, 4.1.2 and 4.5.3.1). Quoted local parts and address literals are not
# supported: users do not register with them, and mail systems treat them differently.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MAX_LOCAL = 64
_MAX_LENGTH = 254
_TOO_LONG = f"it is longer than {_MAX_LENGTH} characters"

_INVISIBLE = {
    "Cc": "a control character",
    "Cf": "an invisible character",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
    "Zs": "white space",
}
"""Unicode categories that no address contains; a copied address may begin or end with them."""
_JOINERS = "\u200c\u200d"
"""Invisible too, but valid in some domains: RFC 5892, appendix A."""

# For what an operator must fix, and for the quota of 24 hours: ten attempts at this distance take longer.
_LONG_WAIT = 3 * 3600
_PAUSED = {"SendingPausedException", "AccountSuspendedException", "LimitExceededException"}
_REFUSED = {"MessageRejected", "BadRequestException"}


class MalformedAddressError(ValueError):
    """No mail can be sent to this address. The message says what is wrong and does not quote the address."""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail ready to be sent."""

    locale: str
    """The locale of its text."""
    subject: str
    text: str
    html: str


def deliverable(address: str) -> str:
    """Return the address as SES accepts it: ASCII, the domain in lower case, by IDNA 2008 with the mapping of UTS 46.

    White space and invisible characters at either end are removed; anywhere else they are an error.
    Raises MalformedAddressError. https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
    """
    address = _trimmed(address)
    if len(address) > _MAX_LENGTH:
        raise MalformedAddressError(_TOO_LONG)
    local, at, domain = address.rpartition("@")
    if not at:
        raise MalformedAddressError("it has no @")
    for char in address:
        if (kind := _INVISIBLE.get(unicodedata.category(char))) and char not in _JOINERS:
            raise MalformedAddressError(f"it contains {kind}, {_code_point(char)}")
    if not local.isascii():
        raise MalformedAddressError("SES accepts only ASCII characters before the @")
    if not _LOCAL.fullmatch(local) or len(local) > _MAX_LOCAL:
        raise MalformedAddressError("the part before the @ is not a mailbox name")
    host = _ascii_domain(domain)
    labels = host.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or not all(_LABEL.fullmatch(label) for label in labels):
        raise MalformedAddressError("the part after the @ is not a domain name")
    if len(local) + 1 + len(host) > _MAX_LENGTH:
        raise MalformedAddressError(_TOO_LONG)
    return f"{local}@{host}"


def canonical(address: str) -> str:
    """Return the canonical form of an address, for comparing addresses. Never raises.

    It is `deliverable` in lower case: mailbox names are case-sensitive by RFC 5321, 2.4, but not in practice. An
    invalid address is only trimmed and put in lower case.
    """
    try:
        return deliverable(address).lower()
    except MalformedAddressError:
        return _trimmed(address).lower()


def _trimmed(address: str) -> str:
    start, end = 0, len(address)
    while start < end and _may_be_trimmed(address[start]):
        start += 1
    while end > start and _may_be_trimmed(address[end - 1]):
        end -= 1
    return address[start:end]


def _may_be_trimmed(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) == "Cf"


def _ascii_domain(domain: str) -> str:
    """Return the domain in lower case, its non-ASCII labels as A-labels. Raises MalformedAddressError.

    Plain ASCII is not checked here. https://www.unicode.org/reports/tr46/ https://www.rfc-editor.org/rfc/rfc5891
    """
    if domain.isascii() and "xn--" not in domain.lower():
        return domain.lower()
    import idna  # noqa: PLC0415 - start-up: its tables take 15 ms, and few domains need them

    try:
        # UTS 46 removes these, and the mail would be sent to another domain than the one that was typed.
        ignored = next((char for char in domain if not idna.uts46_remap(char, std3_rules=False)), "")
        host = "" if ignored else idna.encode(domain, uts46=True).decode("ascii")
    except ValueError as error:  # IDNAError, or Python's Unicode tables are older than idna's
        found = getattr(error, "codepoint", None)
        where = f": it contains {_code_point(chr(found))}" if found else ""
        raise MalformedAddressError(f"IDNA 2008 does not allow the domain{where}") from None
    if ignored:
        raise MalformedAddressError(f"it contains an invisible character, {_code_point(ignored)}")
    return host


def _code_point(char: str) -> str:
    return f"U+{ord(char):04X}"


def send(mail: Mail, *, recipient: str, sender: str, configuration_set: str = "") -> str:
    """Send the mail once, without retries, over a new connection, and return SES's message id.

    recipient: as `deliverable` returns it. configuration_set: SES's; "" for none.
    Raises Retry or Reject if the mail was not sent; any other exception leaves the outcome unknown. No reason contains
    an address, although some messages of SES do.
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
    """Raise Retry or Reject if SES's response says that the mail was not accepted; return for any other exception."""
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
        raise Reject("refused", f"SES answers {code}{why}") from error
    if code in _PAUSED or "daily message quota" in text:
        raise Retry(f"paused: SES answers {code}", after=_LONG_WAIT) from error
    raise Retry(f"not-taken: SES answers {code}") from error  # throttled, or no permission
