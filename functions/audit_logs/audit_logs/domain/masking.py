"""Masks sensitive fields, wherever in an event's data they stand.

A path names keys from `data` downwards, with dots between them: `source_ip`, `after.card.number`. `*` is any one key,
`**` any number of keys, none included: `**.password` is a password at any depth. A list on the way counts for nothing:
the path goes on in each of its elements. Capitals make no difference: a secret is one under `Password` too. What a path
leads to is replaced whole, whatever it is.
"""

from collections.abc import Iterable
from typing import Any

MASK = "[masked]"

_State = tuple[str, int]
"""A path, and how many of its steps are done."""


def parse(text: str) -> tuple[str, ...]:
    """Return the paths in a text with commas between them, sorted. Raises ValueError naming one that makes no sense."""
    paths = sorted({part.strip().casefold() for part in text.split(",") if part.strip()})
    for path in paths:
        steps = path.split(".")
        if not all(steps):
            raise ValueError(f"path {path!r} has an empty step")
        if steps[-1] == "**":
            raise ValueError(f"path {path!r} ends in **: name what is to be masked, as in {path.removesuffix('**')}*")
    return tuple(paths)


def mask(data: Any, paths: Iterable[str]) -> tuple[Any, list[str]]:
    """Return the data with everything masked that the paths lead to, and those paths that led to something, sorted."""
    masking = _Masking(paths)
    return masking.walk(data, masking.start), sorted(masking.hits)


class _Masking:
    """One walk through an event's data, along all paths at once."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._steps = {path: path.split(".") for path in paths}
        self.start = self._settled({(path, 0) for path in self._steps})
        self.hits: set[str] = set()

    def walk(self, value: Any, states: set[_State]) -> Any:
        if not states:
            return value
        if isinstance(value, list):
            return [self.walk(each, states) for each in value]
        if isinstance(value, dict):
            return {key: self._enter(key.casefold(), each, states) for key, each in value.items()}
        return value

    def _enter(self, key: str, value: Any, states: set[_State]) -> Any:
        after: set[_State] = set()
        for path, done in states:
            step = self._steps[path][done]
            if step == "**":
                after.add((path, done))
            elif step in {"*", key}:
                after.add((path, done + 1))
        arrived = {path for path, done in after if done == len(self._steps[path])}
        if arrived:
            self.hits |= arrived
            return MASK
        return self.walk(value, self._settled(after))

    def _settled(self, states: set[_State]) -> set[_State]:
        """The states, and those that `**` leads to by standing for no key at all."""
        settled: set[_State] = set()
        waiting = list(states)
        while waiting:
            path, done = state = waiting.pop()
            if state not in settled:
                settled.add(state)
                if self._steps[path][done] == "**":
                    waiting.append((path, done + 1))
        return settled
