"""Asynchronous invocations are not those of AWS.

Symptom: the retry and destination settings of an alias are ignored, and those of $LATEST are not found without that
qualifier; a throttled event counts as failed
and is given up within seconds (AWS does so only, and at once, where the function's reserved concurrency is
zero); the record that a destination gets lacks version, timestamp and request id; a dead-letter queue gets
that record instead of the event; the role needs no permission to send; a stop of the engine forgets events
that wait for their retry; and a burst of a thousand events starts a thousand workers, which this machine does
not have.
Cause: `lambda_svc.invoke_async_with_retry` and `_route_async_failure`.
Patch: asynchronous invocation as AWS documents it. Retries follow after one and two seconds, not
minutes. A function handles a few events at a time, the others wait (AWS takes up to a thousand at once, and lets
those above wait too). Events that wait are part of the state of the Lambda service, so a restart continues with them.
It can go when upstream has all of these; the symptoms can be fixed one by one.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import new_uuid, request_scope
from ministack.services import lambda_svc, sns, sqs

from local_engine.compat import _phases, _queues
from local_engine.compat._permissions import role_allows

_RETRY_SECONDS = (1.0, 2.0)
_LONGEST_THROTTLE_SECONDS = 30.0
_DEFAULT_RETRIES = 2
_DEFAULT_AGE_SECONDS = 21600


@dataclass
class Invocation:
    """One accepted event of one function, until it has succeeded or was given up."""

    function: str  # ARN, with the qualifier it was addressed by
    event: Any
    request_id: str = field(default_factory=new_uuid)
    accepted: float = field(default_factory=time.time)
    attempts: int = 0
    throttles: int = 0


_pending: dict[str, Invocation] = {}

# How many asynchronous invocations of one function run at a time: a worker is a process of some 50 MB, and a cold start
# half a second of one core.
_TOGETHER = 4
_turns: defaultdict[str, threading.BoundedSemaphore] = defaultdict(lambda: threading.BoundedSemaphore(_TOGETHER))


def apply() -> None:
    """Replace asynchronous invocation, and make what waits part of the state."""
    lambda_svc.invoke_async_with_retry = _accept
    for name in ("_event_invoke_config", *(f"_{verb}_event_invoke_config" for verb in ("get", "put", "delete"))):
        setattr(lambda_svc, name, _without_latest(getattr(lambda_svc, name)))
    _persist()


def _without_latest(original: Callable[..., Any]) -> Callable[..., Any]:
    """Take the qualifier $LATEST for none: both name the function itself."""

    def called(function: Any, qualifier: str | None = None, *rest: Any) -> Any:
        return original(function, None if qualifier == "$LATEST" else qualifier, *rest)

    return called


def invoke(function: str, event: Any) -> None:
    """Accept an event for a function (ARN, qualified or not)."""
    _go_on(Invocation(function, event))


def resume() -> None:
    """Continue with the events that waited when the engine was stopped."""
    for invocation in list(_pending.values()):
        _go_on(invocation)


def _accept(function: dict[str, Any], event: Any) -> None:
    """Accept an asynchronous invocation: Invoke with type Event, rules, schedules and notifications."""
    config = function.get("config") or function
    invoke(config["FunctionArn"], event)


def _go_on(invocation: Invocation) -> None:
    _pending[invocation.request_id] = invocation
    threading.Thread(target=_run, args=(invocation,), daemon=True, name="async-invocation").start()


def _run(invocation: Invocation) -> None:
    arn = parse_arn(invocation.function)
    with request_scope(arn.account_id, arn.region):
        try:
            while not _phases.stopping.is_set():
                with _turns[invocation.function]:
                    delay = 0.0 if _phases.stopping.is_set() else _attempt(invocation)
                if delay is None:
                    _pending.pop(invocation.request_id, None)
                    return
                _phases.stopping.wait(delay)
        except Exception:
            lambda_svc.logger.exception("asynchronous invocation of %s failed", invocation.function)
            _pending.pop(invocation.request_id, None)


def _attempt(invocation: Invocation) -> float | None:
    """Invoke once. Returns the seconds to wait before the next attempt, None when it is over."""
    record, config, _ = lambda_svc._get_func_record_for_ref(invocation.function)
    if record is None:
        lambda_svc.logger.warning("function %s is gone; its event is dropped", invocation.function)
        return None
    settings = _settings(invocation.function)
    config = {**config, "FunctionArn": invocation.function}
    reserved = _reserved_concurrency(invocation.function)
    if reserved == 0:
        _give_up(invocation, "ZeroReservedConcurrency", {}, settings, config)
        return None
    if reserved is not None:
        config["ReservedConcurrentExecutions"] = reserved
    addressed = lambda_svc._execution_record_for_config(record, config)
    result = lambda_svc._execute_function(addressed, invocation.event)
    if _phases.stopping.is_set() and result.get("error"):
        return 0.0  # the worker was ended with the engine: not the function's failure
    if not result.get("error"):
        return None
    condition = ""
    if result.get("throttle"):
        invocation.throttles += 1
        delay = min(2.0 ** (invocation.throttles - 1), _LONGEST_THROTTLE_SECONDS)
    else:
        invocation.attempts += 1
        retries = int(settings.get("MaximumRetryAttempts", _DEFAULT_RETRIES))
        if invocation.attempts > retries:
            condition = "RetriesExhausted"
        delay = _RETRY_SECONDS[min(invocation.attempts, len(_RETRY_SECONDS)) - 1]
    age = time.time() - invocation.accepted + delay
    if age > int(settings.get("MaximumEventAgeInSeconds", _DEFAULT_AGE_SECONDS)):
        condition = condition or "EventAgeExceeded"
    if not condition:
        return delay
    _give_up(invocation, condition, result, settings, config)
    return None


def _settings(function: str) -> dict[str, Any]:
    """Return the event invoke configuration of exactly the qualifier that was addressed."""
    base, _, _ = lambda_svc._get_base_func_record_for_ref(function)
    _, qualifier = lambda_svc._lambda_function_name_and_qualifier_from_arn(function)
    names = (qualifier,) if qualifier else ("", "$LATEST")
    found = (lambda_svc._event_invoke_config(base or {}, name) for name in names)
    return next((settings for settings in found if settings), {})


def _reserved_concurrency(function: str) -> int | None:
    """Return the settings of the function, valid for all versions; upstream reads those of the version itself."""
    base, _, _ = lambda_svc._get_base_func_record_for_ref(function)
    reserved: int | None = (base or {}).get("concurrency")
    return reserved


def _give_up(
    invocation: Invocation,
    condition: str,
    result: dict[str, Any],
    settings: dict[str, Any],
    config: dict[str, Any],
) -> None:
    destination = ((settings.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    dead_letters = (config.get("DeadLetterConfig") or {}).get("TargetArn")
    lambda_svc.logger.warning("%s: gave up an event (%s)", invocation.function, condition)
    if destination:
        record = _failure_record(invocation, condition, result, config)
        _send(destination, json.dumps(record), {}, config["Role"])
    if dead_letters:
        attributes = {
            "RequestID": {"DataType": "String", "StringValue": invocation.request_id},
            "ErrorCode": {"DataType": "Number", "StringValue": "200"},
            "ErrorMessage": {
                "DataType": "String",
                "StringValue": str(_error(result).get("errorMessage"))[:1024],
            },
        }
        _send(dead_letters, json.dumps(invocation.event), attributes, config["Role"])


def _failure_record(
    invocation: Invocation, condition: str, result: dict[str, Any], config: dict[str, Any]
) -> dict[str, Any]:
    qualified = invocation.function
    if qualified.count(":") == 6:
        qualified += ":$LATEST"
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": qualified,
            "condition": condition,
            "approximateInvokeCount": invocation.attempts,
        },
        "requestPayload": invocation.event,
    }
    if condition == "ZeroReservedConcurrency":
        return record  # nothing was invoked, so nothing answered
    return {
        **record,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": config.get("Version", "$LATEST"),
            "functionError": "Unhandled",
        },
        "responsePayload": _error(result),
    }


def _error(result: dict[str, Any]) -> dict[str, Any]:
    body = result.get("body")
    details = body if isinstance(body, dict) else {}
    return {**details, "errorMessage": str(details.get("errorMessage", body))}


def _send(target: str, body: str, attributes: _queues.Attributes, role: str) -> None:
    service = parse_arn(target).service
    action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}.get(service)
    if action is None:
        lambda_svc.logger.error("destination %s is not supported locally; the event is lost", target)
    elif not role_allows(role, action, target):
        lambda_svc.logger.error("%s may not %s on %s; the event is lost", role, action, target)
    elif service == "sqs":
        queue = sqs._queue_by_arn(target)
        if queue is None:
            lambda_svc.logger.error("destination %s does not exist; the event is lost", target)
        else:
            _queues.deliver(queue, body, attributes)
    elif service == "sns":
        sns._fanout(target, new_uuid(), body, "", message_attributes=attributes)
    else:
        invoke(target, json.loads(body))


def _persist() -> None:
    get_state, restore_state = lambda_svc.get_state, lambda_svc._restore_state

    def with_pending() -> dict[str, Any]:
        return {
            **get_state(),
            "fanout_pending": [asdict(invocation) for invocation in list(_pending.values())],
        }

    def restored(data: dict[str, Any] | None) -> None:
        restore_state(data)
        for invocation in (data or {}).get("fanout_pending", []):
            _pending[invocation["request_id"]] = Invocation(**invocation)

    lambda_svc.get_state, lambda_svc._restore_state = with_pending, restored
