"""A logging handler that publishes log records as `log.entry.v1` events and never blocks the program.

    handler = FanoutHandler("arn:aws:sns:eu-central-1:123456789012:ApplicationLogs", service="checkout")
    logging.getLogger().addHandler(handler)

Entries wait in a bounded buffer; threads in the background publish them in batches. When the buffer is full, new
entries are dropped and counted; entries that SNS does not accept after several attempts count as failed. Both are
reported, by default on standard error, at most once in ten seconds; `handler.counters` has the totals. At exit
`logging.shutdown` flushes and closes the handler. A process that is frozen or ends without it (Lambda, os._exit) must
call `flush()`. A forked child starts with an empty buffer: the parent sends what was waiting.

Messages, exceptions and `extra` fields are published unchanged: keep personal data out, or add a logging.Filter.
Formatters are ignored: an entry has separate fields, and `logging.basicConfig` always sets a formatter.
"""

import contextlib
import logging
import os
import sys
import threading
import time
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import msgspec

from fanout import log_entry
from fanout.contracts.application_logs import Level, LogEntry
from fanout.event import YEARS, Event, encode
from fanout.publisher import MAX_BYTES, MAX_ENTRIES, Publisher, PublishError

_REPORT_SECONDS = 10.0
# Seconds to wait before a batch is sent again; each time botocore and the publisher retry too.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
# The attributes of every log record; all others come from `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "trace_id", "otelTraceID"}
_RESERVED = {"location", "exception", "stack"}
_MAX_TRACEBACK = 16_000

_this_thread = threading.local()
"""`sends` is set in the threads that publish. The records of boto3 and urllib3 in these must not be published."""


class Counters(msgspec.Struct, frozen=True):
    """The totals of this process: accepted = sent + failed + pending."""

    accepted: int
    sent: int
    failed: int
    """Accepted, and given up: not accepted by SNS after all attempts, or not sent when the handler was closed."""
    pending: int
    dropped: int
    """Not accepted: the buffer was full, or the handler closed."""


class Loss(msgspec.Struct, frozen=True):
    """The entries lost since the last report."""

    dropped: int
    failed: int
    reason: str
    """The latest one."""


