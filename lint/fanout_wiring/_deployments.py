"""Which deployments of a template there are: every combination of what its conditions ask about.

A parameter matters if a condition compares it, or a mapping is looked up by it, here or in a nested stack it is handed
to. Its values are those it is compared with and one that is none of them. If all combinations are few they are all
built; if not, a covering array of them: any three parameters meet in all their combinations.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fanout_wiring._loading import Template, UnreadableTemplateError, load
from fanout_wiring._parameters import number, open_value
from fanout_wiring._stack import NESTED, PSEUDO

Choice = dict[str, Any]
FEW = 256
_TOGETHER = 3


class Choices:
    """The values that the parameters of a template are asked about, with those of the templates nested in it."""

    def __init__(self, sources: Mapping[Path, Template]) -> None:
        self._sources = sources
        self._known: dict[Path, dict[str, set[str]]] = {}

    def of(self, file: Path) -> dict[str, list[Any]]:
        """Return {parameter: values}, the default first, for every parameter that has more than one."""
        declared = self._template(file).get("Parameters") or {}
        found = {}
        for name, asked in sorted(self._asked(file).items()):
            about = {"Default": PSEUDO[name]} if name in PSEUDO else declared.get(name)
            values = _values(name, about, asked) if isinstance(about, dict) else []
            if len(values) > 1:
                found[name] = values
        return found

    def _template(self, file: Path) -> Template:
        return self._sources[file] if file in self._sources else load(file)

    def _asked(self, file: Path) -> dict[str, set[str]]:
        if file not in self._known:
            self._known[file] = {}  # a template that contains itself asks nothing more
            template = self._template(file)
            asked: dict[str, set[str]] = {}
            for name, value in itertools.chain(_compared(template.get("Conditions")), _looked_up(template)):
                asked.setdefault(name, set()).add(value)
            for child, parameter, value in self._handed_down(file, template):
                for name in _referred(value):
                    asked.setdefault(name, set()).update(self._asked(child).get(parameter, set()))
            self._known[file] = asked
        return self._known[file]

    def _handed_down(self, file: Path, template: Template) -> Iterator[tuple[Path, str, Any]]:
        for declared in template["Resources"].values():
            if not isinstance(declared, dict) or declared.get("Type") not in NESTED:
                continue
            properties = declared.get("Properties") or {}
            location = properties.get(NESTED[declared["Type"]])
            if not isinstance(location, str):
                continue
            child = (file.parent / location).resolve()
            try:
                self._template(child)
            except UnreadableTemplateError:
                continue
            parameters = properties.get("Parameters")
            for name, value in parameters.items() if isinstance(parameters, dict) else ():
                yield child, name, value


def _compared(value: Any) -> Iterator[tuple[str, str]]:
    """(parameter, literal) of every Fn::Equals in a tree."""
    for function, operand in _functions(value):
        if function == "Fn::Equals" and isinstance(operand, list):
            literals = [str(side).lower() if isinstance(side, bool) else str(side) for side in operand if _plain(side)]
            yield from itertools.product(_referred(operand), literals)


def _looked_up(template: Template) -> Iterator[tuple[str, str]]:
    """(parameter, key) of every Fn::FindInMap in a template."""
    for _, operand in (found for found in _functions(template) if found[0] == "Fn::FindInMap"):
        if isinstance(operand, list) and len(operand) >= 3 and isinstance(operand[0], str):
            mapping = (template.get("Mappings") or {}).get(operand[0]) or {}
            for name, key in itertools.product(_referred(operand[1]), mapping):
                yield name, str(key)


def _functions(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
            yield from _functions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _functions(inner)


def _referred(value: Any) -> set[str]:
    return {name for function, name in _functions(value) if function == "Ref" and isinstance(name, str)}


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _values(name: str, about: Mapping[str, Any], asked: set[str]) -> list[Any]:
    """The default or what stands for it, then what the parameter is asked about, then anything else that it may be."""
    allowed = [str(value) for value in about.get("AllowedValues") or []]
    values = sorted(asked & set(allowed) if allowed else asked)
    default = about.get("Default")
    first = default if default is not None else None if allowed else open_value(name)
    other = next((value for value in allowed if value not in asked), None) if allowed else open_value(name)
    if about.get("Type") == "Number" and number(other) is None:
        other = None  # there is no number that stands for all others
        first = default
    ordered = [first, *values, other] if name not in PSEUDO else [first, *values]
    unique = {str(value): value for value in ordered if value is not None}
    if first is not None and str(first) not in asked and other is not None:
        unique.pop(str(other), None)  # the default is already one that nothing asks about
        unique = {str(first): first, **unique}
    return list(unique.values())


def combinations(choices: Mapping[str, list[Any]]) -> list[Choice]:
    """Return what differs from the defaults, per deployment, those that differ least first."""
    if math.prod(len(values) for values in choices.values()) <= FEW:
        rows = [dict(zip(choices, row, strict=True)) for row in itertools.product(*choices.values())]
    else:
        defaults = {name: values[0] for name, values in choices.items()}
        singles = [{**defaults, name: value} for name, values in choices.items() for value in values[1:]]
        rows = [defaults, *singles, *_covering(choices)]
    changes = [
        {name: value for name, value in row.items() if value is not choices[name][0]}  # identity: 1 == True
        for row in rows
    ]
    unique = {repr(change): change for change in changes}
    return sorted(unique.values(), key=len)


def _covering(choices: Mapping[str, list[Any]]) -> Iterator[Choice]:
    """Rows in which any three parameters meet in all combinations of their values, by always adding the best value."""
    sizes = [len(values) for values in choices.values()]
    missing = {
        tuple(zip(columns, row, strict=True))
        for columns in itertools.combinations(range(len(sizes)), _TOGETHER)
        for row in itertools.product(*(range(sizes[column]) for column in columns))
    }
    while missing:
        row = dict(min(missing))
        for column in (column for column in range(len(sizes)) if column not in row):
            others = list(itertools.combinations(sorted(row.items()), _TOGETHER - 1))
            gains = [
                sum(tuple(sorted((*other, (column, value)))) in missing for other in others)
                for value in range(sizes[column])
            ]
            row[column] = gains.index(max(gains))
        missing -= set(itertools.combinations(sorted(row.items()), _TOGETHER))
        yield {name: values[row[column]] for column, (name, values) in enumerate(choices.items())}
