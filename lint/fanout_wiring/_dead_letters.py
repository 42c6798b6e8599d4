"""Dead letters: an alarm reports them, and they are kept long enough."""

from collections.abc import Iterator
from typing import Any

from fanout_wiring._graph import QUEUE, Graph
from fanout_wiring._metrics import metrics
from fanout_wiring._parameters import highest, lowest, number
from fanout_wiring._rule import PAGE, Finding, WiringRule
from fanout_wiring._stack import Resource
from fanout_wiring._values import as_dict, as_list, is_true

_FOUR_DAYS = 345_600
_DEPTH = "ApproximateNumberOfMessagesVisible"


class DeadLettersWithoutAlarm(WiringRule):
    """A dead letter without an alarm is a lost event with a delay."""

    id = "E9108"
    shortdesc = "A dead-letter queue has an alarm on the first message in it"
    description = f"On {_DEPTH}: NumberOfMessagesSent does not count what a redrive policy moves there"
    page = source_url = (
        f"{PAGE}AWSSimpleQueueService/latest/SQSDeveloperGuide/dead-letter-queues-alarms-cloudwatch.html"
    )

    def findings(self, graph: Graph) -> Iterator[Finding]:
        watched = {queue.path for alarm in graph.of("AWS::CloudWatch::Alarm") for queue in _watched(graph, alarm)}
        targets = [graph.find(failure.target, QUEUE) for failure in graph.failures]
        for path, queue in {queue.path: queue for queue in targets if queue is not None}.items():
            if path not in watched:
                yield Finding(
                    queue,
                    (),
                    f"no alarm reports the first message in the dead-letter queue {queue.logical_id}; add an alarm on "
                    f"AWS/SQS {_DEPTH}, dimension QueueName, GreaterThanThreshold 0",
                )


def _watched(graph: Graph, alarm: Resource) -> Iterator[Resource]:
    """Return the queues whose first message raises the alarm."""
    own = alarm.properties
    if "ActionsEnabled" in own and not is_true(own["ActionsEnabled"]):
        return
    # The threshold of metric math is that of its expression, which is not judged.
    if not _on_the_first(own) and not any("MetricStat" in as_dict(each) for each in as_list(own.get("Metrics"))):
        return
    for metric in metrics(alarm):
        queue = graph.queue_named(metric.dimensions.get("QueueName")) if metric.name == _DEPTH else None
        if queue is not None:
            yield queue


def _on_the_first(alarm: dict[str, Any]) -> bool:
    threshold = alarm.get("Threshold")
    try:
        limit = highest(threshold) if isinstance(threshold, int) else float(str(threshold))
    except ValueError:
        return False
    if alarm.get("ComparisonOperator") == "GreaterThanThreshold":
        return limit < 1
    return alarm.get("ComparisonOperator") == "GreaterThanOrEqualToThreshold" and limit <= 1


class DeadLettersKeptTooShort(WiringRule):
    """A message keeps its age in the dead-letter queue."""

    id = "E9109"
    shortdesc = "A dead-letter queue keeps messages longer than its queue"
    description = (
        "On a standard queue a dead letter keeps its first enqueue time: it may be deleted the moment it arrives"
    )
    page = source_url = (
        f"{PAGE}AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html"
    )

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for failure in graph.failures:
            dead_letters = graph.find(failure.target, QUEUE)
            if failure.kind != "queue" or dead_letters is None:
                continue
            source = number(failure.resource.properties.get("MessageRetentionPeriod", _FOUR_DAYS))
            kept = number(dead_letters.properties.get("MessageRetentionPeriod", _FOUR_DAYS))
            keys = ("Properties", "MessageRetentionPeriod")
            if source is None or kept is None:
                unknown = failure.resource if source is None else dead_letters
                message = "MessageRetentionPeriod is not known; give its parameter a default, or MinValue and MaxValue"
                yield Finding(unknown, keys, message)
                continue
            # In a FIFO queue the clock starts anew, so as long is long enough.
            fifo = is_true(failure.resource.properties.get("FifoQueue"))
            if lowest(kept) < highest(source) or (lowest(kept) == highest(source) and not fifo):
                yield Finding(
                    dead_letters,
                    keys,
                    f"dead-letter queue {dead_letters.logical_id} keeps messages for {lowest(kept)} s, "
                    f"{failure.resource.path} for {highest(source)} s; keep dead letters longer, 1209600 at most",
                )
