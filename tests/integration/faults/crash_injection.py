"""Puts the crash_hook into a deployed function for the length of a test, and takes it out again."""

import io
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.application import Application
from tests.waiting import until

STRIKER = Path(__file__).with_name("crash_hook.py")


@contextmanager
def struck(
    application: Application, subscriber: str, at: str, folder: Path, *, by: str = "kill", timeout: int | None = None
) -> Iterator[None]:
    """Within the block the subscriber's function is struck once at a point: "before PutItem", "after Publish".

    by: see `crash_hook`. timeout: the function's, in seconds, while the block lasts. On leaving the block the test
    fails if the function was never struck: then nothing was attacked.
    """
    sqs = application.client("sqs")
    deployed = application.subscriber(subscriber)
    visibility = sqs.get_queue_attributes(QueueUrl=deployed.queue_url, AttributeNames=["VisibilityTimeout"])
    # Longer than an attempt, short enough to wait for: what a killed function held comes back after it.
    seconds = 2 * (timeout or 2)
    sqs.set_queue_attributes(QueueUrl=deployed.queue_url, Attributes={"VisibilityTimeout": str(seconds)})
    try:
        with struck_function(application, deployed.function_name, at, folder, by=by, timeout=timeout):
            yield
    finally:
        sqs.set_queue_attributes(QueueUrl=deployed.queue_url, Attributes=visibility["Attributes"])


@contextmanager
def struck_function(
    application: Application, name: str, at: str, folder: Path, *, by: str = "kill", timeout: int | None = None
) -> Iterator[None]:
    """The same for any function, by its name: one that reads from no queue."""
    functions = application.client("lambda")
    before = functions.get_function(FunctionName=name)
    configuration = before["Configuration"]
    with urllib.request.urlopen(before["Code"]["Location"]) as answer:  # noqa: S310 - the engine's own address
        package = answer.read()

    functions.update_function_code(FunctionName=name, ZipFile=_with_striker(package), Publish=False)
    functions.update_function_configuration(
        FunctionName=name,
        Handler="crash_hook.handler",
        Timeout=timeout or configuration["Timeout"],
        Environment={
            "Variables": configuration["Environment"]["Variables"]
            | {
                "STRIKE_HANDLER": configuration["Handler"],
                "STRIKE_AT": at,
                "STRIKE_BY": by,
                "STRIKE_FOLDER": str(folder),
            }
        },
    )
    # A cold start on a busy machine can take longer than a visibility, so it happens before anything is delivered.
    functions.invoke(FunctionName=name, Payload=b'{"Records": []}')
    try:
        yield
        assert (folder / "struck").exists(), f"{configuration['Handler']} was never struck {at}"
    finally:
        functions.update_function_configuration(
            FunctionName=name,
            Handler=configuration["Handler"],
            Timeout=configuration["Timeout"],
            Environment={"Variables": configuration["Environment"]["Variables"]},
        )
        functions.update_function_code(FunctionName=name, ZipFile=package, Publish=False)


def wait_for_strike(folder: Path) -> None:
    """Wait until it has happened."""
    until((folder / "struck").exists, "the function is struck", seconds=90)


@contextmanager
def held_back(application: Application, subscriber: str) -> Iterator[None]:
    """Within the block the subscriber's queue is not read, so that what arrives in it is read as one batch after it."""
    functions = application.client("lambda")
    queue = application.client("sqs").get_queue_attributes(
        QueueUrl=application.subscriber(subscriber).queue_url, AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    [mapping] = functions.list_event_source_mappings(EventSourceArn=queue)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def _with_striker(package: bytes) -> bytes:
    buffer = io.BytesIO(package)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.write(STRIKER, "crash_hook.py")
    return buffer.getvalue()
