"""Reads templates, with CloudFormation's short forms, and finds the line of an element."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fanout_wiring._values import as_list

Template = dict[str, Any]
_LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"

# libyaml is ten times as fast, and not every installation of PyYAML has it.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UnreadableTemplateError(Exception):
    """A file is not a template. The message says why."""


class _Loader(_SafeLoader):  # type: ignore[misc] # which of the two it is is known at run time only
    """Reads CloudFormation's short forms (`!Ref X`) as the long ones."""


def _short_form(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)
# A date without quotes (`Version: 2012-10-17`) is text to CloudFormation.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


def load(file: Path) -> Template:
    """Return the template in a file, YAML or JSON. It is read once for as long as it stays the same: change a copy.

    Raises UnreadableTemplateError if the file does not exist or is not a template.
    """
    template: Template = _read(file, _stamp(file))
    return template


def _stamp(file: Path) -> tuple[int, int]:
    try:
        state = file.stat()
    except OSError as error:
        raise UnreadableTemplateError(f"{file}: {error.strerror or error}") from error
    return state.st_mtime_ns, state.st_size


@cache
def _read(file: Path, _stamp: tuple[int, int]) -> Any:
    try:
        template = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise UnreadableTemplateError(f"{file}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UnreadableTemplateError(f"{file} is neither YAML nor JSON: {error}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise UnreadableTemplateError(f"{file} has no Resources")
    if _LANGUAGE_EXTENSIONS in as_list(template.get("Transform")):
        # Slow to import, and only needed here.
        from cfnlint.template import Template as CfnLintTemplate  # noqa: PLC0415

        expanded = CfnLintTemplate(str(file), template)
        if matches := expanded.transform():  # cfn-lint does this for the template that it lints
            raise UnreadableTemplateError(f"{file}: {matches[0].message}")
        return expanded.template
    return template


def line_of(file: Path, keys: Sequence[str | int]) -> int:
    """Return the line, counted from 1, of the deepest of these keys that exists."""
    node, line = yaml.compose(file.read_text(encoding="utf-8"), Loader=_Loader), 1
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        found = next((pair for pair in node.value if pair[0].value == key), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
