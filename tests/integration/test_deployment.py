"""The stock SAM CLI on the local engine, as typed: build, validate, deploy, change, delete, and refuse."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fanout import contracts
from fanout.identity import new_id
from fanout_cli.stack import sql_replica
from fanout_cli.stack.deploy import switchable
from fanout_cli.stack.topology import discover
from tests import walkthrough
from tests.integration.application import BIN, ROOT, Application

# Two use cases are enough to see a deployment change, and take a third of the time.
DEPLOYED = ("team_events", "user_interactions")
PARAMETERS = {
    "Stage": "local",
    "Runtime": "python3.11",
    **{parameter: str(name in DEPLOYED).lower() for name, parameter in switchable(ROOT).items()},
}
# What a step of a job does depends on the job: tests/unit/batch_jobs takes one through all of them.
STEPS = ("plan_job", "process_chunk", "finish_job")
# The sandbox provider does not answer for its amount.
RETRIED = ("order_workflow/lambda/payment-sandbox-silent.json",)
LEAVE_OUT = shutil.ignore_patterns(".git", ".venv", ".fanout", ".aws-sam", "*_cache", ".hypothesis")


class Checkout:
    """A copy of this checkout with an engine of its own, so that a test may change it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT, folder, ignore=LEAVE_OUT, symlinks=True)
        (folder / ".fanout").mkdir()
        for environment in (".venv", ".fanout/engine-venv"):
            (folder / environment).symlink_to(ROOT / environment)
        self.application = Application(folder / ".fanout", root=folder)
        self.parameters = {**PARAMETERS}

    def sam(self, *arguments: str, local: bool = True, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run SAM CLI in the checkout; `local`: after `eval "$(fanout env)"`; `input`: what is typed."""
        environment = self.application.environment() if local else {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
        return subprocess.run(
            ["sam", *arguments],
            cwd=self.folder,
            env=environment,
            input=input,
            capture_output=True,
            text=True,
            check=False,
        )

    def build_and_deploy(self) -> None:
        """`sam build`, then `sam deploy --config-env local`."""
        overrides = [f"{name}={value}" for name, value in self.parameters.items()]
        for arguments in (["build"], ["deploy", "--config-env", "local", "--parameter-overrides", *overrides]):
            found = self.sam(*arguments)
            assert found.returncode == 0, found.stdout + found.stderr

    def live(self) -> dict[str, dict[str, Any]]:
        """The configuration of the version of each subscriber's function that is live."""
        topology = discover(self.application.client, "fanout")
        get = self.application.client("lambda").get_function_configuration
        return {
            name: get(FunctionName=each.function_name, Qualifier="live") for name, each in topology.subscribers.items()
        }

    def versions(self) -> dict[str, str]:
        """Which version of each subscriber's function is live."""
        return {name: configuration["Version"] for name, configuration in self.live().items()}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("checkout") / "fanout")
    try:
        made.application.start_engine()
        made.build_and_deploy()
        yield made
    finally:
        made.application.fanout("down", "--purge", check=None)


