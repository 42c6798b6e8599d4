"""user_registration: the welcome mail went out, the user is counted, the address that complained is suppressed."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from functools import cached_property
from urllib.parse import urlsplit

from fanout import identity
from fanout_cli.demo.definition import Check, Event, UseCaseDemo, body, mailbox_address, until
from local_engine import mailbox

# From the registration over the mail and SES's notification to the suppression list, with cold functions.
_BOUNCE_SECONDS = 60.0


class Demo(UseCaseDemo):
    """Every run has its own users and addresses."""

    def fresh(self, event: Event, run: str) -> Event:
        """Return the event with a new user or recipient."""
        if event["type"] == "mail.feedback.v1":
            return self.with_data(event, addresses=[f"{run}.{address}" for address in event["data"]["addresses"]])
        return self.with_data(event, user_id=f"usr_{run}", email=mailbox_address(run))

    def effect(self, event: Event, subscriber: str) -> str:
        """Return where the mail, the user's record or the suppressed address is."""
        match subscriber:
            case "notify_service":
                return self._mail(event)
            case "analytics_service":
                return self._user(event)
            case _:
                return self._suppression(event)

    def others(self, events: Sequence[Event]) -> Iterator[Check]:
        """Register a user whose mail bounces, and check that the address is suppressed."""
        topic = self.topology.topic(name="UserRegistration")
        registered = next((each for each in events if each["type"] == "user.registered.v1"), None)
        if topic is None or registered is None:
            return
        run = registered["data"]["user_id"]
        address = mailbox_address(run, "bounce")
        bouncing = self.with_data({**registered, "id": identity.new_id()}, user_id=f"{run}_bounce", email=address)
        self.client("sns").publish(TopicArn=topic.arn, Message=body(bouncing))
        yield Check(
            "an address that bounces gets no more mail",
            until(lambda: self._suppressed(address, "permanent_bounce"), _BOUNCE_SECONDS),
        )

    def _mail(self, event: Event) -> str:
        user_id, address = event["data"]["user_id"], event["data"]["email"]
        record = self.item(
            self.setting("notify_service", "MAIL_TABLE"),
            pk=f"once#registration#{user_id}",
            sk="user_registration/notify_service",
        )
        if not record or record["state"] != "done":
            return ""
        message_id, locale = record["details"]["message_id"], record["details"]["locale"]
        endpoint = self.client("sesv2").meta.endpoint_url
        if urlsplit(endpoint).hostname not in {"127.0.0.1", "localhost"}:  # AWS: mail cannot be read back
            return f"SES took the welcome mail to {user_id} ({locale}) as {message_id}"
        mails = [mail for mail in mailbox.sent(endpoint) if mail.to == (address,)]
        if [mail.message_id for mail in mails] != [message_id] or not (mails[0].text and mails[0].html):
            return ""
        return f"one mail “{mails[0].subject}” to {address} is in the outbox, in text and HTML"

    def _user(self, event: Event) -> str:
        user = event["data"]
        record = self.item(
            self.setting("analytics_service", "ANALYTICS_TABLE"), pk=f"user#{user['user_id']}", sk="registration"
        )
        if (
            not record
            or record["email_hash"] != self._hash("analytics", user["email"])
            or record["plan"] != user["plan"]
        ):
            return ""
        if user["email"] in str(record) or user["name"] in str(record):
            return ""
        return f"the record of {user['user_id']} has plan {record['plan']} and, for the address, a keyed hash"

    def _suppression(self, event: Event) -> str:
        [address] = event["data"]["addresses"]
        return self._suppressed(address, event["data"]["kind"])

    def _suppressed(self, address: str, kind: str) -> str:
        record = self.item(
            self.setting("mail_feedback", "MAIL_TABLE"),
            pk=f"address#{self._hash('suppression', address)}",
            sk="suppressed",
        )
        if not record or kind not in record["causes"]:
            return ""
        return f"the hash of {address} is on the list of those that get no more mail ({kind})"

    def _hash(self, purpose: str, address: str) -> str:
        return hmac.new(self._key, f"{purpose}\0{address}".encode(), hashlib.sha256).hexdigest()

    @cached_property
    def _key(self) -> bytes:
        arn = self.setting("analytics_service", "EMAIL_HASH_KEY_SECRET_ARN")
        secret: str = self.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        return secret.encode()
