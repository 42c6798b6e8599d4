"""The state machine of batch_jobs: its definition is a text, so nothing else reads it before AWS does."""

import ast
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from fanout_wiring import Composition
from tests.template.application import ROOT

FUNCTIONS = ROOT / "functions" / "batch_jobs"


@cache
def definition() -> dict[str, Any]:
    """The definition as the root deploys it, numbers of parameters included."""
    parameters = {"Stage": "prod", "JobTimeoutSeconds": "7200", "ChunkConcurrency": "17"}
    composition = Composition(ROOT / "template.yaml", parameters)
    [machine] = composition.of("AWS::StepFunctions::StateMachine")
    found: dict[str, Any] = json.loads(machine.properties["DefinitionString"])
    return found


def states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """Every state, with the states beside it; those inside a map too."""
    for name, state in machine["States"].items():
        yield name, state, set(machine["States"])
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


def exceptions() -> set[str]:
    """The names of the exceptions that the functions define."""
    trees = [ast.parse(file.read_text("utf-8")) for file in FUNCTIONS.rglob("*.py")]
    return {each.name for tree in trees for each in ast.walk(tree) if isinstance(each, ast.ClassDef)}


def test_every_transition_leads_to_an_existing_state() -> None:
    for name, state, beside in states(definition()):
        followers = [state, *state.get("Catch", []), *state.get("Choices", [])]
        ways = {each["Next"] for each in followers if "Next" in each}
        if "Default" in state:
            ways.add(state["Default"])
        assert ways <= beside, name
        assert ways or state.get("End") or state["Type"] in ("Succeed", "Fail"), f"{name} leads nowhere"


def test_only_errors_that_may_pass_are_retried() -> None:
    for name, state, _ in states(definition()):
        if state["Type"] != "Task":
            continue
        _, *named, last = state["Retry"]
        assert last["ErrorEquals"] == ["States.ALL"], name
        assert last["MaxAttempts"] > 1, name
        for each in named:
            assert each["MaxAttempts"] == 0, name
            assert set(each["ErrorEquals"]) <= exceptions(), "an exception by this name would never come"


def test_a_throttled_call_is_retried_for_hours_and_uses_no_attempt_of_another_retrier() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html"""
    for name, state, _ in states(definition()):
        if state["Type"] != "Task":
            continue
        throttled, *others = state["Retry"]
        assert throttled["ErrorEquals"] == ["Lambda.TooManyRequestsException"], name
        assert all("Lambda.TooManyRequestsException" not in each["ErrorEquals"] for each in others), name
        # Full jitter waits half of the delay on average; almost every delay is the longest one.
        assert throttled["JitterStrategy"] == "FULL", name
        assert throttled["MaxAttempts"] * throttled["MaxDelaySeconds"] / 2 >= 3 * 3600, name
        # An attempt adds up to four events to a history that ends at 25,000; a job runs at most four of these tasks.
        assert throttled["MaxAttempts"] * 4 * 4 < 25_000, name


def test_a_permanent_failure_before_the_last_step_fails_the_job() -> None:
    caught = {name: state["Catch"] for name, state, _ in states(definition()) if "Catch" in state}
    assert caught.keys() == {"Plan", "Chunks", "Finish", "Discard"}
    assert {name: [each["Next"] for each in every] for name, every in caught.items()} == {
        "Plan": ["Fail"],
        "Chunks": ["Fail"],
        "Finish": ["Fail"],
        "Discard": ["Failed"],
    }
    assert all(each["ErrorEquals"] == ["States.ALL"] for every in caught.values() for each in every)


def test_no_map_runs_without_items() -> None:
    machine = definition()["States"]
    assert machine["Plan"]["ResultSelector"]["count.$"] == "$.Payload.count"
    some = {"Variable": "$.chunks.count", "NumericGreaterThan": 0}
    assert machine["AnyChunks"] == machine["AnyChunks"] | {"Choices": [{**some, "Next": "Chunks"}], "Default": "Finish"}
    assert some in machine["Outcome"]["Choices"][1]["And"]
    followers = [(name, state) for name, state, _ in states(definition()) if state.get("Next") in ("Chunks", "Discard")]
    assert [name for name, _ in followers] == ["LastWriters"], "every other way asks first"


def test_rows_are_discarded_once_no_chunk_can_be_running() -> None:
    [function] = [
        each
        for each in Composition(ROOT / "template.yaml", {"Stage": "prod"}).of("AWS::Serverless::Function")
        if each.properties["Handler"] == "batch_jobs.handlers.process_chunk.handler"
    ]
    assert definition()["States"]["LastWriters"]["Seconds"] >= function.properties["Timeout"]


def test_parameters_become_numbers() -> None:
    assert definition()["TimeoutSeconds"] == 7200
    assert [state["MaxConcurrency"] for _, state, _ in states(definition()) if state["Type"] == "Map"] == [17, 17]