class FanoutHandler(logging.Handler):
    """Publishes log records to the topic of application_logs. Several loggers may share one."""

    def __init__(
        self,
        topic_arn: str,
        *,
        service: str,
        level: int = logging.NOTSET,
        capacity: int = 50_000,
        capacity_bytes: int = 64 * 1024 * 1024,
        max_age: float = 1.0,
        senders: int = 4,
        patience: float = 10.0,
        on_loss: Callable[[Loss], None] | None = None,
        client: Callable[[], Any] | None = None,
    ) -> None:
        """Threads and the SNS client are created with the first record.

        service: the program. capacity, capacity_bytes: the limits of the buffer. max_age: seconds after which a batch
        is sent that is not full. senders: the number of concurrent batches. patience: seconds without a single entry
        sent after which `flush` (without a timeout) and `close` give up. on_loss: called with every report instead of
        standard error, mostly in a background thread. client: creates an SNS client, once per process.

        Raises ValueError if topic_arn is not the ARN of an SNS topic.
        """
        super().__init__(level)
        parts = topic_arn.split(":")
        if len(parts) != 6 or parts[2] != "sns":
            raise ValueError(
                f"topic_arn {topic_arn!r} is not the ARN of an SNS topic (arn:aws:sns:<region>:<account>:<name>)"
            )
        self._topic_arn = topic_arn
        self._service = log_entry.service_name(service)
        self._source = f"urn:fanout:log-handler:{self._service}"
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._max_age = max_age
        self._senders = senders
        self._patience = patience
        self._on_loss = on_loss or _report_on_stderr
        self._make_client = client or self._default_client
        self._closed = False
        self._reset()
        _handlers.add(self)

    def _reset(self) -> None:
        """Reset the state: in a new handler, and in a forked child, whose parent sends what was waiting."""
        # Guards all that follows. Reentrant, because a finalizer that logs may run while it is held.
        self._lock = threading.RLock()
        self._work = threading.Condition(self._lock)
        """For idle senders: there is a batch."""
        self._progress = threading.Condition(self._lock)
        """For `flush` and for waiting senders: a batch is done or the handler is closed."""
        self._buffer: deque[tuple[float, int, Event[LogEntry]]] = deque()
        self._bytes = 0
        # Batches in progress: the number of their first entry (accepted entries are numbered), and their length.
        self._under_way: dict[int, int] = {}
        self._accepted = self._sent = self._failed = self._dropped = 0
        self._unreported_dropped = self._unreported_failed = 0
        self._reason = ""
        self._reported_at = float("-inf")
        self._flushing = 0
        self._stalled: tuple[int, int] | None = None
        """Accepted and sent when patience last ran out: while these are unchanged, waiting again does not help."""
        self._threads: list[threading.Thread] = []
        self._publisher: Publisher | None = None
        self._publisher_lock = threading.Lock()

    @property
    def counters(self) -> Counters:
        """The totals up to now."""
        with self._lock:
            pending = len(self._buffer) + sum(self._under_way.values())
            return Counters(self._accepted, self._sent, self._failed, pending, self._dropped)

    # -- called by the program that logs

    def handle(self, record: logging.LogRecord) -> bool:
        """Emit a record if the filters let it pass, without logging's lock.

        No thread waits for another here, and `logging.shutdown` holds that lock while it flushes.
        """
        if getattr(_this_thread, "sends", False):
            return False
        passed: Any = self.filter(record)  # since Python 3.12 a filter may return another record
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Add the record to the buffer. Never waits for the network, never raises."""
        try:
            event = self._event(record)
            size = len(encode(event))
        except Exception:
            with contextlib.suppress(Exception):  # it reads attributes that such a record may lack
                self.handleError(record)
            self._lose(dropped=1, reason="a record could not be read")
            return
        with self._lock:
            if self._closed:
                self._lose(dropped=1, reason="the handler is closed")
            elif len(self._buffer) >= self._capacity or self._bytes + size > self._capacity_bytes:
                self._lose(dropped=1, reason="the buffer is full")
            elif self._is_running():
                self._buffer.append((time.monotonic(), size, event))
                self._bytes += size
                self._accepted += 1
                waiting = len(self._buffer)
                if waiting == 1 or waiting % MAX_ENTRIES == 0:
                    self._work.notify()

    def flush(self, timeout: float | None = None) -> bool:  # type: ignore[override]  # says more than logging's
        """Wait until all entries accepted before are sent or failed. Returns False if the time is up.

        timeout: in seconds; without one, the limit is `patience` seconds in which nothing was sent.
        """
        if getattr(_this_thread, "sends", False):
            return False
        with self._lock:
            self._flushing += 1
            self._work.notify_all()
            try:
                return self._wait_for(self._accepted, timeout)
            finally:
                self._flushing -= 1

    def close(self) -> None:
        """Flush, stop the threads, count what is left as failed, and report. Later records are dropped."""
        self.flush()
        with self._lock:
            self._closed = True
            left = len(self._buffer) + sum(self._under_way.values())
            if left:
                self._lose(failed=left, reason=f"not sent when the handler was closed ({self._reason or 'no answer'})")
            self._buffer.clear()
            self._under_way.clear()
            self._bytes = 0
            self._work.notify_all()
            self._progress.notify_all()
        self._report(at_once=True)
        super().close()

    def _wait_for(self, number: int, timeout: float | None) -> bool:
        """Wait until every entry below this number is done."""
        deadline = None if timeout is None else time.monotonic() + timeout
        sent, moved_at = self._sent, time.monotonic()
        while min([self._accepted - len(self._buffer), *self._under_way]) < number:
            now = time.monotonic()
            if self._sent > sent:
                sent, moved_at = self._sent, now
            left = (moved_at + self._patience if deadline is None else deadline) - now
            if deadline is None and (left <= 0 or self._stalled == (self._accepted, self._sent)):
                self._stalled = (self._accepted, self._sent)
                return False
            if left <= 0:
                return False
            self._progress.wait(left)
        return True

    def _event(self, record: logging.LogRecord) -> Event[LogEntry]:
        """Return the record as an event. A record from a bridge or another process may lack any attribute."""
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        context: dict[str, Any] = {f"{name}_" if name in _RESERVED else name: value for name, value in extra.items()}
        known = {
            "location": _location(record),
            "process": getattr(record, "process", None),
            "thread": getattr(record, "threadName", None),
            "exception": _exception(record),
            "stack": getattr(record, "stack_info", None),
        }
        context |= {name: value for name, value in known.items() if value is not None}
        entry = log_entry.make(
            service=self._service,
            level=_level(record),
            message=_message(record),
            logger=_text(getattr(record, "name", None)),
            trace_id=_trace_id(record),
            context=context,
        )
        return Event.new(entry, source=self._source, time=_created(record))

    def _is_running(self) -> bool:
        """Start the threads if this process has none yet. False if it cannot; the record is then dropped."""
        if self._threads:
            return True
        try:
            for number in range(self._senders):
                thread = threading.Thread(target=self._run, name=f"fanout-log-{number}", daemon=True)
                thread.start()
                self._threads.append(thread)
        except RuntimeError as error:  # the interpreter is shutting down, or the system has no threads left
            if not self._threads:
                self._lose(dropped=1, reason=f"no thread to send with: {error}")
                return False
        # A child of multiprocessing ends without the logging.shutdown that flushes in any other process.
        process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
        if process is not None and util is not None and process.parent_process() is not None:
            util.Finalize(None, self.flush, exitpriority=100)
        return True

    # -- the sending threads

    def _run(self) -> None:
        _this_thread.sends = True
        while True:
            taken = self._take()
            if taken is None:
                return
            number, batch = taken
            if batch:
                self._send(number, batch)
            self._report()

    def _take(self) -> tuple[int, list[Event[LogEntry]]] | None:
        """Wait for a batch that is full, old or to be flushed; return its first entry's number, and its entries.

        Returns an empty batch if a report is due, None when the handler is closed.
        """
        with self._lock:
            while not self._closed:
                now = time.monotonic()
                wait = None
                if self._buffer:
                    wait = self._buffer[0][0] + self._max_age - now
                    is_full = len(self._buffer) >= MAX_ENTRIES or self._bytes >= MAX_BYTES
                    if is_full or wait <= 0 or self._flushing:
                        return self._pop()
                elif self._unreported_dropped or self._unreported_failed:
                    wait = self._reported_at + _REPORT_SECONDS - now
                    if wait <= 0:
                        return 0, []
                self._work.wait(wait)
            return None

    def _pop(self) -> tuple[int, list[Event[LogEntry]]]:
        number = self._accepted - len(self._buffer)
        batch: list[Event[LogEntry]] = []
        weight = 0
        while self._buffer and len(batch) < MAX_ENTRIES and (not batch or weight + self._buffer[0][1] <= MAX_BYTES):
            _, size, event = self._buffer.popleft()
            batch.append(event)
            weight += size
        self._bytes -= weight
        self._under_way[number] = len(batch)
        if self._buffer:
            self._work.notify()  # this thread is busy now: another one must handle the rest
        return number, batch

    def _send(self, number: int, batch: Sequence[Event[LogEntry]]) -> None:
        """Publish a batch, then its failed entries after a pause, until all are sent or given up."""
        waiting = batch
        for pause in (*_PAUSES, None):
            reason, left = self._publish(waiting)
            with self._lock:
                if number not in self._under_way:  # given up by `close`, which has counted it
                    return
                self._sent += len(waiting) - len(left)
                waiting = left
                self._reason = reason or self._reason
                if not waiting or pause is None:
                    if waiting:
                        self._lose(failed=len(waiting), reason=reason)
                    del self._under_way[number]
                    self._progress.notify_all()
                    return
                self._under_way[number] = len(waiting)
                self._progress.notify_all()
                if self._progress.wait_for(lambda: self._closed, pause):
                    return

    def _publish(self, events: Sequence[Event[LogEntry]]) -> tuple[str, Sequence[Event[LogEntry]]]:
        """Publish events; return the reason and those that failed."""
        try:
            self._sns().publish(events)
        except PublishError as error:
            failed = {entry.event_id for entry in error.failed}
            first = error.failed[0]
            return f"{first.code}: {first.message}", [event for event in events if event.id in failed]
        except Exception as error:  # no boto3, no credentials: reported and retried like any other failure
            return f"{type(error).__name__}: {error}", events
        return "", []

    def _sns(self) -> Publisher:
        """Return the publisher of all threads, with a client of this process: sockets do not survive a fork."""
        with self._publisher_lock:
            if self._publisher is None:
                self._publisher = Publisher(self._topic_arn, client=self._make_client())
            return self._publisher

    def _default_client(self) -> Any:
        import boto3  # noqa: PLC0415 - slow, so in the background
        from botocore.config import Config  # noqa: PLC0415

        config = Config(
            connect_timeout=2,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=self._senders,
        )
        region = self._topic_arn.split(":")[3]
        return boto3.session.Session().client("sns", region_name=region, config=config)

    # -- losses

    def _lose(self, *, reason: str, dropped: int = 0, failed: int = 0) -> None:
        with self._lock:
            self._dropped += dropped
            self._failed += failed
            self._unreported_dropped += dropped
            self._unreported_failed += failed
            self._reason = reason
            if self._threads and not self._closed:
                self._work.notify()  # an idle thread reports it
                return
        self._report()

    def _report(self, *, at_once: bool = False) -> None:
        """Report the losses since the last report, at most once in ten seconds."""
        with self._lock:
            is_due = at_once or time.monotonic() >= self._reported_at + _REPORT_SECONDS
            if not is_due or not (self._unreported_dropped or self._unreported_failed):
                return
            loss = Loss(self._unreported_dropped, self._unreported_failed, self._reason)
            self._unreported_dropped = self._unreported_failed = 0
            self._reported_at = time.monotonic()
        try:
            self._on_loss(loss)
        except Exception:
            _report_on_stderr(loss)
            if logging.raiseExceptions:
                traceback.print_exc()


def _report_on_stderr(loss: Loss) -> None:
    if sys.stderr is not None:
        sys.stderr.write(
            f"fanout log handler: {loss.dropped} entries dropped, {loss.failed} not published; "
            f"last reason: {loss.reason}\n"
        )


def _message(record: logging.LogRecord) -> str:
    """Return the message, or what is known of it: a wrong log call does not lose the rest of the record."""
    message, arguments = getattr(record, "msg", None), getattr(record, "args", None)
    try:
        if isinstance(arguments, list):  # a tuple that has been through JSON
            return str(message) % tuple(arguments)
        return str(record.getMessage())
    except Exception as error:
        formatted = getattr(record, "message", None)  # from the formatter of another handler or process
        if isinstance(formatted, str):
            return formatted
        if not arguments:
            return _text(message)
        return f"{_text(message)} (not formatted: {type(error).__name__}; arguments: {log_entry.plain(arguments)})"


def _level(record: logging.LogRecord) -> Level:
    """Return the level by its number, else by its name. INFO if the record has neither."""
    number, name = getattr(record, "levelno", None), getattr(record, "levelname", None)
    if isinstance(number, int) and number:  # NOTSET, 0, says nothing
        return log_entry.level_numbered(number)
    named = log_entry.level_named(_text(name))
    if named is None:
        with contextlib.suppress(ValueError, OverflowError):  # 40.0 or "40", through JSON
            return log_entry.level_numbered(int(float(_text(number))))
    return named or "INFO"


def _created(record: logging.LogRecord) -> datetime:
    """Return the record's time; the current time if it has none that an event can have."""
    try:
        time_of_record = datetime.fromtimestamp(float(getattr(record, "created", "")), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.now(UTC)
    return time_of_record if time_of_record.year in YEARS else datetime.now(UTC)


def _location(record: logging.LogRecord) -> str | None:
    path, function = _text(getattr(record, "pathname", None)), _text(getattr(record, "funcName", None))
    return f"{path}:{_text(getattr(record, 'lineno', None))} {function}".strip() if path or function else None


def _exception(record: logging.LogRecord) -> dict[str, str] | None:
    """Return the record's exception; None if it has none.

    `exc_info` is logging's triple, an exception alone, True, or another program's form of it. `exc_text`
    is the formatted traceback; nothing else is left of an exception that was pickled
    (logging.handlers.SocketHandler) or formatted by a bridge.
    """
    given, text = getattr(record, "exc_info", None), _text(getattr(record, "exc_text", None))
    if given is True:
        given = sys.exc_info()
    parts = list(given) if isinstance(given, tuple | list) else [given]
    error = next((part for part in parts if isinstance(part, BaseException)), None)
    if error is None:
        if isinstance(given, traceback.TracebackException):
            text = text or "".join(given.format())
        names = [part.__name__ if isinstance(part, type) else part for part in parts]
        text = text or "\n".join(_text(name) for name in names if not isinstance(name, int | TracebackType | None))
        return {"traceback": _both_ends(text)} if text else None
    frames = next((part for part in parts if isinstance(part, TracebackType)), error.__traceback__)
    kind = type(error)
    if frames is not None or not text:  # an exception that was pickled has lost its frames
        text = "".join(traceback.format_exception(kind, error, frames))
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "message": _text(error),
        "traceback": _both_ends(text),
    }


def _both_ends(text: str) -> str:
    """Cut a long traceback in its middle: its end names the exception, which cutting the end would lose."""
    missing = len(text) - _MAX_TRACEBACK
    half = _MAX_TRACEBACK // 2
    return text if missing <= 0 else f"{text[:half]}\n… [{missing} characters cut off] …\n{text[-half:]}"


def _trace_id(record: logging.LogRecord) -> str | None:
    """Return the trace named by `extra`, by OpenTelemetry's instrumentation of logging, or by Lambda."""
    given = _text(getattr(record, "trace_id", None)) or _text(getattr(record, "otelTraceID", None))
    if given and given != "0":
        return given
    header = os.environ.get("_X_AMZN_TRACE_ID", "")
    return dict(part.split("=", 1) for part in header.split(";") if "=" in part).get("Root")


def _text(value: Any) -> str:
    """Return the value as text, "" for None. Never raises."""
    return "" if value is None else value if type(value) is str else str(log_entry.plain(value))


_handlers: "weakref.WeakSet[FanoutHandler]" = weakref.WeakSet()


def _after_fork() -> None:
    for handler in _handlers:
        handler._reset()


os.register_at_fork(after_in_child=_after_fork)
