"""The logging handler: for any fault of the topic, no thread waits and every entry is accounted for."""

import json
import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from logging.handlers import QueueHandler, SocketHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError

from fanout.contracts.application_logs import LogEntry
from fanout.event import Event, decode, decode_data
from fanout.integrations import log_handler
from fanout.integrations.log_handler import FanoutHandler, Loss
from fanout.testing import REGION

ROOT = Path(__file__).parents[3]
ARN = f"arn:aws:sns:{REGION}:123456789012:ApplicationLogs"


class Topic:
    """An SNS client that keeps what is published, with configurable faults."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.requests = 0
        self.behave: Callable[[list[dict[str, str]]], set[str]] = lambda entries: set()
        """Returns the ids of the entries that the topic refuses for now, or raises."""

    def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        entries = PublishBatchRequestEntries
        self.requests += 1
        assert len(entries) <= 10
        assert sum(len(entry["Message"].encode()) for entry in entries) <= 262_144
        refused = self.behave(entries)
        taken = [entry for entry in entries if entry["Id"] not in refused]
        self.bodies += [entry["Message"] for entry in taken]
        return {
            "Successful": [{"Id": entry["Id"], "MessageId": f"m-{entry['Id']}"} for entry in taken],
            "Failed": [{"Id": each, "Code": "Throttled", "Message": "slow down"} for each in refused],
        }

    @property
    def entries(self) -> list[Event[LogEntry]]:
        """The published entries, by time of logging."""
        return [decode_data(decode(body), LogEntry) for body in self.bodies]

    @property
    def messages(self) -> list[str]:
        return [event.data.message for event in self.entries]


@pytest.fixture
def topic() -> Topic:
    return Topic()


Make = Callable[..., tuple[logging.Logger, FanoutHandler]]


@pytest.fixture
def make(topic: Topic) -> Iterator[Make]:
    """Make a separate logger with a handler to `topic`."""
    made: list[tuple[logging.Logger, FanoutHandler]] = []

    def build(**options: Any) -> tuple[logging.Logger, FanoutHandler]:
        handler = FanoutHandler(ARN, service="checkout", **{"client": lambda: topic, "patience": 2, **options})
        # Not registered, so other tests' changes to the loggers of this process do not affect it.
        logger = logging.Logger(f"test.{len(made)}", logging.DEBUG)
        logger.addHandler(handler)
        made.append((logger, handler))
        return logger, handler

    yield build
    for logger, handler in made:
        logger.removeHandler(handler)
        handler.close()


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_handler, "_PAUSES", (0.01, 0.01))


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def assert_accounted_for(handler: FanoutHandler, logged: int) -> None:
    counters = handler.counters
    assert counters.accepted + counters.dropped == logged
    assert counters.sent + counters.failed + counters.pending == counters.accepted


def doing(action: Callable[[], Any]) -> Callable[[Any], set[str]]:
    """A topic that calls a function, then accepts everything."""

    def behave(_: Any) -> set[str]:
        action()
        return set()

    return behave


def fail(*_: Any) -> set[str]:
    raise ClientError({"Error": {"Code": "InternalError", "Message": "down"}}, "PublishBatch")


def test_a_record_becomes_an_entry_with_all_that_is_known_of_it(make: Make, topic: Topic) -> None:
    logger, handler = make()
    before = time.time()
    try:
        {}["order"]
    except KeyError:
        logger.exception("no %s", "order", extra={"order_id": 7, "trace_id": "abc"}, stack_info=True)
    assert handler.flush(5)
    [event] = topic.entries
    entry = event.data
    assert (entry.service, entry.level, entry.message, entry.logger) == ("checkout", "ERROR", "no order", logger.name)
    assert entry.trace_id == "abc"
    assert entry.context["order_id"] == 7
    assert entry.context["exception"]["type"] == "builtins.KeyError"
    assert "KeyError: 'order'" in entry.context["exception"]["traceback"]
    assert "test_log_handler.py" in entry.context["location"]
    assert "test_log_handler.py" in entry.context["stack"]
    assert abs(event.occurred_at.timestamp() - before) < 5


def test_20000_lines_from_several_threads_arrive_once_each(make: Make, topic: Topic) -> None:
    logger, handler = make()

    def log(thread: int) -> None:
        for number in range(2_500):
            logger.info("line %d of %d", number, thread)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert handler.flush()
    assert Counter(topic.messages) == Counter(f"line {n} of {t}" for n in range(2_500) for t in range(8))
    assert len({event.id for event in topic.entries}) == 20_000
    assert handler.counters == log_handler.Counters(accepted=20_000, sent=20_000, failed=0, pending=0, dropped=0)
    assert topic.requests < 3_000, "entries go out in batches"


def test_a_hanging_topic_does_not_block_and_the_drops_are_counted_and_reported(make: Make, topic: Topic) -> None:
    answer = threading.Event()

    topic.behave = doing(answer.wait)
    losses: list[Loss] = []
    logger, handler = make(capacity=1_000, on_loss=losses.append)
    slowest = 0.0
    for number in range(5_000):
        started = time.perf_counter()
        logger.info("%d", number)
        slowest = max(slowest, time.perf_counter() - started)
    assert slowest < 1, "the caller never waits for the topic"
    assert handler.counters.dropped >= 5_000 - 1_000 - 4 * 10
    assert not handler.flush(0.05)
    answer.set()
    assert handler.flush(10)
    eventually(lambda: bool(losses))
    assert sum(loss.dropped for loss in losses) == handler.counters.dropped
    assert losses[0].reason == "the buffer is full"
    assert_accounted_for(handler, 5_000)
    assert len(topic.bodies) == handler.counters.sent == handler.counters.accepted


def test_the_buffer_is_bounded_in_bytes_too(make: Make, topic: Topic) -> None:
    answer = threading.Event()
    topic.behave = doing(answer.wait)
    logger, handler = make(capacity_bytes=1_000_000, senders=1, on_loss=lambda _: None)
    for _ in range(100):
        logger.info("x" * 100_000)
    assert 80 <= handler.counters.dropped <= 95
    answer.set()
    assert handler.flush(10)
    assert_accounted_for(handler, 100)


@pytest.mark.usefixtures("no_pauses")
def test_an_entry_that_is_always_refused_counts_as_failed_and_is_reported(make: Make, topic: Topic) -> None:
    topic.behave = fail
    losses: list[Loss] = []
    logger, handler = make(on_loss=losses.append)
    for number in range(100):
        logger.info("%d", number)
    assert handler.flush(10), "given up is done too"
    eventually(lambda: bool(losses))
    assert handler.counters.failed == 100
    assert losses[0].reason.startswith("InternalError")
    assert_accounted_for(handler, 100)
    topic.behave = lambda _: set()
    logger.info("after")
    assert handler.flush(10)
    assert topic.messages == ["after"]


@pytest.mark.usefixtures("no_pauses")
def test_an_outage_shorter_than_the_attempts_loses_nothing(make: Make, topic: Topic) -> None:
    topic.behave = lambda entries: fail() if topic.requests <= 4 else set()
    logger, handler = make()
    for number in range(100):
        logger.info("%d", number)
    assert handler.flush(10)
    assert sorted(map(int, topic.messages)) == list(range(100))
    assert_accounted_for(handler, 100)


@pytest.mark.usefixtures("no_pauses")
def test_entries_that_are_throttled_one_by_one_are_sent_again_alone(make: Make, topic: Topic) -> None:
    seen: Counter[str] = Counter()

    def throttle(entries: list[dict[str, str]]) -> set[str]:
        for entry in entries:
            seen[entry["Message"]] += 1
        return {entry["Id"] for entry in entries if entry["Id"] in "147" and seen[entry["Message"]] < 3}

    topic.behave = throttle
    logger, handler = make()
    for number in range(300):
        logger.info("%d", number)
    assert handler.flush(30)
    assert sorted(map(int, topic.messages)) == list(range(300))
    assert_accounted_for(handler, 300)


def test_a_slow_topic_gets_every_entry(make: Make, topic: Topic) -> None:
    topic.behave = doing(lambda: time.sleep(0.02))
    logger, handler = make()
    for number in range(1_000):
        logger.info("%d", number)
    assert handler.flush()
    assert len(topic.bodies) == 1_000


def test_a_single_entry_is_sent_after_max_age(make: Make, topic: Topic) -> None:
    logger, _ = make(max_age=0.05)
    logger.info("alone")
    eventually(lambda: topic.messages == ["alone"])


def test_large_entries_are_sent_in_batches_that_sns_accepts(make: Make, topic: Topic) -> None:
    logger, handler = make()
    for size in (1_000, 100_000, 200_000, 400_000, 260_000, 10):
        logger.info("x" * size)
    assert handler.flush(10)
    lengths = sorted(len(message) for message in topic.messages)
    assert lengths[:4] == [10, 1_000, 100_000, 200_000]
    assert all(message.endswith("characters cut off]") for message in topic.messages if len(message) > 200_000)


def test_what_boto3_logs_while_it_sends_is_not_sent(make: Make, topic: Topic) -> None:
    logger, handler = make()

    topic.behave = doing(lambda: logger.debug("Starting new HTTPS connection"))
    logger.info("hello")
    assert handler.flush(5)
    assert topic.messages == ["hello"]
    assert_accounted_for(handler, 1)


def test_two_handlers_do_not_feed_each_other(make: Make, topic: Topic) -> None:
    one, first = make()
    other, second = make()
    topic.behave = doing(lambda: (one.info("first"), other.info("second")))
    one.info("hello")
    other.info("hello")
    assert first.flush(5)
    assert second.flush(5)
    assert topic.messages == ["hello", "hello"]


def test_a_shutdown_does_not_wait_for_a_sender_that_logs(make: Make, topic: Topic) -> None:
    logger, handler = make(patience=30)
    topic.behave = doing(lambda: (logger.warning("chatter"), time.sleep(0.1)))
    logger.info("hello")
    started = time.monotonic()
    logging.shutdown([weakref.ref(handler)])
    assert time.monotonic() - started < 5
    assert topic.messages == ["hello"]


def test_a_mistake_in_a_log_call_is_logged_as_such(make: Make, topic: Topic) -> None:
    class Unprintable:
        def __str__(self) -> str:
            raise RuntimeError

        __repr__ = __str__

    logger, handler = make()
    logger.info("%d items", "many")
    logger.info(Unprintable())
    logger.info("fine", extra={"it": Unprintable(), "when": {1, 2}, "exception": "extra"})
    assert handler.flush(5)
    first, second, third = sorted(topic.entries, key=lambda event: event.occurred_at)
    assert first.data.message == "%d items (not formatted: TypeError; arguments: ['many'])"
    assert "Unprintable" in second.data.message
    assert third.data.context["it"] == "<Unprintable: RuntimeError while it was read>"
    assert third.data.context["exception_"] == "extra"
    assert_accounted_for(handler, 3)


def raised_error() -> ZeroDivisionError:
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        return error
    raise AssertionError


def pickled(record: logging.LogRecord) -> logging.LogRecord:
    """The record as logging's own server receives it from a SocketHandler."""
    sent = SocketHandler("127.0.0.1", 9).makePickle(record)
    return logging.makeLogRecord(pickle.loads(sent[4:]))  # noqa: S301 - pickled just above


