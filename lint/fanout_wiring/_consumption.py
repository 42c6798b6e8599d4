"""From the queue to the function: how often a message is tried, how long it stays hidden, how a batch fails."""

from collections.abc import Iterator

from fanout_wiring._graph import FUNCTIONS, QUEUE, Graph
from fanout_wiring._parameters import highest, lowest, number
from fanout_wiring._rule import PAGE, Finding, WiringRule
from fanout_wiring._values import as_dict, as_list

FEWEST_ATTEMPTS = 5
LEAST_THROTTLING = 600
_SMALL_BATCH = 10


class ShortVisibilityTimeout(WiringRule):
    """A message that becomes visible while it is processed is processed twice."""

    id = "E9104"
    shortdesc = "A queue hides a message for six times the function's timeout, plus the batching window"
    description = "Otherwise a batch that is being processed, or was throttled, is delivered again"
    page = source_url = f"{PAGE}lambda/latest/dg/services-sqs-configure.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for mapping in graph.mappings:
            queue, function = graph.find(mapping.queue, QUEUE), graph.find(mapping.function, *FUNCTIONS)
            if queue is None or function is None:
                continue
            values = {
                f"VisibilityTimeout of {queue.path}": queue.properties.get("VisibilityTimeout", 30),
                f"Timeout of {function.path}": function.properties.get("Timeout", 3),
                "MaximumBatchingWindowInSeconds": mapping.settings.get("MaximumBatchingWindowInSeconds", 0),
            }
            numbers = {name: number(value) for name, value in values.items()}
            unknown = [name for name, value in numbers.items() if value is None]
            visible, timeout, window = (value or 0 for value in numbers.values())
            needed = 6 * highest(timeout) + highest(window)
            if unknown:
                message = f"{unknown[0]} is not known; give its parameter a default, or MinValue and MaxValue"
            elif lowest(visible) >= needed:
                continue
            else:
                message = (
                    f"queue {queue.logical_id} shows a message again after {lowest(visible)} s; with a timeout of "
                    f"{highest(timeout)} s and a window of {highest(window)} s it needs VisibilityTimeout {needed}"
                )
            yield Finding(mapping.resource, mapping.keys, message)


class NoPartialBatchResponse(WiringRule):
    """One bad message must not fail its whole batch."""

    id = "E9105"
    shortdesc = "A mapping reports failures one by one"
    description = (
        "Without partial batch responses one failed message retries, and finally dead-letters, its whole batch"
    )
    page = source_url = f"{PAGE}lambda/latest/dg/services-sqs-errorhandling.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for mapping in graph.mappings:
            if "ReportBatchItemFailures" not in as_list(mapping.settings.get("FunctionResponseTypes")):
                fix = "set FunctionResponseTypes: [ReportBatchItemFailures]"
                if not mapping.complete:
                    fix = "SqsSubscription has no FunctionResponseTypes; declare a queue and an SQS event that has it"
                message = f"one failed message fails its whole batch; {fix}; let the function return batchItemFailures"
                yield Finding(mapping.resource, mapping.keys, message)


class LargeBatchWithoutWindow(WiringRule):
    """Lambda answers `InvalidParameterValueException`, and the stack rolls back."""

    id = "E9122"
    shortdesc = "A mapping with batches of more than ten messages has a batching window"
    description = "Lambda refuses a BatchSize above 10 without a MaximumBatchingWindowInSeconds of at least 1"
    page = source_url = f"{PAGE}lambda/latest/api/API_CreateEventSourceMapping.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for mapping in graph.mappings:
            size = number(mapping.settings.get("BatchSize", _SMALL_BATCH))
            window = number(mapping.settings.get("MaximumBatchingWindowInSeconds", 0))
            if size is None or window is None:
                continue  # a parameter without a default or bounds
            if highest(size) > _SMALL_BATCH and lowest(window) < 1:
                message = f"batches of {highest(size)} messages need a window; set MaximumBatchingWindowInSeconds"
                yield Finding(mapping.resource, mapping.keys, message)


class NoRoomForThrottling(WiringRule):
    """Lambda tries a throttled batch until its visibility timeout ends; then the message has used up an attempt."""

    id = "E9106"
    shortdesc = "A mapping without a limit of concurrency survives ten minutes of throttling"
    description = "Its pollers can outrun the function's concurrency, and throttled messages become dead letters"
    page = source_url = f"{PAGE}lambda/latest/dg/services-sqs-errorhandling.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for mapping in graph.mappings:
            limited = "MaximumConcurrency" in as_dict(mapping.settings.get("ScalingConfig")) or (
                "MaximumPollers" in as_dict(mapping.settings.get("ProvisionedPollerConfig"))
            )
            queue = graph.find(mapping.queue, QUEUE)
            # Without a dead-letter queue throttling costs no message, and E9107 asks for the queue.
            if limited or queue is None or not as_dict(queue.properties.get("RedrivePolicy")):
                continue
            visible = number(queue.properties.get("VisibilityTimeout", 30))
            attempts = number(as_dict(queue.properties.get("RedrivePolicy")).get("maxReceiveCount", 10))
            if visible is None or attempts is None:
                continue  # E9104 and E9107 ask for the number
            survived = lowest(visible) * lowest(attempts)
            if survived < LEAST_THROTTLING:
                yield Finding(
                    mapping.resource,
                    mapping.keys,
                    f"nothing limits how many invocations there are at once, and after {survived} s of throttling the "
                    f"messages of queue {queue.logical_id} are dead letters; set ScalingConfig: {{MaximumConcurrency: "
                    f"n}}, or let VisibilityTimeout times maxReceiveCount be {LEAST_THROTTLING} or more",
                )


class FewAttempts(WiringRule):
    """Throttling and one short outage are attempts too."""

    id = "E9107"
    shortdesc = f"A message has {FEWEST_ATTEMPTS} attempts or more, and then a dead-letter queue"
    description = "Throttled invocations count as attempts: with few of them healthy messages become dead letters"
    page = source_url = f"{PAGE}lambda/latest/dg/services-sqs-configure.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        read = {queue.path for mapping in graph.mappings if (queue := graph.find(mapping.queue, QUEUE)) is not None}
        for queue in graph.of(QUEUE):
            policy = as_dict(queue.properties.get("RedrivePolicy"))
            keys = ("Properties", "RedrivePolicy")
            if not policy:
                # Messages that cannot be processed stay in a dead-letter queue, under its alarm.
                if queue.path in read - graph.dead_letter_queues:
                    yield Finding(
                        queue,
                        keys,
                        f"queue {queue.logical_id} tries a message until it is too old and then deletes it; give it a "
                        f"RedrivePolicy with a dead-letter queue and maxReceiveCount {FEWEST_ATTEMPTS} or more",
                    )
                continue
            attempts = number(policy.get("maxReceiveCount", 10))
            if attempts is None:
                yield Finding(
                    queue, keys, "maxReceiveCount is not known; give its parameter a default, or MinValue and MaxValue"
                )
            elif lowest(attempts) < FEWEST_ATTEMPTS:
                yield Finding(
                    queue,
                    keys,
                    f"queue {queue.logical_id} gives up on a message after {lowest(attempts)} receives; set "
                    f"maxReceiveCount to {FEWEST_ATTEMPTS} or more",
                )
