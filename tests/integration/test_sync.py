"""`sam sync` of stock SAM CLI on the local engine, as typed: what is edited is what events meet."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fanout_cli.stack.deploy import switchable
from tests.integration.application import ROOT
from tests.integration.test_deployment import Checkout
from tests.waiting import until

KEPT = ("team_events", "user_interactions")
LAYERS_OF_NO_STACK = [
    parameter.removeprefix("Deploy") for use_case, parameter in switchable(ROOT).items() if use_case not in KEPT
]
"""the nested stacks of the use cases that are switched off"""
FEEDS = {"feed#team_a", "feed#team_b", "feed#everyone"}
OF_ALL = '"text": f"{event.data.text} function {FUNCTION} layer {fanout.LAYER} template {os.environ[\'TEMPLATE\']}",'


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout in a path with a space: two use cases, and feeds that show which edits an event met."""
    made = Checkout(tmp_path_factory.mktemp("my dir") / "fan out")
    config = made.folder / "samconfig.toml"
    for use_case, parameter in switchable(ROOT).items():
        if use_case not in KEPT:
            replace(config, f"{parameter}=true", f"{parameter}=false")
    # As docs/development.md says for use cases that are switched off.
    excluded = ", ".join(f'"{stack}/CommonLayer" = ["."]' for stack in LAYERS_OF_NO_STACK)
    replace(config, "[local.sync.parameters]\n", f"[local.sync.parameters]\nwatch_exclude = {{ {excluded} }}\n")
    feeds = made.folder / "functions/team_events/team_events/feeds.py"
    replace(feeds, '"text": event.data.text,', OF_ALL)
    replace(feeds, "from functools import cache\n", "import os\nfrom functools import cache\n\nimport fanout\n")
    replace(feeds, "_LONGEST_TEXT = 390_000", "FUNCTION = 0\n_LONGEST_TEXT = 390_000")
    layer = made.folder / "layers/common/fanout/__init__.py"
    layer.write_text(layer.read_text("utf-8") + "\nLAYER = 0\n", "utf-8")
    template = made.folder / "usecases/team_events/template.yaml"
    replace(template, "FEED_TABLE: !Ref FeedTable", 'FEED_TABLE: !Ref FeedTable\n        TEMPLATE: "0"')
    try:
        made.application.start_engine()
        yield made
    finally:
        made.application.fanout("down", "--purge", check=None)


def feeds(checkout: Checkout) -> dict[str, str]:
    """What one event, published now, became in each feed."""
    application = checkout.application.fresh()
    key = application.publish_text("TeamEvents", "edits:")
    assert set(application.outcomes(key).values()) == {"processed"}
    table = application.subscriber("team_events/team_a").environment["FEED_TABLE"]
    return {item["pk"]: item["text"] for item in application.items(table) if item["event_id"] == key}


def live(checkout: Checkout, function: int, layer: int, template: int) -> None:
    """Wait until every subscriber works with the edits."""
    expected = f"edits: function {function} layer {layer} template {template}"
    until(lambda: feeds(checkout) == dict.fromkeys(FEEDS, expected), expected, seconds=240, every=1)


def deployed(log: Path, times: int) -> None:
    """Wait for the end of a deployment: while it ends, SAM CLI watches nothing."""
    said = f"Infra sync completed {times} times"
    until(lambda: log.read_text().count("Infra sync completed") == times, said, seconds=300, every=0.5)


@contextmanager
def watching(checkout: Checkout, log: Path) -> Iterator[None]:
    """`sam sync --watch --config-env local`, while the block lasts."""
    with log.open("w") as output:
        process = subprocess.Popen(
            ["sam", "sync", "--watch", "--config-env", "local"],
            cwd=checkout.folder,
            env=checkout.application.environment(),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdin
            process.stdin.write("Y\n")
            process.stdin.close()

            deployed(log, 1)
            yield
        finally:
            process.terminate()  # background jobs of a shell may ignore Ctrl-C
            process.wait(timeout=60)


def test_watched_edits_of_function_layer_template_and_function_again_are_each_live(
    checkout: Checkout, tmp_path: Path
) -> None:
    log = tmp_path / "sync.log"
    code, layer = (
        checkout.folder / "functions/team_events/team_events/feeds.py",
        checkout.folder / "layers/common/fanout/__init__.py",
    )
    with watching(checkout, log):
        live(checkout, 0, 0, 0)
        replace(code, "FUNCTION = 0", "FUNCTION = 1")
        live(checkout, 1, 0, 0)
        replace(layer, "LAYER = 0", "LAYER = 1")
        live(checkout, 1, 1, 0)
        replace(checkout.folder / "usecases/team_events/template.yaml", 'TEMPLATE: "0"', 'TEMPLATE: "1"')
        live(checkout, 1, 1, 1)
        deployed(log, 2)
        replace(code, "FUNCTION = 1", "FUNCTION = 2")
        live(checkout, 2, 1, 1)
    said = log.read_text()
    for trouble in ("Cannot find", "Missing physical resource", "paused", "encountered an error", "Failed"):
        assert trouble not in said, said


def test_a_layer_synced_by_code_reaches_every_function_of_its_stack(checkout: Checkout) -> None:
    functions = checkout.application.client("lambda")
    before = {name: each["Layers"][0]["Arn"] for name, each in configurations(functions).items()}
    replace(checkout.folder / "layers/common/fanout/__init__.py", "LAYER = 1", "LAYER = 2")
    resources = [
        part for use_case in ("TeamEvents", "UserInteractions") for part in ("--resource-id", f"{use_case}/CommonLayer")
    ]
    done = checkout.sam("sync", "--code", *resources, "--config-env", "local", input="Y\n")
    assert done.returncode == 0, done.stdout + done.stderr
    after = {name: each["Layers"][0]["Arn"] for name, each in configurations(functions).items()}
    assert [name for name in before if after[name] == before[name]] == []
    assert feeds(checkout) == dict.fromkeys(FEEDS, "edits: function 2 layer 2 template 1")


def configurations(functions: Any) -> dict[str, dict[str, Any]]:
    pages = functions.get_paginator("list_functions").paginate()
    return {each["FunctionName"]: each for page in pages for each in page["Functions"]}
