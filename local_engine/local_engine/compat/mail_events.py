"""SES sends no events.

Symptom: a bounce or complaint never reaches the topic of a configuration set's event destination; a send
with a configuration set that does not exist succeeds.
Cause: `ses_v2.handle_request` stores event destinations and never uses them.
Patch: SendEmail of the v2 API publishes Send, Delivery, Bounce and Complaint events to the topics of the
destinations that want them. What happens to a mail is decided by its recipient, as with the mailbox
simulator of SES: bounce@, complaint@ and suppressionlist@simulator.amazonses.com (also with +label);
every other address is delivered. The topic's policy has to let SES publish.
The v1 API's configuration sets are a store of their own upstream and stay without events.
It can go when upstream publishes events of configuration sets.
"""

import asyncio
import json
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import ses, ses_v2, sns

from local_engine.compat._permissions import service_allowed

Event = dict[str, Any]
_SEND = "/v2/email/outbound-emails"


def apply() -> None:
    """Publish the events of every mail that is sent with a configuration set."""
    original = ses_v2.handle_request

    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if (method, path) != ("POST", _SEND):
            return await original(method, path, headers, body, query)
        request = json.loads(body)
        name = request.get("ConfigurationSetName")
        if name and name not in ses_v2._config_sets:
            return ses_v2._json_err("NotFoundException", f"Configuration set <{name}> does not exist.", 404)
        response = await original(method, path, headers, body, query)
        if name and response[0] == 200:
            # After the answer: AWS never reports the outcome of a mail before it has accepted it.
            message_id = json.loads(response[2])["MessageId"]
            asyncio.get_running_loop().call_soon(_publish_all, request, name, message_id)
        return response

    ses_v2.handle_request = handle


def _publish_all(request: dict[str, Any], configuration_set: str, message_id: str) -> None:
    destination = request.get("Destination") or {}
    addresses = [
        parseaddr(address)[1]
        for kind in ("ToAddresses", "CcAddresses", "BccAddresses")
        for address in destination.get(kind) or []
    ]
    mail = _mail(request, configuration_set, message_id, addresses)
    _publish(configuration_set, {"eventType": "Send", "mail": mail, "send": {}})
    for address in addresses:
        for kind, subtype in _outcomes(address):
            detail = ses._notification_detail(kind, address, mail["timestamp"], subtype)
            _publish(configuration_set, {"eventType": kind, "mail": mail, **detail})


def _outcomes(address: str) -> tuple[tuple[str, str | None], ...]:
    outcomes: tuple[tuple[str, str | None], ...] = (("Delivery", None),)
    local, _, domain = address.lower().partition("@")
    if domain == ses._SIMULATOR_DOMAIN:
        outcomes = ses._SIMULATOR_OUTCOMES.get(local.split("+")[0], outcomes)
    return outcomes


def _mail(request: dict[str, Any], configuration_set: str, message_id: str, addresses: list[str]) -> dict[str, Any]:
    source = request.get("FromEmailAddress", "")
    subject = ((request.get("Content") or {}).get("Simple") or {}).get("Subject", {}).get("Data", "")
    tags = {tag["Name"]: [tag["Value"]] for tag in request.get("EmailTags") or []}
    return {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "source": source,
        "sourceArn": f"arn:aws:ses:{get_region()}:{get_account_id()}:identity/{parseaddr(source)[1]}",
        "sendingAccountId": get_account_id(),
        "messageId": message_id,
        "destination": addresses,
        "headersTruncated": False,
        "headers": [{"name": "From", "value": source}, {"name": "To", "value": ", ".join(addresses)}],
        "commonHeaders": {"from": [source], "to": addresses, "messageId": message_id, "subject": subject},
        "tags": {"ses:configuration-set": [configuration_set], **tags},
    }


def _publish(configuration_set: str, event: Event) -> None:
    destinations = (ses_v2._config_sets.get(configuration_set) or {}).get("EventDestinations") or {}
    source = f"arn:aws:ses:{get_region()}:{get_account_id()}:configuration-set/{configuration_set}"
    for destination in destinations.values():
        topic = (destination.get("SnsDestination") or {}).get("TopicArn")
        wanted = event["eventType"].upper() in destination["MatchingEventTypes"]
        if not topic or not wanted or not destination.get("Enabled"):
            continue
        policy = (sns._topics.get(topic) or {}).get("attributes", {}).get("Policy")
        if service_allowed(policy, "ses.amazonaws.com", "sns:Publish", topic, source):
            sns.publish_internal(topic, json.dumps(event), "Amazon SES Email Event Notification")
        else:
            sns.logger.error("SES may not publish to %s; the event is lost", topic)
