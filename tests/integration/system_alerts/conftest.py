"""Real HTTP servers behind the channels of the deployed application."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local_engine import outbox
from tests.integration.application import Application
from tests.sink import Sink, sink


@dataclass
class Channels:
    """What people got, channel by channel."""

    application: Application
    chat: Sink
    pager: Sink

    def mails(self, about: str) -> list[str]:
        """The subjects of the mails that mention something."""
        return [each.subject or "" for each in self._outbox("email") if about in f"{each.subject} {each.text}"]

    def short_messages(self, about: str) -> list[str]:
        """The short messages that mention something."""
        return [each.text for each in self._outbox("sms") if about in each.text]

    def posts(self, about: str) -> list[str]:
        """The chat messages that mention something."""
        return [document["text"] for document in self.chat.accepted() if about in document["text"]]

    def calls(self, about: str) -> list[tuple[str, str]]:
        """The pager's requests about incidents that mention a text: (action, dedup_key)."""
        documents = self.pager.accepted()
        keys = {each["dedup_key"] for each in documents if about in json.dumps(each, ensure_ascii=False)}
        return [(each["event_action"], each["dedup_key"]) for each in documents if each["dedup_key"] in keys]

    def _outbox(self, protocol: str) -> list[outbox.Message]:
        topic = self.application.topic("AlertNotifications")
        return outbox.sent(self.application.endpoint, topic=topic, protocol=protocol)


@pytest.fixture
def channels(application: Application) -> Iterator[Channels]:
    """The channels, led to servers of this test for as long as it runs."""
    secrets: Any = application.client("secretsmanager")
    arns = {
        name: application.subscriber(f"system_alerts/{name}").environment["WEBHOOK_SECRET_ARN"]
        for name in ("chat", "pager")
    }
    with sink() as chat, sink() as pager:
        for name, server in (("chat", chat), ("pager", pager)):
            webhook = json.dumps({"url": f"{server.url}/{name}", "routing_key": "routing-key"})
            secrets.put_secret_value(SecretId=arns[name], SecretString=webhook)
        try:
            yield Channels(application, chat, pager)
        finally:
            for arn in arns.values():
                secrets.put_secret_value(SecretId=arn, SecretString="{}")
