"""SNS filter policies match what they do not match on AWS, and the other way round.

Symptom: a filter on the body never matches inside an array of objects; `[100]` matches "100" and `[true]` matches
"true"; `[null]` does not match null; a key with a dot matches no nested property.
Cause: `sns._matches_filter_policy` converts values to compare them, and searches objects only.
Patch: `local_engine.filter_policy` decides, as it does for the command.
It can go when upstream passes the tests in engine_tests/test_filters.py.
"""

import json
from functools import lru_cache
from typing import Any

from ministack.services import sns

from local_engine.filter_policy import PartialBody, admits


def apply() -> None:
    """Replace the decision whether a subscription's filter policy matches a message."""
    sns._matches_filter_policy = _matches


def _matches(subscription: dict[str, Any], attributes: dict[str, Any], text: str = "") -> bool:
    settings = subscription.get("attributes", {})
    policy = settings.get("FilterPolicy")
    if not policy:
        return True
    in_body = settings.get("FilterPolicyScope") == "MessageBody"
    message = _body(text) if in_body else PartialBody.of_attributes(attributes)
    return message is not None and admits(_policy(policy), message) is True


@lru_cache(maxsize=1024)
def _policy(document: str) -> Any:
    return json.loads(document)


@lru_cache(maxsize=8)  # the subscriptions of a topic filter the same message, one after the other
def _body(text: str) -> PartialBody | None:
    """Return the body, None if it is not a JSON object: then no filter matches it."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return PartialBody.complete(body) if isinstance(body, dict) else None