def formatted(record: logging.LogRecord) -> logging.LogRecord:
    """The record from a bridge that formats the exception and drops it."""
    logging.Formatter().format(record)
    record.exc_info = None
    return record


def logged(**attributes: Any) -> logging.LogRecord:
    record = logging.LogRecord("shop", logging.ERROR, "/srv/shop.py", 7, "%s failed", ("payment",), None, "pay")
    vars(record).update(attributes)
    return record


FORMATTED = "Traceback (most recent call last):\n  File ...\nZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(pickled(logged(exc_info=(ZeroDivisionError, raised_error(), None))), id="through a SocketHandler"),
        pytest.param(formatted(logged(exc_info=(ZeroDivisionError, raised_error(), None))), id="formatted by a bridge"),
        pytest.param(QueueHandler(SimpleQueue()).prepare(logged(exc_info=(None, raised_error(), None))), id="queued"),
        pytest.param(logged(exc_info=raised_error()), id="the exception alone"),
        pytest.param(logged(exc_info=(ZeroDivisionError, ZeroDivisionError("division by zero"), None)), id="no frames"),
        pytest.param(logged(exc_info=(ZeroDivisionError, ZeroDivisionError(), None), exc_text=FORMATTED), id="pickled"),
        pytest.param(logged(exc_info=(None, None, None), exc_text=FORMATTED), id="a triple of nothing, and the text"),
        pytest.param(logged(exc_info=True, exc_text=FORMATTED), id="true outside of an except block, and the text"),
        pytest.param(logged(exc_info=FORMATTED), id="text in place of the triple"),
        pytest.param(logged(exc_info=["ZeroDivisionError", "division by zero", FORMATTED]), id="a triple of texts"),
        pytest.param(logged(exc_info={"stack": "ZeroDivisionError: division by zero"}), id="an object from JSON"),
        pytest.param(
            logged(exc_info=traceback.TracebackException.from_exception(raised_error())), id="a TracebackException"
        ),
    ],
)
def test_the_traceback_of_a_record_made_elsewhere_is_kept(record: logging.LogRecord, make: Make, topic: Topic) -> None:
    _, handler = make()
    handler.handle(record)
    assert handler.flush(5)
    [event] = topic.entries
    assert event.data.level == "ERROR"
    assert event.data.message.startswith("payment failed")
    assert "ZeroDivisionError: division by zero" in json.dumps(msgspec.to_builtins(event.data))


