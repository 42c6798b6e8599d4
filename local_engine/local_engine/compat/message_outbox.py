"""E-mail and SMS subscriptions deliver nowhere.

Symptom: a notification to a subscribed address leaves one line in the log.
Cause: `sns._fanout` has no outbox for them; only SMS published straight to a number are kept.
Patch: what a subscription of protocol email, email-json or sms would send can be read, oldest first, at
GET /_fanout/outbox of the engine (`?protocol=`, `?to=`, `?topic=` filter):
    {"messages": [{"protocol", "to", "subject", "message", "topic", "at"}]}
It is part of the state of the SNS service; the newest 10,000 are kept.
It can go when upstream keeps them.
"""

import json
import time
from typing import Any

from ministack import app
from ministack.services import sns

from local_engine.compat._notifications import Notification, deliver_to

_PATH = "/_fanout/outbox"
_FILTERS = ("protocol", "to", "topic")
_PROTOCOLS = ("email", "email-json", "sms")
_MOST_KEPT = 10_000
_DEFAULT_SUBJECT = "AWS Notification Message"
_messages: list[dict[str, Any]] = []


def apply() -> None:
    """Keep what is sent, and serve it."""
    deliver_to(_PROTOCOLS, _keep)
    _serve()
    _persist()


def _keep(notification: Notification) -> None:
    protocol = notification.subscription["protocol"]
    _messages.append(
        {
            "protocol": protocol,
            "to": notification.subscription["endpoint"],
            "subject": None if protocol == "sms" else notification.subject or _DEFAULT_SUBJECT,
            "message": notification.text,
            "topic": notification.topic,
            "at": time.time(),
        }
    )
    del _messages[:-_MOST_KEPT]


def _serve() -> None:
    original = app._handle_sns_sms_messages_request

    async def handle(method: str, path: str, headers: dict[str, str], query: dict[str, list[str]]) -> Any:
        if (method, path) != ("GET", _PATH):
            return await original(method, path, headers, query)
        found = [
            message for message in _messages if all(message[name] in query[name] for name in _FILTERS if name in query)
        ]
        return 200, {"Content-Type": "application/json"}, json.dumps({"messages": found}).encode()

    app._handle_sns_sms_messages_request = handle


def _persist() -> None:
    get_state, restore_state = sns.get_state, sns._restore_state

    def with_outbox() -> dict[str, Any]:
        return {**get_state(), "fanout_outbox": list(_messages)}

    def restored(data: dict[str, Any] | None) -> None:
        restore_state(data)
        _messages.extend((data or {}).get("fanout_outbox", []))

    sns.get_state, sns._restore_state = with_outbox, restored
