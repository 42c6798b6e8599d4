"""system_alerts: the alert is stored, and mail, phone, chat and pager are notified.

On the local engine the demo itself serves the webhooks: while it runs, the channels' secrets point to it. On AWS the
webhooks stay as they are: the demo reads what each channel has recorded, and expects an unconfigured channel to
discard.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from fanout.contracts.system_alerts import AlertResolved
from fanout.event import Event as TypedEvent
from fanout.identity import identity
from fanout.publisher import Publisher
from fanout_cli.demo.definition import Check, Event, UseCaseDemo, until
from fanout_cli.demo.webhook_sink import WebhookSink, webhook_sink
from fanout_cli.publishing.event_publisher import SOURCE
from fanout_cli.stack.topology import Topic
from local_engine import outbox

_CHANNELS = ("chat", "pager")
_MAIL = {"HIGH", "CRITICAL"}
_PATIENCE_SECONDS = 15.0


class Demo(UseCaseDemo):
    """Every alert has a new fingerprint."""

    _sink: WebhookSink | None = None

    @contextmanager
    def prepare(self) -> Iterator[None]:
        """Serve as chat and pager, if the stack is on the local engine."""
        if not self._is_local():
            yield
            return
        secrets = self.client("secretsmanager")
        before = {name: secrets.get_secret_value(SecretId=self._secret(name))["SecretString"] for name in _CHANNELS}
        with webhook_sink() as self._sink:
            try:
                for name in _CHANNELS:
                    webhook = {"url": f"{self._sink.url}/{name}", "routing_key": "demo"}
                    secrets.put_secret_value(SecretId=self._secret(name), SecretString=json.dumps(webhook))
                yield
            finally:
                for name, value in before.items():
                    secrets.put_secret_value(SecretId=self._secret(name), SecretString=value)

    def fresh(self, event: Event, run: str) -> Event:
        """Return the event with a new fingerprint."""
        if event["type"] == "alert.window.ended.v1":
            return event
        known, new = event["data"]["fingerprint"], f"{event['data']['fingerprint']}-{run}"
        if event["type"] != "alert.notification.v1":
            return self.with_data(event, fingerprint=new)
        text = event["data"]["text"].replace(known, new)  # as dispatch would have written it
        return self.with_data(event, fingerprint=new, text=text, incident=run)

    def is_for(self, event: Event, subscriber: str) -> bool:
        """Return False for the sample's window, which had no storm, and for an unconfigured channel, which discards."""
        if subscriber == "dispatch":
            return bool(event["type"] != "alert.window.ended.v1")
        return bool(json.loads(self._value_of(subscriber)).get("url"))

    def derived(self, event: Event) -> Sequence[Event]:
        """Return the notification that dispatch publishes about a new alert."""
        if event["type"] != "alert.raised.v1":
            return ()
        about = {name: event["data"][name] for name in ("severity", "service", "fingerprint")}
        return (self.caused(event, "dispatch", "alert.notification.v1", {"kind": "opened", **about}),)

    def effect(self, event: Event, subscriber: str) -> str:
        """Return where the alert is stored, or what the channel has received."""
        if subscriber == "dispatch":
            return self._stored(event)
        return self._sent(event, subscriber) if self._sink else self._recorded(event, subscriber)

    def others(self, events: Sequence[Event]) -> Iterable[Check]:
        """Check mail and short messages, and that the resolution of an alert closes its incident and no other."""
        topic = self.topology.topic(name="AlertNotifications")
        if self._sink is None or topic is None:
            return ()
        raised = [event for event in events if event["type"] == "alert.raised.v1"]
        return [
            *(check for event in raised for check in self._notified(topic, event)),
            *(self._closed(event) for event in raised),
        ]

    # ------------------------------------------------------------------------------------------------------- the stores
    def _stored(self, event: Event) -> str:
        fingerprint = event["data"]["fingerprint"]
        table = self.setting("dispatch", "ALERT_TABLE")
        entry = self.item(table, pk=f"alert#{fingerprint}", sk=f"event#{identity(event['source'], event['id'])}")
        state = self.item(table, pk=f"alert#{fingerprint}", sk="state")
        if entry is None or state is None or "notice" in entry:
            return ""
        return f"AlertTable has {fingerprint} as {state['status']}, and this event as {entry['transition']}"

    def _sent(self, event: Event, channel: str) -> str:
        fingerprint = event["data"]["fingerprint"]
        found = [document for document in self._received(channel) if fingerprint in json.dumps(document)]
        if len(found) != 1:
            return ""
        if channel == "chat":
            return f"chat got “{found[0]['text'].splitlines()[0]}”"
        return f"the pager got {found[0]['event_action']} for incident {found[0]['dedup_key']}"

    def _recorded(self, event: Event, channel: str) -> str:
        key = identity(event["source"], event["id"])
        table = self.setting(channel, "CHANNEL_TABLE")
        if channel == "pager":
            return f"{channel} has recorded it as sent" if self.item(table, pk=f"sent#{key}", sk="pager") else ""
        record = self.item(table, pk=f"once#{key}", sk=f"{self.use_case}/{channel}")
        return f"{channel} has recorded it as sent" if record and record["state"] == "done" else ""

    def _notified(self, topic: Topic, event: Event) -> Iterator[Check]:
        severity, title = event["data"]["severity"], event["data"]["title"]
        for protocol, wanted in (("email", severity in _MAIL), ("sms", severity == "CRITICAL")):
            addresses = [each.endpoint for each in topic.subscriptions if each.protocol == protocol]
            if wanted and addresses:
                found = until(partial(self._outbox, topic, protocol, title), _PATIENCE_SECONDS)
                yield Check(f"{protocol} about the alert to {', '.join(addresses)}", found)

    def _outbox(self, topic: Topic, protocol: str, title: str) -> str:
        sent = outbox.sent(self.client("sns").meta.endpoint_url, topic=topic.arn, protocol=protocol)
        found = [message for message in sent if title in message.text]
        return f"the outbox holds “{found[-1].subject or found[-1].text}”" if found else ""

    def _closed(self, event: Event) -> Check:
        """Resolve an alert of this run, and check that the pager closes its incident."""
        about = {name: event["data"][name] for name in ("fingerprint", "service", "severity", "title")}
        topic = self.topology.topic(name="SystemAlerts")
        incidents = {
            document["dedup_key"]
            for document in self._received("pager")
            if about["fingerprint"] in json.dumps(document) and document["event_action"] == "trigger"
        }
        if topic is not None:
            over = TypedEvent.new(AlertResolved(**about), source=SOURCE)
            Publisher(topic.arn, client=self.client("sns")).publish([over])

        def closed() -> str:
            resolved = {each["dedup_key"] for each in self._received("pager") if each["event_action"] == "resolve"}
            return f"the pager got resolve for {', '.join(incidents)}" if incidents and incidents <= resolved else ""

        return Check(f"the end of {about['fingerprint']} closes its incident", until(closed, _PATIENCE_SECONDS))

    # -------------------------------------------------------------------------------------------------------- channels
    def _is_local(self) -> bool:
        return urlsplit(self.client("secretsmanager").meta.endpoint_url).hostname in {"127.0.0.1", "localhost"}

    def _received(self, channel: str) -> list[Any]:
        return self._sink.received(f"/{channel}") if self._sink else []

    def _secret(self, channel: str) -> str:
        return self.setting(channel, "WEBHOOK_SECRET_ARN")

    def _value_of(self, channel: str) -> str:
        value: str = self.client("secretsmanager").get_secret_value(SecretId=self._secret(channel))["SecretString"]
        return value
