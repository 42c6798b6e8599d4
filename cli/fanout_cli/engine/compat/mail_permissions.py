"""A role may not send mail unless it may use every identity.

Symptom: SendEmail (SES v2) of a role that is allowed one identity, or one sender by `ses:FromAddress`,
answers AccessDeniedException; only `Resource: "*"` without a condition helps.
Cause: `app._enforce_ses_v2` takes the resource from the path, where `outbound-emails` has none, and never
sets the condition key.
Patch: the call is checked with its `ses:FromAddress` against the sender's identity (the address if it is
one, else its domain) and against the configuration set, if it names one.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html
It can go when upstream checks these.
"""

import json
from collections.abc import Callable
from email.utils import parseaddr
from typing import Any

from ministack import app
from ministack.core.responses import get_account_id
from ministack.services import ses, ses_v2

_SEND = "/v2/email/outbound-emails"
_ACTION = "ses:SendEmail"


def apply() -> None:
    """Check mail that is sent; every other call of SES v2 is checked as before."""
    original: Callable[..., Any] = app._enforce_ses_v2

    def enforce(method: str, path: str, headers: Any, body: bytes, *rest: Any) -> Any:
        request = _request(body) if (method, path.rstrip("/")) == ("POST", _SEND) else None
        if request is None:
            return original(method, path, headers, body, *rest)
        query, request_id = rest
        sender = parseaddr(str(request.get("FromEmailAddress", "")))[1]
        for resource in _resources(request, sender, app.extract_region(headers, query)):
            denied = app._enforce_data_plane(
                "sesv2",
                _ACTION,
                headers,
                query,
                request_id,
                resource_arn=resource,
                service_context={"ses:FromAddress": sender},
                named_resource=resource,
            )
            if denied:
                return denied
        return None

    app._enforce_ses_v2 = enforce


def _request(body: bytes) -> dict[str, Any] | None:
    try:
        request = json.loads(body)
    except ValueError:
        return None  # the service refuses it
    return request if isinstance(request, dict) else None


def _resources(request: dict[str, Any], sender: str, region: str) -> list[str]:
    prefix = f"arn:aws:ses:{region}:{get_account_id()}"
    domain = sender.partition("@")[2]
    verified = {*ses._identities, *ses_v2._identities}
    identity = domain if sender not in verified and domain in verified else sender
    resources = [f"{prefix}:identity/{identity}"]
    if name := request.get("ConfigurationSetName"):
        resources.append(f"{prefix}:configuration-set/{name}")
    return resources
