"""The mail that was sent on the local engine."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Mail:
    """One mail that the engine's SES accepted."""

    message_id: str
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str


def sent(endpoint: str) -> list[Mail]:
    """Return all mail that was sent through the engine at `endpoint` (http://127.0.0.1:4566), oldest first.

    Raises OSError if the engine does not answer, ValueError if another program answers.
    """
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/_ministack/ses/messages")
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ValueError(f"{endpoint} answers {answer.status} instead of its mail")
    accounts = json.loads(body)["messages"]
    return [
        Mail(
            message_id=mail["MessageId"],
            sender=mail["Source"],
            to=tuple(mail["To"]),
            subject=mail["Subject"],
            text=mail["BodyText"] or "",
            html=mail["BodyHtml"] or "",
        )
        for mails in accounts.values()
        for mail in mails
    ]
