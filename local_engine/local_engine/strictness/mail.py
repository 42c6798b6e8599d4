"""What SES refuses of identities, configuration sets and mail.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateConfigurationSet.html
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SnsDestination.html
https://docs.aws.amazon.com/ses/latest/dg/quotas.html
"""

import json
import re
from email.utils import parseaddr
from typing import Any

from ministack.services import ses_v2, sns

from local_engine.strictness._refusing import Data, Refused, before_provisioning

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TAG = re.compile(r"[A-Za-z0-9_.@-]{1,256}")
_ADDRESS = re.compile(r"[^@\s,<>]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def apply() -> None:
    """Validate requests of SES's second API, and what CloudFormation makes of its kinds."""
    original = ses_v2.handle_request

    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        try:
            if method == "POST" and body:
                _validate(path.rstrip("/").removeprefix("/v2/email"), json.loads(body))
        except Refused as refused:
            return ses_v2._json_err(refused.code, str(refused))
        return await original(method, path, headers, body, query)

    ses_v2.handle_request = handle
    before_provisioning(
        "AWS::SES::ConfigurationSetEventDestination",
        lambda properties: _validate_destination(properties["EventDestination"]),
    )


def _validate(path: str, data: Data) -> None:
    if path == "/outbound-emails":
        _validate_mail(data)
    elif path == "/identities":
        _validate_identity(data["EmailIdentity"])
    elif path == "/configuration-sets":
        if not _NAME.fullmatch(data["ConfigurationSetName"]):
            raise _invalid("Invalid configuration set name: letters, digits, _ and -, 64 at most.")
    elif path.endswith("/event-destinations"):
        _validate_destination(data["EventDestination"])


def _validate_identity(identity: str) -> None:
    if identity in ses_v2._identities:
        raise Refused("AlreadyExistsException", f"Email identity {identity} already exist.")
    if not _ADDRESS.fullmatch(identity if "@" in identity else f"a@{identity}"):
        raise _invalid(f"Invalid email identity {identity}.")


def _validate_destination(destination: Data) -> None:
    topic = (destination.get("SnsDestination") or {}).get("TopicArn") or (destination.get("SnsDestination") or {}).get(
        "TopicARN"
    )
    if topic and (topic not in sns._topics or topic.endswith(".fifo")):
        raise _invalid(f"SNS topic <{topic}> not found, or of type FIFO.")


def _validate_mail(data: Data) -> None:
    addresses = [address for group in (data.get("Destination") or {}).values() for address in group]
    if not addresses and not (data.get("Content") or {}).get("Raw"):
        raise _invalid("Missing destination.")
    if len(addresses) > 50:
        raise Refused("MessageRejected", "Recipient count exceeds 50.")
    for address in addresses:
        if not _ADDRESS.fullmatch(parseaddr(address)[1]):
            raise _invalid("Invalid email address.")
    for tag in data.get("EmailTags") or []:
        if not (_TAG.fullmatch(tag["Name"]) and _TAG.fullmatch(tag["Value"])):
            raise _invalid("Invalid tag: names and values have letters, digits and _-.@ only.")
    simple = (data.get("Content") or {}).get("Simple")
    if simple is not None and not any((simple.get("Body") or {}).values()):
        raise _invalid("Missing body: Text or Html is needed.")


def _invalid(message: str) -> Refused:
    return Refused("BadRequestException", message)
