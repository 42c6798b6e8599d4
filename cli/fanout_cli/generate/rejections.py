"""docs/rejections.md: every code with which a subscriber rejects or discards an event, found in the source.

`make generate` writes it, a test compares. From each handler the references between top-level functions and classes are
followed; each `Reject(code, detail)` and `Discard(code, detail)` on the way belongs to the handler's subscriber.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_DECORATORS = {"subscriber", "batch_subscriber"}
_CALLS = {"Reject": "rejected", "Discard": "discarded"}
_RUNTIME = "fanout.parsing"

_HEAD = """\
<!-- made by `make generate` from the source -->
# Rejections

The codes with which subscribers reject or discard an event. The receipt has the field `code`, and its `reason` is
`code: text`. So has the dead letter of a rejected event: `fanout dlq list`, `fanout dlq show`. In a text, ‹ › is
a value. [operations.md](operations.md) says what to do.
"""


class Code(NamedTuple):
    """One call of Reject or Discard."""

    code: str
    outcome: str
    meaning: str


class Reference(NamedTuple):
    """A top-level name of a module."""

    module: str
    name: str


@dataclass
class _Module:
    definitions: dict[str, ast.stmt] = field(default_factory=dict)
    imports: dict[str, Reference] = field(default_factory=dict)
    """By local name. An imported module has the name ""."""


class Source:
    """The modules of a checkout by their import names."""

    def __init__(self, root: Path) -> None:
        self._files = {
            ".".join(file.relative_to(base).with_suffix("").parts).removesuffix(".__init__"): file
            for base in (root / "layers" / "common", *sorted((root / "functions").iterdir()))
            for file in base.rglob("*.py")
        }
        self._modules: dict[str, _Module] = {}

    def subscribers(self) -> dict[str, list[Code]]:
        """Return the codes by subscriber (`<use case>/<name>`), sorted."""
        found: dict[str, list[Code]] = {}
        for name in sorted(self._files):
            use_case, _, handler = name.partition(".handlers.")
            handles = self._module(name).definitions.get("handler") if handler else None
            if isinstance(handles, ast.FunctionDef) and _is_subscriber(handles):
                found[f"{use_case}/{handler}"] = sorted(set(self._codes(Reference(name, "handler"))))
        return found

    def runtime(self) -> set[Code]:
        """Return the codes that every subscriber has."""
        return set(self._codes(Reference(_RUNTIME, "Parser")))

    def _codes(self, start: Reference) -> Iterator[Code]:
        seen: set[Reference] = set()
        waiting = [start]
        while waiting:
            reference = waiting.pop()
            if reference in seen:
                continue
            seen.add(reference)
            module = self._module(reference.module)
            if reference.name in module.imports:  # a name that another module imports from here
                waiting.append(module.imports[reference.name])
            elif reference.name in module.definitions:
                definition = module.definitions[reference.name]
                yield from _calls(definition)
                waiting += _references(definition, reference.module, module)

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def _read(self, name: str) -> _Module:
        module = _Module()
        if name not in self._files:
            return module
        for statement in _top_level(ast.parse(self._files[name].read_text("utf-8")).body):
            match statement:
                case ast.ImportFrom(module=str(origin), names=names):
                    for each in names:
                        path = f"{origin}.{each.name}"
                        found = Reference(path, "") if path in self._files else Reference(origin, each.name)
                        module.imports[each.asname or each.name] = found
                case ast.FunctionDef(name=str(defined)) | ast.ClassDef(name=str(defined)):
                    module.definitions[defined] = statement
                case ast.Assign(targets=[ast.Name(id=defined)]) | ast.AnnAssign(target=ast.Name(id=defined)):
                    module.definitions[defined] = statement
        return module


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those for type checkers included: there `fanout` says where its names are."""
    for statement in body:
        match statement:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=inner):
                yield from inner
            case _:
                yield statement


