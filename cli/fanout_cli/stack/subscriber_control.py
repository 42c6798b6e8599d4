"""Pause and resume a subscriber: its events wait in its inbox; other subscribers are not affected.

A subscriber with an inbox, FIFO or not, is paused by its event source mapping alone. A direct one also gets events
from SNS by asynchronous invocation, and those must not be refused (refused events become dead letters) nor tried in
vain. Lambda supports this: of a function whose reserved concurrency is zero it hands every event to the on-failure
destination at once, untried (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html). So
that destination becomes the inbox, whose mapping is off, and the runtime reads Lambda's record. There is
no moment at which an event could get lost: whatever order things take effect in, it is handled, in the inbox, or a dead
letter. (SNS's filters would need up to 15 minutes to take effect, and an event could slip between two subscriptions.)

What stood there before is kept in tags of the function: resuming puts it back, unless an operator has put something
else there meanwhile. The tags go last, so that a resuming that broke off can be done again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from fanout_cli.errors import UserError
from fanout_cli.names import require_subscriber
from fanout_cli.stack.target import Target
from fanout_cli.stack.topology import Subscriber, Topology

_POLL_SECONDS = 0.5
# AWS switches a mapping within seconds, and says that it may take a minute.
_TIMEOUT_SECONDS = 180.0
_CONCURRENCY_TAG = "fanout:before-pause-concurrency"
_DESTINATION_TAG = "fanout:before-pause-destination"
_NONE = "none"
_OFF = ("Disabled", "Disabling")


@dataclass(frozen=True)
class State:
    """Which deliveries to a subscriber are stopped."""

    inbox_shut: bool
    direct_shut: bool | None
    """None: SNS does not invoke it"""

    @property
    def paused(self) -> bool:
        """Whether no delivery reaches it."""
        return self.inbox_shut and self.direct_shut is not False

    @property
    def running(self) -> bool:
        """Whether every delivery reaches it."""
        return not self.inbox_shut and not self.direct_shut

    @property
    def word(self) -> str:
        """As `fanout status` shows it."""
        return "running" if self.running else "paused" if self.paused else "partly paused"


class SubscriberControl:
    """Pauses and resumes one subscriber. Every method raises what AWS raises."""

    def __init__(self, client: Callable[[str], Any], topology: Topology, subscriber: Subscriber) -> None:
        self._functions = client("lambda")
        self._sqs = client("sqs")
        self._subscriber = subscriber
        self._qualifier = _direct_qualifier(topology, subscriber)

    @classmethod
    def of(cls, target: Target, name: str) -> "SubscriberControl":
        """Return the control of a deployed subscriber. Raises UsageError if there is none of that name."""
        topology = target.topology()
        return cls(target.client, topology, require_subscriber(name, topology))

    @property
    def name(self) -> str:
        """The subscriber's name: team_events/team_a."""
        return self._subscriber.name

    def state(self) -> State:
        """Return the current state."""
        inbox_shut = self._mapping()["State"] in _OFF
        return State(inbox_shut, None if self._qualifier is None else self._concurrency() == 0)

    def pause(self) -> None:
        """Stop every delivery, so that events wait in the inbox. Running invocations finish."""
        if self._qualifier is not None:
            self._remember()
            self._send_failures_to(self._inbox_arn())
        self._set_mapping(enabled=False)
        if self._qualifier is not None:
            self._functions.put_function_concurrency(FunctionName=self._function, ReservedConcurrentExecutions=0)

    def resume(self) -> None:
        """Restore every delivery as it was before the pause."""
        if self._qualifier is not None:
            before = self._remembered()
            if self._concurrency() == 0:
                self._reserve(before.get(_CONCURRENCY_TAG, _NONE))
            destination = before.get(_DESTINATION_TAG)
            if destination and self._failures_go_to() == self._inbox_arn():
                self._send_failures_to(None if destination == _NONE else destination)
        self._set_mapping(enabled=True)
        if self._qualifier is not None and before:
            self._functions.untag_resource(Resource=self._arn(), TagKeys=[_CONCURRENCY_TAG, _DESTINATION_TAG])

    def retention_days(self) -> float:
        """Return the retention period of the inbox in days."""
        names = ["MessageRetentionPeriod"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._subscriber.inbox_url, AttributeNames=names)
        return int(found["Attributes"][names[0]]) / 86_400

    @property
    def _function(self) -> str:
        return self._subscriber.function_name

    def _arn(self) -> str:
        return str(self._functions.get_function_configuration(FunctionName=self._function)["FunctionArn"])

    def _inbox_arn(self) -> str:
        url = self._subscriber.inbox_url
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def _mapping(self) -> Mapping[str, Any]:
        """Return the function's mapping of its inbox."""
        pages = self._functions.get_paginator("list_event_source_mappings").paginate(EventSourceArn=self._inbox_arn())
        # By the function's name, for any alias.
        found = [
            mapping
            for page in pages
            for mapping in page["EventSourceMappings"]
            if mapping["FunctionArn"].split(":")[6] == self._function
        ]
        if not found:
            raise UserError(
                f"{self._subscriber.name} has no event source mapping: nothing reads its inbox",
                "Deploy it again: fanout up locally, sam deploy on AWS.",
            )
        mapping: Mapping[str, Any] = found[0]
        return mapping

    def _set_mapping(self, *, enabled: bool) -> None:
        """Enable or disable the mapping and wait until that has happened."""
        wanted = "Enabled" if enabled else "Disabled"
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        requested = False
        while (state := (mapping := self._mapping())["State"]) != wanted:
            # While it is being switched, AWS refuses to control it again.
            if not requested and not state.endswith("ing"):
                self._functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)
                requested = True
                continue
            if time.monotonic() > deadline:
                raise UserError(
                    f"the event source mapping of {self._subscriber.name} is still {state} after "
                    f"{_TIMEOUT_SECONDS:.0f} s, not {wanted}",
                    "Run the command again.",
                )
            time.sleep(_POLL_SECONDS)

    def _concurrency(self) -> int | None:
        found = self._functions.get_function_concurrency(FunctionName=self._function)
        reserved: int | None = found.get("ReservedConcurrentExecutions")
        return reserved

    def _reserve(self, concurrency: str) -> None:
        if concurrency == _NONE:
            self._functions.delete_function_concurrency(FunctionName=self._function)
        else:
            self._functions.put_function_concurrency(
                FunctionName=self._function, ReservedConcurrentExecutions=int(concurrency)
            )

    def _remember(self) -> None:
        """Tag the function with what a pause changes. Where an earlier one has changed it already, its tag stands."""
        before, tags = self._remembered(), {}
        concurrency, destination = self._concurrency(), self._failures_go_to()
        if not (_CONCURRENCY_TAG in before and concurrency == 0):
            tags[_CONCURRENCY_TAG] = _NONE if concurrency is None else str(concurrency)
        if not (_DESTINATION_TAG in before and destination == self._inbox_arn()):
            tags[_DESTINATION_TAG] = destination or _NONE
        if tags:
            self._functions.tag_resource(Resource=self._arn(), Tags=tags)

    def _remembered(self) -> Mapping[str, str]:
        """Return the tags of an earlier pause."""
        tags = self._functions.list_tags(Resource=self._arn()).get("Tags", {})
        return {name: tags[name] for name in (_CONCURRENCY_TAG, _DESTINATION_TAG) if name in tags}

    def _failures_go_to(self) -> str | None:
        settings = self._invocation_settings() or {}
        destination: str | None = settings.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        return destination

    def _invocation_settings(self) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._functions.get_function_event_invoke_config(**self._addressed)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return found

    def _send_failures_to(self, destination: str | None) -> None:
        """Change the on-failure destination, and nothing else of the settings of asynchronous invocation."""
        settings = self._invocation_settings() or {}
        kept = {
            name: settings[name] for name in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds") if name in settings
        }
        destinations = {name: each for name, each in settings.get("DestinationConfig", {}).items() if each}
        destinations["OnFailure"] = {"Destination": destination} if destination else {}
        self._functions.put_function_event_invoke_config(**self._addressed, **kept, DestinationConfig=destinations)

    @property
    def _addressed(self) -> dict[str, str]:
        """The function with the qualifier that SNS invokes: settings of asynchronous invocation are the qualifier's."""
        return {"FunctionName": self._function} | ({"Qualifier": self._qualifier} if self._qualifier else {})


def _direct_qualifier(topology: Topology, subscriber: Subscriber) -> str | None:
    """Return the qualifier ("live", "" for none) by which SNS invokes the function; None if it does not."""
    for topic in topology.topics_of(subscriber.name):
        for each in topic.subscriptions:
            if each.subscriber == subscriber.name and each.protocol == "lambda":
                return ":".join(each.endpoint.split(":")[7:])
    return None
