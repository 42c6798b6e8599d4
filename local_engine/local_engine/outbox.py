"""What e-mail and SMS subscriptions of topics sent on the local engine."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Message:
    """One message that a subscription sent."""

    protocol: str
    """email, email-json or sms"""
    to: str
    subject: str | None
    text: str
    topic: str
    """the topic's ARN"""


def sent(endpoint: str, *, topic: str, protocol: str) -> list[Message]:
    """Return what a topic's subscriptions of one protocol sent through the engine at `endpoint`, oldest first.

    Raises OSError if the engine does not answer, ValueError if another program answers.
    """
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"/_fanout/outbox?{urlencode({'topic': topic, 'protocol': protocol})}")
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ValueError(f"{endpoint} answers {answer.status} instead of its outbox")
    return [
        Message(each["protocol"], each["to"], each["subject"], each["message"], each["topic"])
        for each in json.loads(body)["messages"]
    ]
