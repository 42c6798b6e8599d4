"""The promises of docs/guarantees.toml: what each is, and what to take away to see a test fail.

[[promise]]
id, title, without (what happens to a user without it), countermeasure
[[promise.proof]]
what     the part of the countermeasure
file     where it is
remove   the text that is it, as it stands in the file, once
put      what stands there instead when it is taken away; nothing unless given
tests    the tests that then fail, as pytest names them; without the [...] of a parametrized one, one case at least
"""

import ast
import difflib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
REGISTRY = ROOT / "docs" / "guarantees.toml"


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One part of a countermeasure, and the tests that miss it."""

    what: str
    file: str
    remove: str
    tests: list[str]
    put: str = ""

    def without(self, text: str) -> str:
        """Return the file's text with the countermeasure taken away. Raises ValueError unless it is there once."""
        if (found := text.count(self.remove)) != 1:
            raise ValueError(f"{self.file} holds this {found} times, not once:\n{self.remove}")
        return text.replace(self.remove, self.put)

    def change(self) -> list[str]:
        """Return whole lines of the file as they are and as they are without it, as a diff shows them."""
        text = (ROOT / self.file).read_text("utf-8")
        start = text.index(self.remove)
        end = start + len(self.remove)
        first = text.rfind("\n", 0, start) + 1
        last = end if self.remove.endswith("\n") else text.find("\n", end)
        before, after = text[first:last], text[first:start] + self.put + text[end:last]
        return list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm=""))[3:]

    def where(self) -> str:
        """Return the name of the function, class or resource that holds it; the file's own for a bare statement."""
        text = (ROOT / self.file).read_text("utf-8")
        start = text.index(self.remove)
        line = text.count("\n", 0, start + len(self.remove) - len(self.remove.lstrip())) + 1
        name = _definition(text, line) if self.file.endswith(".py") else _resource(text, line)
        return name or Path(self.file).name


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


def _definition(text: str, line: int) -> str:
    """The dotted name of the innermost function or class around a line."""
    names: list[str] = []
    nodes: Iterator[ast.AST] = ast.iter_child_nodes(ast.parse(text))
    while inner := next((node for node in nodes if _spans(node, line)), None):
        if isinstance(inner, ast.FunctionDef | ast.ClassDef):
            names.append(inner.name)
        nodes = ast.iter_child_nodes(inner)
    return ".".join(names)


def _spans(node: ast.AST, line: int) -> bool:
    return isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)


def _resource(text: str, line: int) -> str:
    """The logical id, or the section's key, above a line of a template."""
    above = text.splitlines()[:line]
    keys = [each for each in above if each.startswith("  ") and each[2:3].isalpha() and each.rstrip().endswith(":")]
    return keys[-1].strip().rstrip(":") if keys else ""
