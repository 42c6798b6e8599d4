"""The publisher: events to one SNS topic, in as few requests as the limits allow, each accounted for.

Limits: 10 messages and 256 KiB together per request (up to 1 MiB where the topic's MaximumMessageSize says so).
https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
"""

import hashlib
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from fanout import aws, contracts
from fanout.claim_check import ClaimChecks, TooLargeError
from fanout.event import Event, InvalidEvent, encode, validate
from fanout.outcomes import Retry

aws.prepare("sns")

MAX_ENTRIES = 10
MAX_BYTES = 262_144
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: "less than 100 characters long".
_MAX_SUBJECT = 99
# Codes that SNS reports as the sender's fault although a later attempt can succeed: permission, key, topic, rate.
# https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html#API_PublishBatch_Errors
_NOT_ABOUT_THE_ENTRY = re.compile(r"^KMS|Throttl|^Authorization|AccessDenied|^NotFound")


class Published(msgspec.Struct, frozen=True):
    """One event that SNS has accepted."""

    event_id: str
    message_id: str


class Failed(msgspec.Struct, frozen=True):
    """One event that could not be published, with the code and message of SNS or of this module."""

    event_id: str
    code: str
    message: str
    is_final: bool = False
    """Whether the event itself is refused, so that publishing it again unchanged cannot succeed."""


class Presentation(msgspec.Struct, frozen=True, kw_only=True):
    """An event as a topic's e-mail and SMS subscriptions show it; SNS would send the JSON.

    Such subscriptions must filter by attributes: filters on the body do not apply to these texts.
    """

    subject: str
    """Of a mail. SNS allows less than 100 characters and no line breaks; a longer one is cut."""
    texts: Mapping[str, str]
    """The texts sent instead of the event, by protocol: {"email": ..., "sms": ...}."""
    attributes: Mapping[str, str]
    """The message attributes for the filters of these subscriptions."""

    @property
    def line(self) -> str:
        """The subject as SNS accepts it."""
        text = "".join(character if character.isprintable() else " " for character in self.subject)
        return text if len(text) <= _MAX_SUBJECT else f"{text[: _MAX_SUBJECT - 1]}…"

    @property
    def size(self) -> int:
        """The bytes that the attributes add to the message: names, types and values count."""
        return sum(len(f"{name}String{value}".encode()) for name, value in self.attributes.items())


class PublishError(Exception):
    """Some events could not be published. `published` and `failed` together account for every one of them."""

    def __init__(self, published: list[Published], failed: list[Failed]) -> None:
        reasons = sorted({f"{entry.code}: {entry.message}" for entry in failed})
        super().__init__(f"{len(failed)} of {len(failed) + len(published)} events not published ({'; '.join(reasons)})")
        self.published = published
        self.failed = failed


class _Entry(msgspec.Struct):
    """One event ready to be sent. `key` is its index among the given events, and its id in the request."""

    key: int
    event_id: str
    body: str
    size: int
    group: str | None = None
    """Of a FIFO topic: the entries of a group are sent in order."""
    fair_group: str | None = None
    deduplication: str | None = None
    presentation: Presentation | None = None


