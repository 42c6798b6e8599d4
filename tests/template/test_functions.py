"""Layer, versions, logs and packages of the functions."""

import pytest

from fanout_wiring import FUNCTION, Composition
from tests.template.application import ROOT
from tests.template.deployments import Mistake, properties

TEAM_EVENTS = ROOT / "usecases" / "team_events" / "template.yaml"


@pytest.mark.guarantee("deployment/layer-version")
def test_a_function_has_exactly_the_common_layer_of_its_stack(deployment: Composition) -> None:
    """One layer, the common one. `sam sync` finds it only as a plain !Ref in the function itself, not in Globals.

    PublishLambdaVersion makes a change of the layer a version of the function:
    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-layerversion.html
    """
    problems = []
    layers = {f"<{layer.path}>": layer for layer in deployment.of("AWS::Serverless::LayerVersion")}
    for function in deployment.of(FUNCTION):
        given = function.properties.get("Layers", [])
        layer = layers.get(given[0]) if len(given) == 1 else None
        if layer is None or layer.stack is not function.stack:
            problems.append(f"{function.path}: its layers are {given}")
        elif "Layers" in (function.stack.template.get("Globals") or {}).get("Function", {}):
            problems.append(f"{function.path}: its layer is in Globals, where `sam sync` does not look")
        elif layer.properties.get("PublishLambdaVersion") is not True:
            problems.append(f"{layer.path}: its change reaches no version of {function.path}")
    for layer in layers.values():
        if not str(layer.properties.get("LayerName")).startswith(layer.stack.stack_name):
            problems.append(
                f"{layer.path}: its name is shared: `sam sync` of one stack deletes the newest version of another"
            )
    assert problems == []


def test_a_function_publishes_versions_and_logs_to_its_use_case(deployment: Composition) -> None:
    """The alias `live`, JSON, one log group with a retention, receipts and metrics, and no line for Lambda's own part.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    problems = []
    for function in deployment.of(FUNCTION):
        logging = function.properties.get("LoggingConfig") or {}
        group = next(
            (found for found in deployment.of("AWS::Logs::LogGroup") if f"<{found.path}>" == logging.get("LogGroup")),
            None,
        )
        if group is None or group.stack is not function.stack or not group.properties.get("RetentionInDays"):
            problems.append(f"{function.path}: no log group of its use case with a retention")
        if logging.get("LogFormat") != "JSON":
            problems.append(f"{function.path}: its log is not JSON")
        if logging.get("ApplicationLogLevel", "INFO") not in ("INFO", "DEBUG", "TRACE"):
            problems.append(f"{function.path}: Lambda drops its receipts and metrics, which are lines of level INFO")
        if logging.get("SystemLogLevel") != "WARN":
            problems.append(f"{function.path}: two lines of Lambda's for each invocation, which nothing here reads")
        if function.properties.get("AutoPublishAlias") != "live":
            problems.append(f"{function.path}: no alias live")
    assert problems == []


def test_packages_are_in_the_layer(deployment: Composition) -> None:
    """SAM CLI's own builder of requirements.txt needs the target's interpreter and writes no .pyc files."""
    problems = []
    for function in deployment.of(FUNCTION):
        folder = (function.stack.file.parent / function.properties["CodeUri"]).resolve()
        if (folder / "requirements.txt").exists():
            problems.append(f"{function.path}: a requirements.txt beside its code; packages belong in the layer")
    assert problems == []


# ------------------------------------------------------------------------------------------------------------- mistakes


MISTAKES: list[Mistake] = [
    *(
        (test_a_function_has_exactly_the_common_layer_of_its_stack, TEAM_EVENTS, change)
        for change in (
            lambda t: properties(t, "TeamAFunction").update(Layers=[]),
            lambda t: properties(t, "CommonLayer").pop("PublishLambdaVersion"),
            lambda t: properties(t, "CommonLayer").pop("LayerName"),
            lambda t: t["Globals"]["Function"].update(Layers=properties(t, "TeamAFunction").pop("Layers")),
        )
    ),
    *(
        (test_a_function_publishes_versions_and_logs_to_its_use_case, TEAM_EVENTS, change)
        for change in (
            lambda t: t["Globals"]["Function"].pop("LoggingConfig"),
            lambda t: t["Globals"]["Function"]["LoggingConfig"].update(ApplicationLogLevel="WARN"),
            lambda t: t["Globals"]["Function"]["LoggingConfig"].pop("SystemLogLevel"),
        )
    ),
    (
        test_packages_are_in_the_layer,
        TEAM_EVENTS,
        lambda t: properties(t, "TeamAFunction").update(CodeUri="../../layers/common/"),
    ),
]