@pytest.mark.parametrize("exc_info", [None, ZeroDivisionError()], ids=["text alone", "pickled"])
def test_a_traceback_that_is_too_long_keeps_both_ends(exc_info: Any, make: Make, topic: Topic) -> None:
    _, handler = make()
    text = FORMATTED.replace("  File ...\n", "  File ...\n" * 20_000)
    handler.handle(logged(exc_info=exc_info, exc_text=text))
    assert handler.flush(5)
    kept = topic.entries[0].data.context["exception"]["traceback"]
    assert kept.startswith("Traceback (most recent call last):\n")
    assert kept.endswith("\nZeroDivisionError: division by zero")
    assert f"… [{len(text) - 16_000} characters cut off] …" in kept


def test_an_exception_that_is_being_handled_is_kept_for_a_record_that_says_true(make: Make, topic: Topic) -> None:
    _, handler = make()
    try:
        raise raised_error()
    except ZeroDivisionError:
        handler.handle(logged(exc_info=True))
    assert handler.flush(5)
    assert topic.entries[0].data.context["exception"]["type"] == "builtins.ZeroDivisionError"


def test_a_record_without_an_exception_has_none(make: Make, topic: Topic) -> None:
    _, handler = make()
    for nothing in (None, False, True, (None, None, None), ()):
        handler.handle(logged(exc_info=nothing))
    assert handler.flush(5)
    assert len(topic.entries) == 5
    assert all("exception" not in event.data.context for event in topic.entries)


