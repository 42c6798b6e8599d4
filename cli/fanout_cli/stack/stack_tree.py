"""Read the functions, topics and outputs of a stack and of the stacks nested in it.

That takes two requests per stack, about 170 for the whole application, so the result is kept in a file. A kept result
is used only if CloudFormation lists all of its stacks with unchanged times and status, and no operation on any of
them runs. It holds nothing that can change without a stack operation: no environment variable, subscription or filter.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from botocore.exceptions import ClientError

from fanout_cli.errors import UserError
from fanout_cli.stack.state import replace_file

_SETTLED = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)


@dataclass(frozen=True)
class Stack:
    """One stack: what it has, and where it is in the tree."""

    arn: str
    path: str
    """The logical ids that lead to it from the root, a slash after each; empty for the root."""
    outputs: Mapping[str, str]
    functions: Mapping[str, str]
    """{logical id: name}"""
    topics: Sequence[tuple[str, str]]
    """(logical id, ARN)"""
    nested: Mapping[str, str]
    """{logical id: ARN}"""


class _File(msgspec.Struct):
    format: Literal[1]
    versions: dict[str, str]
    """{ARN of a stack: its version when it was read}"""
    stacks: list[Stack]


def read(cloudformation: Any, name: str, pool: ThreadPoolExecutor, folder: Path | None = None) -> list[Stack]:
    """Return the stack with this name or ARN and all stacks nested in it, the root first.

    folder: where results are kept between commands; None keeps none. Raises UserError if the stack does not exist.
    """
    versions: dict[str, str] = {}
    file = None
    if folder:
        for arn, stack_name, current in _settled(cloudformation):
            versions[arn] = current
            if name in (arn, stack_name):
                file = folder / f"{arn.rpartition('/')[2]}.json"
    if file and (kept := _load(file, versions)):
        return kept
    # The versions were read before the stacks: of a stack that changes meanwhile they are old, and never match again.
    found = list(_read(cloudformation, name, pool))
    if file and all(stack.arn in versions for stack in found):
        content = _File(1, {stack.arn: versions[stack.arn] for stack in found}, found)
        with suppress(OSError):  # the command has its answer without it
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, msgspec.json.encode(content))
    return found


def version(stack: Mapping[str, Any]) -> str:
    """Return what changes with every operation on a stack. stack: as ListStacks or DescribeStacks returns it."""
    return f"{stack['CreationTime']} {stack.get('LastUpdatedTime')} {stack['StackStatus']}"


def _settled(cloudformation: Any) -> Iterator[tuple[str, str, str]]:
    """Yield ARN, name and version of every stack in the account and Region that no operation runs on."""
    try:
        for page in cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=list(_SETTLED)):
            for each in page["StackSummaries"]:
                yield each["StackId"], each["StackName"], version(each)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise  # without the permission the stacks are read each time


def _load(file: Path, versions: Mapping[str, str]) -> list[Stack] | None:
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=_File)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    is_current = all(versions.get(arn) == known for arn, known in kept.versions.items())
    is_complete = kept.versions.keys() == {stack.arn for stack in kept.stacks}
    return kept.stacks if is_current and is_complete else None


def _read(cloudformation: Any, name: str, pool: ThreadPoolExecutor) -> Iterator[Stack]:
    level = {"": name}
    while level:
        stacks = list(pool.map(lambda each: _stack(cloudformation, path=each[0], name=each[1]), level.items()))
        yield from stacks
        level = {f"{stack.path}{each}/": arn for stack in stacks for each, arn in stack.nested.items()}


def _stack(cloudformation: Any, *, path: str, name: str) -> Stack:
    try:
        description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except (ClientError, IndexError) as error:
        missing = isinstance(error, IndexError) or "does not exist" in str(error)
        if missing and not path:
            raise UserError(
                f"there is no stack {name}",
                "Deploy it (fanout up, or sam deploy on AWS), or name another: --stack-name.",
            ) from None
        raise
    functions, topics, nested = {}, [], {}
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
        for resource in page["StackResourceSummaries"]:
            logical_id, physical_id = resource["LogicalResourceId"], resource.get("PhysicalResourceId")
            if not physical_id or resource["ResourceStatus"] == "DELETE_COMPLETE":
                continue
            match resource["ResourceType"]:
                case "AWS::Lambda::Function":
                    functions[logical_id] = physical_id
                case "AWS::SNS::Topic":
                    topics.append((logical_id, physical_id))
                case "AWS::CloudFormation::Stack":
                    nested[logical_id] = physical_id
    outputs = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
    return Stack(description["StackId"], path, outputs, functions, topics, nested)
