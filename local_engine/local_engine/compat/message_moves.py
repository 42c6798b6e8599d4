"""Dead letters cannot be moved back.

Symptom: StartMessageMoveTask and ListMessageMoveTasks are unknown actions.
Cause: `sqs._HANDLERS` has neither.
Patch: a task moves all messages of a dead-letter queue to the given queue, or each to the queue it came
from, at once. As on AWS the source must be the dead-letter queue of another queue.
It can go when upstream has these actions.
"""

import time
from typing import Any

from ministack.core.concurrency import esm_wake
from ministack.core.responses import new_uuid
from ministack.services import sqs

from local_engine.compat import _queues

Data = dict[str, Any]
Queue = dict[str, Any]
_tasks: list[Data] = []


def apply() -> None:
    """Register the actions."""
    sqs._HANDLERS["StartMessageMoveTask"] = _start
    sqs._HANDLERS["ListMessageMoveTasks"] = _list


def _start(data: Data, _url: str) -> Data:
    source = _existing(data, "SourceArn")
    if not _queues.sources(data["SourceArn"]):
        raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    destination = _existing(data, "DestinationArn") if data.get("DestinationArn") else None
    task: Data = {
        "TaskHandle": new_uuid(),
        "Status": "COMPLETED",
        "SourceArn": data["SourceArn"],
        "ApproximateNumberOfMessagesMoved": 0,
        "ApproximateNumberOfMessagesToMove": len(source["messages"]),
        "StartedTimestamp": int(time.time() * 1000),
    }
    if data.get("DestinationArn"):
        task["DestinationArn"] = data["DestinationArn"]
    with sqs._queues_lock:
        staying = []
        for message in source["messages"]:
            target = destination or _origin(message)
            if target is None:
                staying.append(message)
                task["Status"] = "FAILED"
                task["FailureReason"] = "CouldNotDetermineMessageSource"
            else:
                target["messages"].append(_as_new(message))
                task["ApproximateNumberOfMessagesMoved"] += 1
        source["messages"] = staying
    esm_wake.set()
    _tasks.insert(0, task)
    return {"TaskHandle": task["TaskHandle"]}


def _list(data: Data, _url: str) -> Data:
    _existing(data, "SourceArn")
    found = [task for task in _tasks if task["SourceArn"] == data["SourceArn"]]
    return {"Results": found[: int(data.get("MaxResults", 1))]}


def _existing(data: Data, parameter: str) -> Queue:
    queue: Queue | None = sqs._queue_by_arn(data[parameter])
    if queue is None:
        raise sqs._Err(
            "ResourceNotFoundException", f"The resource that you specified for the {parameter} parameter doesn't exist."
        )
    return queue


def _origin(message: Data) -> Queue | None:
    arn = (message.get("sys") or {}).get("DeadLetterQueueSourceArn")
    return sqs._queue_by_arn(arn) if arn else None


def _as_new(message: Data) -> Data:
    now = time.time()
    attributes = {k: v for k, v in (message.get("sys") or {}).items() if k != "DeadLetterQueueSourceArn"}
    return {
        **message,
        "id": new_uuid(),
        "sys": {**attributes, "SentTimestamp": str(int(now * 1000))},
        "sent_at": now,
        "visible_at": now,
        "receive_count": 0,
        "receipt_handle": None,
        "first_receive_at": None,
    }
