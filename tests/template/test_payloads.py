"""events/<use_case>/lambda/: payloads for every function of the templates, in the shape that the templates define."""

import json

from fanout_wiring import FUNCTION, Composition
from tests.template.application import ROOT
from tests.template.test_job_machine import definition, states
from tests.unit.conftest import sample_payload


def test_every_function_has_a_payload() -> None:
    functions = {
        f"{template.parent.name}/{function.properties['Handler'].split('.')[-2]}"
        for template in ROOT.glob("usecases/*/template.yaml")
        for function in Composition(template, {}).of(FUNCTION)
    }
    payloads = {f"{path.parents[1].name}/{path.stem.partition('-')[0]}" for path in ROOT.glob("events/*/lambda/*.json")}
    assert payloads == functions
    assert len(functions) == 38


def test_payloads_of_a_job_s_steps_have_the_fields_that_the_state_machine_passes() -> None:
    machine = definition()
    passed = {
        name: {field.removesuffix(".$") for field in given}
        for name, state, _ in states(machine)
        for given in [state.get("ItemSelector") or state.get("Parameters", {}).get("Payload")]
        if given
    }
    assert passed == {
        "Plan": set(sample_payload("batch_jobs", "plan_job-import")),
        "Chunks": set(sample_payload("batch_jobs", "process_chunk-import")),
        "Discard": set(sample_payload("batch_jobs", "process_chunk-discard")),
        "Finish": set(sample_payload("batch_jobs", "finish_job-import")),
        "Fail": set(sample_payload("batch_jobs", "finish_job-failed-step")),
    }


def test_the_payload_of_deadlines_is_the_schedule_s_input() -> None:
    [schedule] = Composition(ROOT / "template.yaml", {}).of("AWS::Scheduler::Schedule")
    assert json.loads(schedule.properties["Target"]["Input"]) == sample_payload("order_workflow", "deadlines-schedule")
