"""The runtime library that every function of the application shares.

    from fanout import Discard, Event, Outcome, Reject, Retry, subscriber
    from fanout import at_most_once, publish, put_once, transact_once

Read it in the order of an event: `publisher` -> (SNS, SQS) -> `handler` -> `batch` -> your handler -> `idempotency`.
Importing `fanout` imports no module: a name is imported when it is first used, so that a function's cold start pays for
the modules it uses, and for no others.
"""

__all__ = [
    "Discard",
    "Event",
    "Outcome",
    "Reject",
    "Retry",
    "at_most_once",
    "batch_subscriber",
    "publish",
    "put_once",
    "subscriber",
    "transact_once",
]

TYPE_CHECKING = False  # as a type checker knows it; importing `typing` for it would cost start-up time
if TYPE_CHECKING:
    from fanout.event import Event
    from fanout.handler import batch_subscriber, subscriber
    from fanout.idempotency import at_most_once, put_once, transact_once
    from fanout.outcomes import Discard, Outcome, Reject, Retry
    from fanout.publisher import publish
else:
    _MODULES = {
        "event": ("Event",),
        "handler": ("batch_subscriber", "subscriber"),
        "idempotency": ("at_most_once", "put_once", "transact_once"),
        "outcomes": ("Discard", "Outcome", "Reject", "Retry"),
        "publisher": ("publish",),
    }

    def __getattr__(name):  # PEP 562
        for module, names in _MODULES.items():
            if name in names:
                from importlib import import_module  # noqa: PLC0415 - start-up

                value = globals()[name] = getattr(import_module(f"fanout.{module}"), name)
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
