"""Whether the alias that events reach runs what was deployed: SAM publishes a version for some changes only."""

import re
from collections.abc import Iterator
from typing import Any

from fanout_wiring._graph import Graph
from fanout_wiring._rule import PAGE, Finding, WiringRule
from fanout_wiring._stack import FUNCTION, Stack, with_globals
from fanout_wiring._values import as_dict

# Properties that no version holds: with them in its hash, SAM asks for a version that Lambda does not publish.
# https://github.com/aws/serverless-application-model/issues/3281
_NOT_IN_A_VERSION = ("CodeSigningConfigArn", "ReservedConcurrentExecutions", "Tags")
_CONFIGURATION = (
    "Architectures",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "KmsKeyArn",
    "MemorySize",
    "Runtime",
    "Timeout",
    "Tracing",
    "VpcConfig",
)


class UnpublishedChange(WiringRule):
    """An event goes to the alias, the alias to a version, and the version is the configuration of its day."""

    id = "E9120"
    shortdesc = "A change of a function's configuration reaches its alias"
    description = "SAM publishes a version for changed code, and for what a template can be made to show it"
    page = source_url = f"{PAGE}serverless-application-model/latest/developerguide/sam-resource-function.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for function in graph.of(FUNCTION):
            given = function.properties
            if "AutoPublishAlias" not in given:
                continue
            keys = ("Properties",)
            if given.get("AutoPublishAliasAllProperties") is not True:
                message = "an edit of Timeout or Handler reaches no version; set AutoPublishAliasAllProperties: true"
                yield Finding(function, keys, f"{function.logical_id}: {message}")
            for name in _NOT_IN_A_VERSION if given.get("AutoPublishAliasAllProperties") is True else ():
                if name in given:
                    message = (
                        f"a change of {name} alone fails the deployment (A version for this Lambda function exists)"
                    )
                    yield Finding(function, keys, f"{function.logical_id}: {message}; leave {name} out")
            stack = function.stack
            common = as_dict(as_dict(stack.template.get("Globals")).get("Function"))
            declared = with_globals(common, as_dict(function.declared.get("Properties")))
            read = {name for key in _CONFIGURATION for name in _open(stack, declared.get(key))}
            shown = set(_open(stack, declared.get("VersionDescription")))
            if missing := sorted(name for name in read - shown if _has_value(stack, name)):
                message = f"another value of {', '.join(missing)} reaches no version; name it in VersionDescription"
                yield Finding(function, keys, f"{function.logical_id}: {message}")
            if idle := sorted(shown - read):
                message = (
                    f"another value of {', '.join(idle)} alone fails the deployment (A version for this Lambda "
                    "function exists): the configuration does not hold it; leave it out of VersionDescription"
                )
                yield Finding(function, ("Properties", "VersionDescription"), f"{function.logical_id}: {message}")


def _open(stack: Stack, value: Any) -> Iterator[str]:
    """The parameters of the outermost stack that a value is made of, in the branches that this deployment takes."""
    match value:
        case {"Ref": str(name)}:
            yield from _open_parameter(stack, name)
        case {"Fn::If": [str(condition), then, otherwise]}:
            yield from _open(stack, then if stack.condition(condition) else otherwise)
        case {"Fn::Sub": text}:
            words, own = text if isinstance(text, list) else (text, {})
            for name in re.findall(r"\$\{([A-Za-z0-9]+)\}", str(words)):
                yield from _open(stack, own[name]) if name in own else _open_parameter(stack, name)
        case dict():
            for inner in value.values():
                yield from _open(stack, inner)
        case list():
            for inner in value:
                yield from _open(stack, inner)


def _open_parameter(stack: Stack, name: str) -> Iterator[str]:
    if name not in as_dict(stack.template.get("Parameters")):
        return
    if stack.parent is None:
        yield name
        return
    nesting = as_dict(stack.parent.resource_ids[stack.path.rpartition("/")[2]].get("Properties"))
    yield from _open(stack.parent, as_dict(nesting.get("Parameters")).get(name))


def _has_value(stack: Stack, name: str) -> bool:
    """Whether a parameter has a value by default; an empty one is taken for a link that a composing template gives."""
    while stack.parent is not None:
        stack = stack.parent
    return as_dict(stack.template["Parameters"][name]).get("Default") != ""
