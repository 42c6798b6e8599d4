"""The promises of docs/guarantees.toml: what each is, and what to take away to see a test fail.

[[promise]]
id, title, without (what happens to a user without it), countermeasure
[[promise.proof]]
id          the promise's id, a slash, a name: what @pytest.mark.guarantee names above the tests that then fail
what        the part of the countermeasure
file        where it is
definition  the function or class (dotted) or the template's logical id that contains it; the whole file unless given
remove      the code that is it: once in the definition, however its white space and lines are laid out
put         what replaces it when it is taken away; nothing unless given
"""

import ast
import difflib
import re
import textwrap
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
REGISTRY = ROOT / "docs" / "guarantees.toml"


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part of a countermeasure. Tests that fail without it carry its id in a marker."""

    id: str
    what: str
    file: str
    remove: str
    definition: str = ""
    put: str = ""

    @property
    def tests(self) -> list[str]:
        """Return the tests marked with its id, as pytest names them. Of a parametrized test one case must fail."""
        return marked_tests().get(self.id, [])

    def without(self, text: str) -> str:
        """Return the file's text with the countermeasure taken away. Raises ValueError unless it is there once."""
        found = [
            match
            for start, end in self._definitions(text)
            for match in _layout_free(self.remove).finditer(text, start, end)
        ]
        if len(found) != 1:
            raise ValueError(
                f"{self.where()} in {self.file} contains this {len(found)} times, not once:\n{self.remove}"
            )
        start, end = found[0].span()
        first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
        indent, rest = text[first:start], text[end:last]
        if indent.strip() or rest.strip():
            return text[:start] + self.put + text[end:]
        return text[:first] + (textwrap.indent(self.put, indent) + rest + "\n" if self.put else "") + text[last + 1 :]

    def change(self) -> list[str]:
        """Return the lines that differ without the countermeasure, as a diff shows them."""
        text = (ROOT / self.file).read_text("utf-8")
        diff = difflib.unified_diff(text.splitlines(), self.without(text).splitlines(), lineterm="", n=0)
        return [line for line in list(diff)[2:] if not line.startswith("@@")]

    def where(self) -> str:
        """Return the name of the definition, or the file's own."""
        return self.definition or Path(self.file).name

    def _definitions(self, text: str) -> Iterable[tuple[int, int]]:
        """Return where the definition begins and ends: one place, unless the name is ambiguous or gone."""
        if not self.definition:
            return [(0, len(text))]
        if not self.file.endswith(".py"):
            block = rf"^  {re.escape(self.definition)}:.*\n(?:(?: {{3}}.*)?\n)*"
            return [match.span() for match in re.finditer(block, text, re.MULTILINE)]
        scopes: list[ast.AST] = [ast.parse(text)]
        for name in self.definition.split("."):
            inside = (each for scope in scopes for each in ast.walk(scope) if each is not scope)
            scopes = [each for each in inside if isinstance(each, ast.FunctionDef | ast.ClassDef) and each.name == name]
        starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text)]
        found = [each for each in scopes if isinstance(each, ast.stmt)]
        return [(starts[each.lineno - 1], starts[each.end_lineno or each.lineno]) for each in found]


class Promise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A property that users may rely on."""

    id: str
    title: str
    without: str
    countermeasure: str
    proof: list[Proof]


class _Registry(msgspec.Struct, forbid_unknown_fields=True):
    promise: list[Promise]


def promises() -> list[Promise]:
    """Return the registry."""
    return msgspec.convert(tomllib.loads(REGISTRY.read_text("utf-8")), _Registry).promise


@cache
def marked_tests() -> Mapping[str, list[str]]:
    """Return the tests that carry @pytest.mark.guarantee, as pytest names them, by the ids in the marker.

    The marker is read from the source: collecting every test with pytest takes twenty times as long.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        if "mark.guarantee(" not in (text := file.read_text("utf-8")):
            continue
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        for function in functions:
            for mark in function.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.guarantee":
                    for proof in mark.args:
                        found[ast.literal_eval(proof)].append(f"{file.relative_to(ROOT)}::{function.name}")
    return found


def _layout_free(code: str) -> re.Pattern[str]:
    """Match the code with any white space between its words and signs, and with or without a formatter's last comma."""
    words = re.findall(r"\w+|\S", re.sub(r",(?=\s*[)\]}])", "", code))
    return re.compile(r"\s*".join(rf",?\s*\{word}" if word in ")]}" else re.escape(word) for word in words))
