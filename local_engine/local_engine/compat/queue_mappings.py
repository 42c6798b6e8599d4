"""Event source mappings of queues poll as AWS never would.

Symptom: a function whose role may not read the queue gets its messages; MaximumBatchingWindowInSeconds
has no effect; a batch never has more than 10 messages.
Cause: `sqs._receive_messages_for_esm` ignores its mapping and takes 10 messages at most.
Patch: the role needs ReceiveMessage, DeleteMessage and GetQueueAttributes; messages are gathered until
the batch is full or its oldest message has waited for the window; standard queues give as many as the
mapping requests, up to Lambda's 6 MB.
It can go when upstream passes the mapping and does these.
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

from ministack.core.concurrency import esm_wake
from ministack.services import lambda_svc, sqs

from local_engine.compat import _phases
from local_engine.compat._permissions import role_allows

Mapping = dict[str, Any]
Message = dict[str, Any]

_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_PAYLOAD_LIMIT = 6_000_000
_RECORD_OVERHEAD = 700  # what an SQS record has around its body
_RECEIVE_LIMIT = 10
_DENIED = "PROBLEM: The function execution role does not have permissions to call {action} on SQS"

# The mapping that the poller handles: one after the other, on one thread.
_current: Mapping = {}
_gathering_since: dict[str, float] = {}


def apply() -> None:
    """Replace the receive of the poller."""
    mappings = lambda_svc._iter_all_esms

    def visited() -> Iterator[tuple[str, str, Mapping]]:
        for account, region, mapping in mappings():
            if not _phases.working():
                return
            _current.clear()
            _current.update(mapping=mapping)
            yield account, region, mapping

    lambda_svc._iter_all_esms = visited
    sqs._receive_messages_for_esm = _receive


def _receive(url: str, limit: int) -> list[Message]:
    mapping: Mapping = _current["mapping"]
    denied = _denied_action(mapping)
    if denied:
        mapping["LastProcessingResult"] = _DENIED.format(action=denied)
        return []
    with sqs._queues_lock:
        queue = sqs._get_q(url)
        sqs._expire_retained(queue)
        sqs._dlq_sweep(queue)
        limit = min(limit, _RECEIVE_LIMIT) if queue["is_fifo"] else limit
        if not _window_is_over(mapping, queue, limit):
            return []
        visibility = int(queue["attributes"].get("VisibilityTimeout", "30"))
        return _take(queue, limit, visibility)


def _denied_action(mapping: Mapping) -> str | None:
    function = lambda_svc._functions.get(mapping["FunctionName"]) or {}
    role = (function.get("config") or {}).get("Role", "")
    queue = mapping["EventSourceArn"]
    return next((action for action in _ACTIONS if not role_allows(role, action, queue)), None)


def _window_is_over(mapping: Mapping, queue: dict[str, Any], limit: int) -> bool:
    window = float(mapping.get("MaximumBatchingWindowInSeconds") or 0)
    if not window or queue["is_fifo"]:
        return True
    now = time.time()
    sizes = [len(m["body"]) + _RECORD_OVERHEAD for m in queue["messages"] if m.get("visible_at", 0) <= now]
    if not sizes:
        _gathering_since.pop(mapping["UUID"], None)
        return False
    since = _gathering_since.setdefault(mapping["UUID"], now)
    if len(sizes) < limit and sum(sizes) < _PAYLOAD_LIMIT and now - since < window:
        if since == now:
            timer = threading.Timer(window, esm_wake.set)
            timer.daemon = True
            timer.start()
        return False
    del _gathering_since[mapping["UUID"]]
    return True


def _take(queue: dict[str, Any], limit: int, visibility: int) -> list[Message]:
    if limit <= _RECEIVE_LIMIT:
        return list(sqs._collect_msgs(queue, limit, visibility))
    now = time.time()
    size = count = 0
    for message in queue["messages"]:
        if message.get("visible_at", 0) <= now:
            size += len(message["body"].encode()) + _RECORD_OVERHEAD
            if size > _PAYLOAD_LIMIT or count == limit:
                break
            count += 1
    return list(sqs._collect_msgs(queue, max(count, 1), visibility))