class Inaudible:
    """A value that cannot be converted to text."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


@pytest.mark.parametrize(
    ("attributes", "level", "message"),
    [
        pytest.param({}, "INFO", "", id="nothing at all"),
        pytest.param({"msg": {"event": "paid"}, "levelno": 30}, "WARNING", "{'event': 'paid'}", id="an object"),
        pytest.param({"msg": ValueError("no"), "levelno": 40}, "ERROR", "no", id="an exception as the message"),
        pytest.param({"msg": b"raw", "levelname": "error"}, "ERROR", "b'raw'", id="bytes, and a level by name only"),
        pytest.param({"msg": "%s of %d", "args": ["one", 2]}, "INFO", "one of 2", id="arguments from JSON"),
        pytest.param({"msg": "100% done", "args": None}, "INFO", "100% done", id="merged, arguments removed"),
        pytest.param({"msg": "a 1", "args": ("x",), "message": "a 1"}, "INFO", "a 1", id="merged, arguments left"),
        pytest.param({"msg": Inaudible(), "levelno": 40}, "ERROR", None, id="a message without a text"),
        pytest.param({"msg": "x", "levelno": "40", "levelname": "FATAL"}, "CRITICAL", "x", id="a number as text"),
        pytest.param({"msg": "x", "levelno": 40.0, "levelname": "FAILED"}, "ERROR", "x", id="a number with a fraction"),
        pytest.param({"msg": "x", "levelno": "40"}, "ERROR", "x", id="a number as text alone"),
        pytest.param({"msg": "x", "levelno": 0, "levelname": "ERROR"}, "ERROR", "x", id="a number that is not set"),
        pytest.param({"msg": "x", "levelno": None, "levelname": None}, "INFO", "x", id="no level"),
        pytest.param({"msg": "x", "created": "2026-11-22T12:00:00Z"}, "INFO", "x", id="a time as text"),
        pytest.param({"msg": "x", "created": float("inf")}, "INFO", "x", id="an endless time"),
        pytest.param({"msg": "x", "created": 10**15}, "INFO", "x", id="a time in another unit"),
        pytest.param({"msg": "x", "name": Inaudible(), "pathname": 7, "lineno": "l"}, "INFO", "x", id="odd places"),
        pytest.param({"msg": "x", "stack_info": ["frame"], "trace_id": Inaudible()}, "INFO", "x", id="an odd stack"),
        pytest.param({"msg": "x", "exc_text": b"bytes", "exc_info": {"type": "E"}}, "INFO", "x", id="an odd exception"),
    ],
)
def test_a_record_of_any_shape_becomes_an_entry_and_raises_nothing(
    attributes: dict[str, Any], level: str, message: str | None, make: Make, topic: Topic
) -> None:
    _, handler = make()
    bare = logging.makeLogRecord({})
    vars(bare).clear()
    vars(bare).update(attributes)
    handler.handle(logging.makeLogRecord(attributes))
    handler.handle(bare)
    assert handler.flush(5)
    made, stripped = (event.data for event in topic.entries)
    assert made.level == stripped.level == level
    if message is not None:
        assert made.message == stripped.message == message


def test_a_filter_is_respected_and_a_formatter_is_not(make: Make, topic: Topic) -> None:
    logger, handler = make()
    handler.setFormatter(logging.Formatter("<%(message)s>"))
    handler.addFilter(lambda record: "secret" not in record.getMessage())
    logger.info("hello")
    logger.info("secret")
    assert handler.flush(5)
    assert topic.messages == ["hello"]


def test_closing_with_a_dead_topic_gives_up_once_and_accounts_for_everything(make: Make, topic: Topic) -> None:
    topic.behave = fail
    losses: list[Loss] = []
    logger, handler = make(patience=0.3, on_loss=losses.append)
    for number in range(500):
        logger.info("%d", number)
    started = time.monotonic()
    handler.flush()
    handler.close()
    assert time.monotonic() - started < 3, "patience runs out once, not twice"
    logger.info("too late")
    assert handler.counters == log_handler.Counters(accepted=500, sent=0, failed=500, pending=0, dropped=1)
    assert sum(loss.failed for loss in losses) == 500
    assert "not sent when the handler was closed (InternalError" in losses[-1].reason


@pytest.mark.usefixtures("no_pauses")
def test_by_default_a_loss_is_reported_on_standard_error(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    def no_client() -> Any:
        raise RuntimeError("no credentials")

    logger, handler = make(client=no_client)
    logger.info("hello")
    assert handler.flush(5)
    handler.close()
    assert "fanout log handler: 0 entries dropped, 1 not published; last reason: RuntimeError: no credentials" in (
        capsys.readouterr().err
    )


def test_an_arn_of_another_service_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="'ApplicationLogs' is not the ARN of an SNS topic"):
        FanoutHandler("ApplicationLogs", service="checkout")


class FileTopic(Topic):
    """A topic that other processes can write to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        with self._path.open("a") as file:
            file.write("".join(entry["Message"] + "\n" for entry in PublishBatchRequestEntries))
        return super().publish_batch(TopicArn, PublishBatchRequestEntries)


