"""Publishing from the command line: everything is checked against the contracts before anything goes out."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout import contracts, identity
from fanout.claim_check import ClaimChecks
from fanout.event import Event, InvalidEvent, decode, decode_data, encode
from fanout.publisher import MAX_BYTES, Failed, Publisher, PublishError
from fanout.receipts import excerpt
from fanout_cli.errors import UsageError, UserError
from fanout_cli.names import closest, require_use_case
from fanout_cli.output import Step
from fanout_cli.publishing.inputs import Document
from fanout_cli.publishing.journal import Journal, Published
from fanout_cli.stack.topology import Topic, Topology

# The source of events made from bare data.
SOURCE = "urn:fanout:cli"

# Events between two steps of the progress bar; requests under way at once.
_CHUNK = 500
_WORKERS = 8
_ERRORS_SHOWN = 10


@dataclass(frozen=True)
class Prepared:
    """An event that satisfies its contract, with its body as it came and as its contract reads it."""

    where: str
    event: Event[msgspec.Raw]
    typed: Event[Any]

    @property
    def topic_name(self) -> str:
        """The name of the topic its contract says."""
        return contracts.contract_of(type(self.typed.data)).topic

    def again(self) -> "Prepared":
        """Return the same, as a new event."""
        new_id = identity.new_id()
        replace = msgspec.structs.replace
        return Prepared(self.where, replace(self.event, id=new_id), replace(self.typed, id=new_id))


def prepare(documents: Sequence[Document], use_case: str, event_type: str | None = None) -> list[Prepared]:
    """Return the documents as events of the use case's contracts.

    event_type: the documents are bare data of that type. Raises UsageError for an unknown use case or type, UserError
    with document and field for everything that is not an event of a contract. One invalid document refuses all.
    """

    schemas = contracts.load(require_use_case(use_case))
    if event_type is not None and event_type not in schemas:
        raise UsageError(
            f"{use_case} has no event type {event_type!r}{closest(event_type, schemas)}",
            _known_types(use_case, schemas),
        )
    prepared: list[Prepared] = []
    problems: list[str] = []
    for document in documents:
        try:
            prepared.append(_prepare(document, use_case, schemas, event_type))
        except InvalidEvent as error:
            problems.append(f"{document.where}: {excerpt(str(error))}")
    if problems:
        more = f"\n... and {len(problems) - _ERRORS_SHOWN} more" if len(problems) > _ERRORS_SHOWN else ""
        raise UserError(
            "\n".join(problems[:_ERRORS_SHOWN]) + more, "Nothing was published. " + _known_types(use_case, schemas)
        )
    return prepared


def _prepare(document: Document, use_case: str, schemas: Mapping[str, type[Any]], event_type: str | None) -> Prepared:
    try:
        text = document.json
    except RecursionError:
        raise InvalidEvent("nested too deeply") from None
    except UnicodeEncodeError:
        raise InvalidEvent("a text has a lone surrogate") from None
    if event_type is None:
        event = decode(text)
    elif "specversion" in document.value:
        raise UsageError(f"{document.where} is a whole event, but --type is for bare data", "Leave out --type.")
    else:
        event = Event(
            specversion="1.0",
            id=identity.new_id(),
            source=SOURCE,
            type=event_type,
            time=datetime.now(UTC),
            datacontenttype="application/json",
            data=msgspec.Raw(text),
        )
    schema = schemas.get(event.type)
    if schema is None:
        raise InvalidEvent(f"type: {use_case} has no event type {event.type!r}{closest(event.type, schemas)}")
    return Prepared(document.where, event, decode_data(event, schema))


def _known_types(use_case: str, schemas: Mapping[str, type[Any]]) -> str:
    return f"Event types of {use_case}: {', '.join(sorted(schemas))}."


@dataclass(frozen=True)
class Result:
    """The outcome of `publish`: every event is in one of the two lists."""

    published: list[Published]
    failed: list[Failed]


class EventPublisher:
    """Publishes prepared events to the topics of a deployed application, and keeps the journal."""

    def __init__(self, client: Callable[[str], Any], topology: Topology, journal: Journal) -> None:
        self._sns = client("sns")
        self._topology = topology
        self._journal = journal

    def check(self, events: Sequence[Prepared]) -> None:
        """Raise UserError unless every event has a deployed topic and fits through it."""
        for prepared in events:
            topic = self._topic(prepared)
            size = len(encode(self._carried(prepared, topic)))
            if size > MAX_BYTES and self._claim_checks(topic) is None:
                raise UserError(
                    f"{prepared.where}: the event has {size} bytes, {topic.name} takes {MAX_BYTES}",
                    f"Nothing was published. Make it smaller, or give {topic.use_case} a claim-check bucket.",
                )

    def publish(self, events: Sequence[Prepared], progress: Step) -> Result:
        """Publish the events, in the order given for each topic. What failed is in the result, entry by entry."""
        by_topic: dict[str, list[Prepared]] = defaultdict(list)
        for prepared in events:
            by_topic[self._topic(prepared).arn].append(prepared)
        result = Result([], [])
        done = 0
        for arn, batch in by_topic.items():
            topic = self._topic(batch[0])
            publisher = Publisher(arn, claim_checks=self._claim_checks(topic), workers=_WORKERS, client=self._sns)
            for first in range(0, len(batch), _CHUNK):
                chunk = batch[first : first + _CHUNK]
                self._publish(publisher, topic, chunk, result)
                done += len(chunk)
                progress.update(f"to {topic.name}", done=done, total=len(events))
        return result

    def _publish(self, publisher: Publisher, topic: Topic, chunk: Sequence[Prepared], result: Result) -> None:
        published_at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            accepted = publisher.publish([self._carried(each, topic) for each in chunk])
        except PublishError as error:
            accepted = error.published
            result.failed.extend(error.failed)
        # The same event may stand in the input twice: each acceptance belongs to the next of its id.
        waiting: dict[str, deque[Prepared]] = defaultdict(deque)
        for each in chunk:
            waiting[each.event.id].append(each)
        published = [
            _published(waiting[each.event_id].popleft(), topic, published_at, each.message_id) for each in accepted
        ]
        self._journal.append(published)
        result.published.extend(published)

    def _topic(self, prepared: Prepared) -> Topic:
        topic = self._topology.topic(name=prepared.topic_name)
        if topic is None:
            raise UserError(
                f"the topic {prepared.topic_name} is not deployed in stack {self._topology.stack_name} "
                f"(deployed: {', '.join(self._topology.use_cases) or 'nothing'})",
                "Deploy its use case: fanout up locally, sam deploy on AWS.",
            )
        return topic

    def _claim_checks(self, topic: Topic) -> ClaimChecks | None:
        """Return the claim-check store of the use case's subscribers; None if there is none."""
        buckets = [
            each.environment.get("FANOUT_CLAIM_CHECK_BUCKET") for each in self._topology.of_use_case(topic.use_case)
        ]
        bucket = next(filter(None, buckets), None)
        return ClaimChecks(bucket, topic.use_case) if bucket else None

    def _carried(self, prepared: Prepared, topic: Topic) -> Event[Any]:
        """Return the event in the form that the publisher takes.

        The data as it was given, so that no field of a newer contract is lost; decoded by its contract only where
        the publisher needs its fields (the group on a FIFO topic, the stub of a claim check).
        """
        needs_fields = topic.arn.endswith(".fifo") or len(encode(prepared.event)) > MAX_BYTES
        return prepared.typed if needs_fields else prepared.event


def _published(prepared: Prepared, topic: Topic, published_at: str, message_id: str) -> Published:
    event = prepared.typed
    fields = msgspec.to_builtins(contracts.filterable_fields(event.type, event.data))
    return Published(event.id, event.source, event.type, topic.arn, published_at, message_id, fields)
