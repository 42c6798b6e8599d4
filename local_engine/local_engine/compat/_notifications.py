"""Take part in what SNS does with a notification."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ministack.services import sns


@dataclass(frozen=True)
class Notification:
    """What a subscription is to get."""

    topic: str
    subscription: dict[str, Any]
    message_id: str
    text: str
    """of the subscription's protocol, where they differ"""
    subject: str
    attributes: dict[str, Any]

    @property
    def is_raw(self) -> bool:
        """Whether the subscription wants the text and nothing else."""
        return bool(self.subscription["attributes"].get("RawMessageDelivery") == "true")

    def envelope(self) -> str:
        """Return the notification as JSON, as SNS sends it."""
        return str(
            sns._build_envelope(self.topic, self.message_id, self.text, self.subject, self.attributes, self.is_raw)
        )


def deliver_to(protocols: Collection[str], deliver: Callable[[Notification], None]) -> None:
    """Call `deliver` for every confirmed subscription of these protocols whose filter admits what was published."""
    original = sns._fanout

    def fanout(  # noqa: PLR0917 - upstream's signature
        topic: str,
        message_id: str,
        message: str,
        subject: str,
        message_structure: str = "",
        message_attributes: dict[str, Any] | None = None,
        *rest: Any,
        **named: Any,
    ) -> None:
        original(topic, message_id, message, subject, message_structure, message_attributes, *rest, **named)
        attributes = message_attributes or {}
        for subscription in (sns._topic_by_arn_any_scope(topic) or {}).get("subscriptions", []):
            if subscription["protocol"] not in protocols or not subscription.get("confirmed"):
                continue
            text = sns._resolve_message_for_protocol(message, message_structure, subscription["protocol"])
            if sns._matches_filter_policy(subscription, attributes, text):
                deliver(Notification(topic, subscription, message_id, text, subject, attributes))

    sns._fanout = fanout
