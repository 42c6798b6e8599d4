"""Subscription filters of log groups invoke functions as AWS never would.

Symptom: a function without a permission for CloudWatch Logs gets the lines, and an error loses them.
Cause: `cloudwatch_logs._fanout_to_subscription_filters` runs the function once, on a thread.
Patch: PutSubscriptionFilter (and a template) is refused unless the function's policy lets the log group
invoke it; delivery is an asynchronous invocation with its retries.
It can go when upstream does both.
"""

import base64
import gzip
import json
from typing import Any

from ministack.core.responses import get_account_id, new_uuid
from ministack.services import cloudwatch_logs, lambda_svc
from ministack.services.cloudformation import provisioners

from local_engine.compat import async_invocations, log_patterns
from local_engine.compat._permissions import service_allowed

_REFUSAL = (
    "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to "
    "execute your function."
)


def apply() -> None:
    """Check the permission, and deliver with retries."""
    _check()
    _deliver()


def _check() -> None:
    put = cloudwatch_logs._put_subscription_filter

    def checked(data: dict[str, Any]) -> Any:
        if not _allowed(data.get("logGroupName", ""), data.get("destinationArn", "")):
            return cloudwatch_logs.error_response_json("InvalidParameterException", _REFUSAL, 400)
        return put(data)

    cloudwatch_logs._put_subscription_filter = checked
    handler = provisioners._RESOURCE_HANDLERS["AWS::Logs::SubscriptionFilter"]
    create = handler["create"]

    def created(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if not _allowed(properties.get("LogGroupName", ""), properties.get("DestinationArn", "")):
            raise ValueError(_REFUSAL)
        return create(logical_id, properties, stack)

    handler["create"] = created


def _allowed(group: str, function: str) -> bool:
    if ":function:" not in function:
        return True
    base, _, _ = lambda_svc._get_base_func_record_for_ref(function)
    source = cloudwatch_logs._make_group_arn(group)
    policy = (base or {}).get("policy")
    return base is not None and any(
        service_allowed(policy, service, "lambda:InvokeFunction", function, source)
        for service in ("logs.amazonaws.com", f"logs.{source.split(':')[3]}.amazonaws.com")
    )


def _deliver() -> None:
    def fan_out(group: str, stream: str, events: list[dict[str, Any]]) -> None:
        filters = (cloudwatch_logs._log_groups.get(group) or {}).get("subscriptionFilters") or {}
        for one in list(filters.values()):
            matches = log_patterns.compiled(one.get("filterPattern", ""))
            lines = [event for event in events if matches(event["message"])]
            if lines and ":function:" in one["destinationArn"]:
                _invoke(one, group, stream, lines)

    cloudwatch_logs._fanout_to_subscription_filters = fan_out


def _invoke(subscription: dict[str, Any], group: str, stream: str, lines: list[dict[str, Any]]) -> None:
    function: str = subscription["destinationArn"]
    _, config, _ = lambda_svc._get_func_record_for_ref(function)
    if ((config or {}).get("LoggingConfig") or {}).get("LogGroup") == group:
        return  # it would invoke itself forever
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": get_account_id(),
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": [subscription["filterName"]],
        "logEvents": [
            {"id": new_uuid().replace("-", ""), "timestamp": line["timestamp"], "message": line["message"]}
            for line in lines
        ],
    }
    packed = base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()
    async_invocations.invoke(function, {"awslogs": {"data": packed}})
