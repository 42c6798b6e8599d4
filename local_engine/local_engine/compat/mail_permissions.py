"""SES checks SendEmail against no identity.

Symptom: a role that may send from one address only is refused every mail.
Cause: `app._enforce_ses_v2` finds the resource of a call in its path, where SendEmail has none, so it requires
ses:SendEmail on "*"; and it passes none of the request's condition keys on.
Patch: SendEmail of the v2 API requires permission for the identities of the sender and of each recipient and for the
configuration set, with the keys ses:FromAddress, ses:FromDisplayName and ses:Recipients.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html
SES requires the recipients' identities in its sandbox, where every account starts:
https://github.com/aws/aws-sdk-js/issues/3641, https://github.com/cloudposse/terraform-aws-ses/issues/40
It can go when upstream checks these.
"""

import json
from email.utils import parseaddr
from typing import Any

from ministack import app
from ministack.core.responses import get_account_id, get_region
from ministack.services import ses, ses_v2

_SEND = "/v2/email/outbound-emails"


def apply() -> None:
    """Check who may send as whom."""
    original = app._enforce_ses_v2

    def enforce(  # noqa: PLR0917 - upstream's signature
        method: str, path: str, headers: Any, body: bytes, query: Any, request_id: str
    ) -> Any:
        if (method, path.rstrip("/")) != ("POST", _SEND):
            return original(method, path, headers, body, query, request_id)
        try:
            request = json.loads(body)
        except ValueError:
            return original(method, path, headers, body, query, request_id)
        for resource in _resources(request):
            denied = app._enforce_data_plane(
                "sesv2",
                "ses:SendEmail",
                headers,
                query,
                request_id,
                resource_arn=resource,
                service_context=_context(request),
                named_resource=resource,
            )
            if denied:
                return denied
        return None

    app._enforce_ses_v2 = enforce


def _resources(request: dict[str, Any]) -> list[str]:
    prefix = f"arn:aws:ses:{get_region()}:{get_account_id()}"
    addresses = [parseaddr(request.get("FromEmailAddress", ""))[1], *_recipients(request)]
    resources = [f"{prefix}:identity/{_identity(address)}" for address in addresses]
    if request.get("ConfigurationSetName"):
        resources.append(f"{prefix}:configuration-set/{request['ConfigurationSetName']}")
    return resources


def _identity(address: str) -> str:
    """Return the identity of an address: itself, or the nearest of its domains that is an identity."""
    domain = address.rpartition("@")[2]
    candidates = [address, *ses._domain_and_parents(domain)]
    known = (name for name in candidates if name in ses._identities or name in ses_v2._identities)
    return next(known, address)


def _recipients(request: dict[str, Any]) -> list[str]:
    destination = request.get("Destination") or {}
    return [
        parseaddr(each)[1]
        for kind in ("ToAddresses", "CcAddresses", "BccAddresses")
        for each in destination.get(kind) or []
    ]


def _context(request: dict[str, Any]) -> dict[str, Any]:
    name, address = parseaddr(request.get("FromEmailAddress", ""))
    return {"ses:FromAddress": address, "ses:FromDisplayName": name, "ses:Recipients": _recipients(request)}
