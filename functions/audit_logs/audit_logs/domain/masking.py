"""Masks sensitive fields at any place in an event's data.

A path names keys from `data` downwards, separated by dots: `source_ip`, `after.card.number`. `*` matches any one key,
`**` any number of keys including none: `**.password` is a password at any depth. Lists are transparent: the path
continues in each element. Keys are matched without regard to case. The whole value at a path is replaced.
"""

from collections.abc import Iterable
from typing import Any

MASK = "[masked]"

_State = tuple[str, int]
"""A path, and the number of its steps that are matched."""


def parse(text: str) -> tuple[str, ...]:
    """Return the comma-separated paths, sorted. Raises ValueError naming an invalid one."""
    paths = sorted({part.strip().casefold() for part in text.split(",") if part.strip()})
    for path in paths:
        steps = path.split(".")
        if not all(steps):
            raise ValueError(f"path {path!r} has an empty step")
        if steps[-1] == "**":
            raise ValueError(f"path {path!r} ends in **: name what is to be masked, as in {path.removesuffix('**')}*")
    return tuple(paths)


def mask(data: Any, paths: Iterable[str]) -> tuple[Any, list[str]]:
    """Return the data with the values at the paths masked, and the paths that matched, sorted."""
    masking = _Masking(paths)
    return masking.walk(data, masking.start), sorted(masking.hits)


class _Masking:
    """One traversal of an event's data that matches all paths at once."""

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
        """Return the states, and those reached where `**` matches no key."""
        settled: set[_State] = set()
        waiting = list(states)
        while waiting:
            path, done = state = waiting.pop()
            if state not in settled:
                settled.add(state)
                if self._steps[path][done] == "**":
                    waiting.append((path, done + 1))
        return settled