def appended(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def edit_code(folder: Path) -> None:
    for code in ("team_events/team_events/handlers/team_a.py", "user_interactions/user_interactions/handlers/likes.py"):
        appended(folder / "functions" / code, "\n\nCHANGED_BY_A_TEST = True\n")


def edit_layer(folder: Path) -> None:
    appended(folder / "layers/common/fanout/outcomes.py", "\n\nCHANGED_BY_A_TEST = True\n")


def edit_timeout(folder: Path) -> None:
    for use_case in DEPLOYED:
        template = folder / "usecases" / use_case / "template.yaml"
        template.write_text(template.read_text().replace("    Timeout: 20\n", "    Timeout: 19\n"))


CHANGES: dict[str, tuple[Callable[[Path], None] | None, dict[str, str], Callable[[dict[str, Any]], object]]] = {
    "code": (edit_code, {}, lambda live: live["CodeSha256"]),
    "layer": (edit_layer, {}, lambda live: live["Layers"][0]["Arn"]),
    "a parameter": (None, {"CounterShards": "17"}, lambda live: live["Environment"]["Variables"].get("COUNTER_SHARDS")),
    "Runtime": (None, {"Runtime": "python3.12"}, lambda live: live["Runtime"]),
    "Architecture": (None, {"Architecture": "x86_64"}, lambda live: live["Architectures"]),
    "Timeout": (edit_timeout, {}, lambda live: live["Timeout"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_alone_reaches_the_alias(checkout: Checkout, change: str) -> None:
    edit, parameters, seen = CHANGES[change]
    changing = "user_interactions/" if change == "a parameter" else ""
    before = checkout.live()
    if edit:
        edit(checkout.folder)
    checkout.parameters.update(parameters)
    checkout.build_and_deploy()
    after = checkout.live()
    changed = {name for name in before if seen(after[name]) != seen(before[name])}
    assert changed == {name for name in before if name.startswith(changing)}
    assert {name for name in before if after[name]["Version"] != before[name]["Version"]} == changed


def test_a_subscriber_added_as_documented_works_beside_changed_code_and_the_others_continue_without_it(
    checkout: Checkout,
) -> None:
    before = checkout.versions()
    template = checkout.folder / "usecases/team_events/template.yaml"
    original = template.read_text()
    page = walkthrough.read(checkout.folder / "docs/adding-a-subscriber.md")
    for edit in page.edits:
        edit.make(checkout.folder)
    appended(checkout.folder / "functions/team_events/team_events/handlers/team_a.py", "\n\nCHANGED_BY_A_TEST = True\n")
    everyone = {f"team_events/{name}" for name in ("team_a", "team_b", "broadcast")}

    # `fanout` is the copy's; it recognizes an engine by the launcher's path, and the running one is this checkout's.
    engine = Path("local_engine/local_engine")
    shutil.rmtree(checkout.folder / engine)
    (checkout.folder / engine).symlink_to(ROOT / engine)
    walkthrough.run(page.commands["5. See it run"], checkout.folder)
    sample = json.loads((checkout.folder / "events/team_events/valid/ordinary.json").read_text("utf-8"))
    outcomes = checkout.application.fresh().outcomes(sample["id"])
    assert outcomes == dict.fromkeys(everyone | {"team_events/team_c"}, "processed")
    assert checkout.versions()["team_events/team_a"] != before["team_events/team_a"]

    template.write_text(original)
    checkout.build_and_deploy()
    message_id = checkout.application.publish_text("TeamEvents", "three of us")
    assert checkout.application.fresh().outcomes(message_id) == dict.fromkeys(everyone, "processed")


def test_a_deployment_without_an_engine_is_refused_and_changes_nothing(checkout: Checkout) -> None:
    found = checkout.sam("deploy", "--config-env", "local", local=False)
    assert found.returncode != 0
    assert "fanout-local" in found.stdout + found.stderr


def test_sam_commands_show_what_is_deployed_invoke_it_and_read_its_logs(checkout: Checkout) -> None:
    application = checkout.application.fresh()
    function = application.subscriber("team_events/team_a")

    def sam(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        found = checkout.sam(*arguments, "--config-env", "local")
        assert found.returncode == code, found.stdout + found.stderr
        return found

    outputs = json.loads(sam("list", "stack-outputs", "--output", "json").stdout)
    assert application.topic("TeamEvents") in [output["OutputValue"] for output in outputs]
    listed = json.loads(sam("list", "resources", "--output", "json").stdout)
    stacks = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed}
    cloudformation = application.client("cloudformation")
    functions = cloudformation.list_stack_resources(StackName=stacks["TeamEvents"])["StackResourceSummaries"]
    assert function.function_name in [each["PhysicalResourceId"] for each in functions]
    assert json.loads(sam("list", "endpoints", "--output", "json").stdout) == [], "it has no API and no function URL"

    payload = "events/team_events/lambda/team_a-ordinary.json"
    answer = sam("remote", "invoke", "TeamEvents/TeamAFunction", "--event-file", payload).stdout
    assert json.loads(answer) == {"batchItemFailures": []}

    sample = json.loads((checkout.folder / "events/team_events/valid/ordinary.json").read_text("utf-8"))
    assert sample["id"] in sam("logs").stdout
    for arguments in (["traces"], ["logs", "--include-traces"]):
        said = sam(*arguments, code=1).stderr
        assert said.startswith("Error: ")
        assert "keeps no X-Ray traces" in said


def test_sam_local_gets_the_environment_that_is_deployed(checkout: Checkout) -> None:
    application = checkout.application.fresh()
    files = json.loads(application.fanout("env", "--sam-local", "--json").stdout)
    environments = json.loads(Path(files["env_vars"]).read_text("utf-8"))
    for name in ("team_events/team_a", "user_interactions/likes"):
        subscriber = application.subscriber(name)
        assert dict(subscriber.environment) in environments.values()
    assert set(environments["UserInteractions/PostsFunction"]) > {"INTERACTIONS_TABLE"}


def test_a_deployed_stack_can_be_deleted(checkout: Checkout) -> None:
    found = checkout.sam("delete", "--config-env", "local", "--no-prompts")
    assert found.returncode == 0, found.stdout + found.stderr
    stacks = checkout.application.client("cloudformation").describe_stacks()["Stacks"]
    left = [stack["StackName"] for stack in stacks if stack["StackName"].startswith("fanout")]
    assert left == []


@pytest.mark.parametrize("use_case", sorted(switchable(ROOT)))
def test_a_use_case_deploys_alone(checkout: Checkout, use_case: str) -> None:
    config, stack = str(checkout.folder / "samconfig.toml"), f"fanout-{use_case.replace('_', '-')}"
    built = checkout.sam(
        "build", "-t", f"usecases/{use_case}/template.yaml", "--config-file", config, "--config-env", "local"
    )
    assert built.returncode == 0, built.stderr
    deployed = checkout.sam("deploy", "--config-env", "local", "--stack-name", stack)
    assert deployed.returncode == 0, deployed.stderr
    alone = Application(checkout.application.state, stack_name=stack, root=checkout.folder)
    assert alone.topology.use_cases == [use_case]
    sql_replica.provide(alone.state, alone.client, alone.topology)  # what `fanout up` does for database_changes
    schemas = contracts.load(use_case)
    seen: set[str] = set()
    for sample in sorted(ROOT.glob(f"events/{use_case}/valid/ordinary*.json")):
        event = {**json.loads(sample.read_text("utf-8")), "id": new_id()}
        alone.publish_text(contracts.contract_of(schemas[event["type"]]).topic, json.dumps(event))
        outcomes = set(alone.outcomes(event["id"], within=60).values())
        # A channel that no webhook is configured for discards.
        assert outcomes <= {"processed", "filtered", "discarded"}, sample.name
        seen |= outcomes
    assert "processed" in seen
    payloads = [each for each in ROOT.glob(f"events/{use_case}/lambda/*.json") if not each.name.startswith(STEPS)]
    failed = [name for payload in sorted(payloads) for name in failures(alone, payload)]
    assert failed == [name for name in RETRIED if use_case in name]


def failures(application: Application, payload: Path) -> list[str]:
    """Give a ready-made payload to its function; return the payload's name if the function fails or wants a retry."""
    function = f"{payload.stem.partition('-')[0].title().replace('_', '')}Function"
    cloudformation, functions = application.client("cloudformation"), application.client("lambda")
    resource = cloudformation.describe_stack_resource(StackName=application.stack_name, LogicalResourceId=function)
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    response = functions.invoke(FunctionName=name, Payload=payload.read_bytes())
    answer = json.loads(response["Payload"].read()) or {}
    failed = "FunctionError" in response or answer.get("batchItemFailures") or not answer.get("ok", True)
    return [str(payload.relative_to(ROOT / "events"))] if failed else []