def _is_subscriber(function: ast.FunctionDef) -> bool:
    calls = [each.func for each in function.decorator_list if isinstance(each, ast.Call)]
    return any(isinstance(called, ast.Name) and called.id in _DECORATORS for called in calls)


def _references(definition: ast.stmt, name: str, module: _Module) -> Iterator[Reference]:
    for node in ast.walk(definition):
        match node:
            case ast.Attribute(value=ast.Name(id=alias), attr=attribute):
                imported = module.imports.get(alias)
                if imported and not imported.name:
                    yield Reference(imported.module, attribute)
            case ast.Name(id=used):
                yield module.imports.get(used) or Reference(name, used)


def _calls(definition: ast.stmt) -> Iterator[Code]:
    for handler, node in _within_handlers(definition, None):
        match node:
            case ast.Call(func=ast.Name(id=called), args=[ast.Constant(value=str(code)), detail]) if called in _CALLS:
                yield Code(code, _CALLS[called], _meaning(detail, handler))


def _within_handlers(
    node: ast.AST, handler: ast.ExceptHandler | None
) -> Iterator[tuple[ast.ExceptHandler | None, ast.AST]]:
    """Every node, with the `except` clause around it."""
    yield handler, node
    for child in ast.iter_child_nodes(node):
        yield from _within_handlers(child, node if isinstance(node, ast.ExceptHandler) else handler)


def _meaning(detail: ast.expr, handler: ast.ExceptHandler | None) -> str:
    match detail:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_meaning(part, handler) for part in parts)
        case ast.FormattedValue(value=value):
            return f"‹{_words(value, handler)}›"
        case ast.Call(func=ast.Attribute(value=value, attr="rstrip")):
            return _meaning(value, handler)
        case ast.Call(func=ast.Name(id="str"), args=[value]):
            return f"‹{_words(value, handler)}›"
    raise ValueError(f"line {detail.lineno}: a detail that this page cannot show: {ast.unparse(detail)}")


def _words(value: ast.expr, handler: ast.ExceptHandler | None) -> str:
    """A value as the page shows it: the message of a caught exception, else the last name in the expression."""
    if handler and isinstance(value, ast.Name) and value.id == handler.name and handler.type:
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        return f"message of {ast.unparse(kinds[0])}"
    names = [node for node in ast.walk(value) if isinstance(node, ast.Name | ast.Attribute)]
    first = names[0] if names else None
    name = first.attr if isinstance(first, ast.Attribute) else first.id if isinstance(first, ast.Name) else "value"
    return name.strip("_").lower().replace("_", " ")


def page(root: Path) -> str:
    """Return the page for a checkout."""
    source = Source(root)
    runtime = source.runtime()
    lines = [_HEAD, "## Every subscriber\n", "| code | outcome | text |", "| --- | --- | --- |"]
    lines += [f"| `{each.code}` | {each.outcome} | {each.meaning} |" for each in sorted(runtime)]
    by_use_case: dict[str, dict[str, list[Code]]] = {}
    for name, codes in source.subscribers().items():
        own = [code for code in codes if code not in runtime]
        if own:
            by_use_case.setdefault(name.partition("/")[0], {})[name.partition("/")[2]] = own
    for use_case, subscribers in sorted(by_use_case.items()):
        lines += [f"\n## {use_case}\n", "| code | outcome | text | subscribers |", "| --- | --- | --- | --- |"]
        lines += _rows(subscribers)
    return "\n".join(lines) + "\n"


def _rows(subscribers: Mapping[str, list[Code]]) -> Iterator[str]:
    names: dict[Code, list[str]] = {}
    for name, codes in sorted(subscribers.items()):
        for code in codes:
            names.setdefault(code, []).append(name)
    for code in sorted(names):
        yield f"| `{code.code}` | {code.outcome} | {code.meaning} | {', '.join(names[code])} |"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(page(Path(sys.argv[1])), encoding="utf-8")
