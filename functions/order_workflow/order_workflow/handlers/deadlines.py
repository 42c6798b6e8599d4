"""Run by a schedule: cancels orders whose deadline has passed, and publishes decisions that were not published.

Concurrent runs are safe, also beside the workflow: an order is decided by one conditional write.
"""

from datetime import UTC, datetime
from typing import Any

from fanout.deadline import Deadline
from fanout.observability import describe, logger
from order_workflow import order_store

# An order takes a few calls of some milliseconds each; the rest is for a slow response.
_SECONDS_PER_ORDER = 5


def handler(_event: dict[str, Any], context: Any) -> dict[str, int]:
    """Process every order that is due; return how many were cancelled, announced and failed.

    Orders that do not fit into the remaining time are left to the next run. A failed order does not stop the others.
    Raises RuntimeError at the end if any failed, so that an alarm is raised.
    """
    deadline = Deadline(context)
    counts = {"cancelled": 0, "announced": 0, "failed": 0}
    for order_id in order_store.due(datetime.now(UTC)):
        if deadline.seconds() < _SECONDS_PER_ORDER:
            logger.warning("the time is up: the next run continues")
            break
        try:
            order, cancelled = order_store.cancel_if_overdue(order_id)
            if not order.announced:
                order_store.publish_decision(order)
                counts["announced"] += 1
            counts["cancelled"] += cancelled
        except Exception as error:  # the next run retries it
            logger.error("order not processed", error=describe(error), order_id=order_id)
            counts["failed"] += 1
    logger.info("deadlines", counts=counts)
    if counts["failed"]:
        raise RuntimeError(f"{counts['failed']} orders past their deadline were not processed; see the log")
    return counts