class Publisher:
    """Publishes events to one topic.

    topic_arn: an ARN that ends in `.fifo` makes every entry carry its contract's group and a deduplication id.
    claim_checks: where events above `max_bytes` are stored; without it they fail with code `TooLarge`.
    workers: the number of concurrent requests (FIFO topics: always one, to keep the order).
    present: the texts for a topic's e-mail or SMS subscriptions; functions and queues still get the event itself.
    client: an SNS client; the process's own unless given.
    """

    def __init__(
        self,
        topic_arn: str,
        *,
        claim_checks: ClaimChecks | None = None,
        max_bytes: int = MAX_BYTES,
        workers: int = 1,
        attempts: int = 4,
        present: Callable[[Event[Any]], Presentation] | None = None,
        client: Any = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._topic_arn = topic_arn
        self._claim_checks = claim_checks
        self._max_bytes = max_bytes
        self._attempts = attempts
        self._present = present
        self._fifo = topic_arn.endswith(".fifo")
        self._workers = 1 if self._fifo else workers
        self._client = client
        self._sleep = sleep

    def publish(self, events: Iterable[Event[Any]]) -> list[Published]:
        """Publish the events and return SNS's message ids, in order.

        An event that its subscribers would reject (see `fanout.event.validate`) is not sent. Only the entries that SNS
        did not accept are sent again, with backoff. Raises PublishError if some events were not published: it lists
        each with code and reason, and those that were published.
        """
        published: dict[int, Published] = {}
        failed: dict[int, Failed] = {}
        entries: list[_Entry] = []
        blocked: set[str | None] = set()
        for key, event in enumerate(events):
            group: str | None = None
            try:
                group = message_group(event) if self._fifo else None
                entry = _held(event.id) if group in blocked else self._prepare(key, event, group)
            except InvalidEvent as error:
                entry = Failed(event.id, "InvalidEvent", str(error), is_final=True)
            except (ValueError, TypeError, OverflowError, RecursionError) as error:  # mostly a lone surrogate
                entry = Failed(event.id, "NotEncodable", f"not JSON: {_unencodable(error)}", is_final=True)
            if isinstance(entry, Failed):
                failed[key] = entry
                blocked |= {group} if self._fifo else set()
            else:
                entries.append(entry)
        batches = list(split(entries, self._max_bytes))
        if self._workers > 1 and len(batches) > 1:
            client = self._sns()  # before the threads: sharing a boto3 client is thread-safe, creating one is not
            with ThreadPoolExecutor(min(self._workers, len(batches))) as pool:
                results = list(pool.map(lambda batch: self._send(client, batch), batches))
        else:
            results = list(self._in_turn(batches))
        for accepted, refused in results:
            published.update(accepted)
            failed.update(refused)
        in_order = [published[key] for key in sorted(published)]
        if failed:
            raise PublishError(in_order, [failed[key] for key in sorted(failed)])
        return in_order

    def _in_turn(self, batches: list[list[_Entry]]) -> Iterator[tuple[dict[int, Published], dict[int, Failed]]]:
        """Send the batches one by one. After a failed entry of a FIFO group, nothing of that group is sent."""
        blocked: set[str] = set()
        for batch in batches:
            ready = [entry for entry in batch if entry.group not in blocked]
            published, failed = self._send(self._sns(), ready) if ready else ({}, {})
            blocked |= {entry.group for entry in ready if entry.group is not None and entry.key in failed}
            held = {
                entry.key: _held(entry.event_id)
                for entry in batch
                if entry.group in blocked and entry.key not in failed
            }
            yield published, {**failed, **held}

    def _sns(self) -> Any:
        return self._client or aws.client("sns")

    def _prepare(self, key: int, event: Event[Any], group: str | None) -> _Entry | Failed:
        encoded = encode(event)
        validate(event, encoded)
        presentation = self._present(event) if self._present else None
        body, size = _message(encoded, presentation)
        if size > self._max_bytes:
            if self._claim_checks is None:
                return Failed(event.id, "TooLarge", f"{size} bytes, the topic takes {self._max_bytes}", is_final=True)
            try:
                body, size = _message(encode(self._claim_checks.store(event)), presentation)
            except TooLargeError as error:
                return Failed(event.id, "TooLarge", str(error), is_final=True)
            except Exception as error:  # entry by entry: one event that cannot be stored holds up no other
                return Failed(event.id, aws.error_code(error) or type(error).__name__, "its claim check was not stored")
            if size > self._max_bytes:
                return Failed(event.id, "TooLarge", f"its stub still has {size} bytes", is_final=True)
        entry = _Entry(key, event.id, body, size, group=group, presentation=presentation)
        if self._fifo:
            entry.deduplication = hashlib.sha256(event.identity.encode()).hexdigest()
        else:
            entry.fair_group = fair_group(event)
        return entry

    def _send(self, client: Any, batch: list[_Entry]) -> tuple[dict[int, Published], dict[int, Failed]]:
        published: dict[int, Published] = {}
        failed: dict[int, Failed] = {}
        waiting = {entry.key: entry for entry in batch}
        for attempt in range(1, self._attempts + 1):
            again: dict[int, Failed] = {}
            try:
                response = client.publish_batch(
                    TopicArn=self._topic_arn,
                    PublishBatchRequestEntries=[_request(entry) for entry in waiting.values()],
                )
            except Exception as error:  # botocore has retried the whole request; its exception applies to each entry
                code = aws.error_code(error) or type(error).__name__
                refusal = {entry.key: Failed(entry.event_id, code, str(error)) for entry in waiting.values()}
                return published, {**failed, **refusal}
            for success in response.get("Successful", []):
                entry = waiting.pop(int(success["Id"]))
                published[entry.key] = Published(entry.event_id, success["MessageId"])
            for refused in response.get("Failed", []):
                entry = waiting[int(refused["Id"])]
                failure = Failed(entry.event_id, refused["Code"], refused.get("Message", ""))
                # Our fault, and about the entry: it would be refused again.
                if refused.get("SenderFault") and not _NOT_ABOUT_THE_ENTRY.search(failure.code):
                    failed[entry.key] = msgspec.structs.replace(failure, is_final=True)
                    del waiting[entry.key]
                else:
                    again[entry.key] = failure
            if not waiting:
                return published, failed
            if attempt == self._attempts:
                unanswered = {
                    key: Failed(entry.event_id, "NoAnswer", "SNS's response does not mention this entry")
                    for key, entry in waiting.items()
                }
                return published, {**failed, **unanswered, **again}
            self._sleep(random.uniform(0.5, 1) * 0.1 * 2 ** (attempt - 1))  # noqa: S311 - jitter
        raise AssertionError("attempts is at least 1")


def publish(
    topic_arn: str,
    events: Iterable[Event[Any]],
    *,
    claim_checks: ClaimChecks | None = None,
    present: Callable[[Event[Any]], Presentation] | None = None,
) -> None:
    """Publish events from a handler, which is called again with their cause if this fails; see `Publisher`.

    Call it after the effect is committed, and again for every duplicate of the cause: the ids are always the same.
    Raises Retry if some events were not published; the reason lists SNS's codes.
    """
    try:
        Publisher(topic_arn, claim_checks=claim_checks, present=present).publish(events)
    except PublishError as error:
        raise Retry(f"not published: {', '.join(sorted({each.code for each in error.failed}))}") from error


def _unencodable(error: Exception) -> str:
    """Return the problem without a value: a TypeError names only types, some others quote values."""
    if isinstance(error, UnicodeEncodeError):
        return "a text has a lone surrogate"
    return str(error) if isinstance(error, TypeError) else type(error).__name__


def _held(event_id: str) -> Failed:
    return Failed(event_id, "GroupBlocked", "an earlier event of its group was not published")


def split(entries: Iterable[_Entry], max_bytes: int = MAX_BYTES) -> Iterator[list[_Entry]]:
    """Split entries into batches within SNS's limits, in order.

    No batch has two entries of one FIFO group: if the first failed and the second did not, sending the first again
    would reverse their order.
    """
    batch: list[_Entry] = []
    size = 0
    groups: set[str] = set()
    for entry in entries:
        if batch and (len(batch) == MAX_ENTRIES or size + entry.size > max_bytes or entry.group in groups):
            yield batch
            batch, size, groups = [], 0, set()
        batch.append(entry)
        size += entry.size
        if entry.group is not None:
            groups.add(entry.group)
    if batch:
        yield batch


def message_group(event: Event[Any]) -> str:
    """Return the FIFO group of an event: the values of its contract's group fields, hashed if long (128 characters).

    https://docs.aws.amazon.com/sns/latest/dg/fifo-message-grouping.html
    """
    fields = contracts.contract_of(type(event.data)).group
    return _group_id("/".join(_group_part(getattr(event.data, name)) for name in fields) or event.source)


def fair_group(event: Event[Any]) -> str | None:
    """Return the group by which a standard queue is fair: the value of its contract's `fair_by` field, if it has one.

    SNS passes it to standard queues, which deliver the messages of groups with a backlog after those of others:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    """
    schema = type(event.data)
    field = contracts.contract_of(schema).fair_by if issubclass(schema, msgspec.Struct) else None  # or encoded data
    value = getattr(event.data, field) if field else None
    return None if value is None or value == "" else _group_id(_group_part(value))


def _group_id(text: str) -> str:
    plain = len(text) <= 128 and text.isascii() and text.isprintable() and " " not in text
    return text if plain else hashlib.sha256(text.encode()).hexdigest()


def _group_part(value: Any) -> str:
    """Return a text unchanged, any other value as JSON with sorted fields."""
    return value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()


def _message(body: bytes, presentation: Presentation | None) -> tuple[str, int]:
    """Return the text of a message, and the bytes that SNS counts. MessageStructure json has a text per protocol."""
    if presentation is None:
        return body.decode(), len(body)
    text = msgspec.json.encode({**presentation.texts, "default": body.decode()})
    return text.decode(), len(text) + presentation.size


def _request(entry: _Entry) -> dict[str, Any]:
    request: dict[str, Any] = {"Id": str(entry.key), "Message": entry.body}
    if entry.presentation is not None:
        request |= {
            "Subject": entry.presentation.line,
            "MessageStructure": "json",
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in entry.presentation.attributes.items()
            },
        }
    if entry.group is not None and entry.deduplication is not None:
        request |= {"MessageGroupId": entry.group, "MessageDeduplicationId": entry.deduplication}
    elif entry.fair_group is not None:
        request["MessageGroupId"] = entry.fair_group
    return request