def messages_in(path: Path) -> list[str]:
    return sorted(json.loads(line)["data"]["message"] for line in path.read_text().splitlines())


def test_a_forked_child_sends_its_own_entries_and_not_its_parents(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "topic"
    made: list[int] = []

    def client() -> FileTopic:
        made.append(os.getpid())
        return FileTopic(path)

    logger, handler = make(client=client, max_age=60)
    logger.info("waits in the parent")
    child = os.fork()
    if child == 0:
        try:
            logger.info("from the child")
            ok = handler.flush(10) and handler.counters.sent == 1 and made[-1] == os.getpid()
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert handler.flush(10)
    assert messages_in(path) == ["from the child", "waits in the parent"]


def test_a_child_of_multiprocessing_flushes_when_it_ends(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "topic"
    logger, _ = make(client=lambda: FileTopic(path), max_age=60)
    logger.info("parent")
    child = multiprocessing.get_context("fork").Process(target=logger.info, args=("child",))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    assert messages_in(path) == ["child"]


def test_a_program_that_ends_without_flushing_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "topic"
    script = f"""
import logging, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from fanout.integrations.log_handler import FanoutHandler

class File:
    def publish_batch(self, TopicArn, PublishBatchRequestEntries):
        with Path({str(path)!r}).open("a") as file:
            file.writelines(entry["Message"] + "\\n" for entry in PublishBatchRequestEntries)
        return {{"Successful": [{{"Id": e["Id"], "MessageId": "m"}} for e in PublishBatchRequestEntries]}}

logging.basicConfig(level=logging.INFO, handlers=[FanoutHandler({ARN!r}, service="script", max_age=60, client=File)])
for number in range(95):
    logging.info("%d", number)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
    assert messages_in(path) == sorted(str(number) for number in range(95))


def test_the_client_it_makes_itself_publishes_to_a_real_topic(cloud: None) -> None:
    sns, sqs = boto3.client("sns", region_name=REGION), boto3.client("sqs", region_name=REGION)
    arn = sns.create_topic(Name="ApplicationLogs")["TopicArn"]
    queue = sqs.create_queue(QueueName="listener")["QueueUrl"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:123456789012:listener")
    handler = FanoutHandler(arn, service="checkout")
    logger = logging.getLogger("test.real")
    logger.addHandler(handler)
    logger.propagate = False
    logger.warning("hello")
    handler.close()
    logger.removeHandler(handler)
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(json.loads(message["Body"])["Message"])["data"]["message"] == "hello"
