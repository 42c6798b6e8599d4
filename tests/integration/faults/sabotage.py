"""Puts the killer into a deployed function for the length of a test, and takes it out again."""

import io
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.application import Application
from tests.waiting import until

KILLER = Path(__file__).with_name("killer.py")
# Long enough for an attempt to end, short enough to wait for: what a killed function held comes back after it.
VISIBILITY_SECONDS = 3


@contextmanager
def killed(application: Application, subscriber: str, at: str, folder: Path) -> Iterator[None]:
    """Within the block the subscriber's function is killed once at a point: "before PutItem", "after Publish"...

    On leaving it the test fails if the function was never killed: then nothing was attacked.
    """
    functions, sqs = application.client("lambda"), application.client("sqs")
    deployed = application.subscriber(subscriber)
    name = deployed.function_name
    before = functions.get_function(FunctionName=name)
    configuration = before["Configuration"]
    with urllib.request.urlopen(before["Code"]["Location"]) as answer:  # noqa: S310 - the engine's own address
        package = answer.read()
    live = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    visibility = sqs.get_queue_attributes(QueueUrl=deployed.inbox_url, AttributeNames=["VisibilityTimeout"])

    functions.update_function_code(FunctionName=name, ZipFile=_with_killer(package), Publish=False)
    functions.update_function_configuration(
        FunctionName=name,
        Handler="killer.handler",
        Environment={
            "Variables": configuration["Environment"]["Variables"]
            | {"KILL_HANDLER": configuration["Handler"], "KILL_AT": at, "KILL_FOLDER": str(folder)}
        },
    )
    sabotaged = functions.publish_version(FunctionName=name)["Version"]
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion=sabotaged)
    sqs.set_queue_attributes(QueueUrl=deployed.inbox_url, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})
    try:
        yield
        assert (folder / "struck").exists(), f"{subscriber} was never killed {at}"
    finally:
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=live)
        functions.update_function_code(FunctionName=name, ZipFile=package, Publish=False)
        functions.update_function_configuration(
            FunctionName=name,
            Handler=configuration["Handler"],
            Environment={"Variables": configuration["Environment"]["Variables"]},
        )
        sqs.set_queue_attributes(QueueUrl=deployed.inbox_url, Attributes=visibility["Attributes"])


def struck(folder: Path) -> bool:
    """Wait until the killer has struck."""
    return until((folder / "struck").exists, "the function is killed", seconds=30)


def _with_killer(package: bytes) -> bytes:
    buffer = io.BytesIO(package)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.write(KILLER, "killer.py")
    return buffer.getvalue()
