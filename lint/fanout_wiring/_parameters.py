"""The possible values of a template's parameters."""

from collections.abc import Mapping
from typing import Any

OPEN = ("<parameter ", "<import ", "<output ", "<macro ")
"""The prefix of the text for a value from outside the templates."""


class Bounded(int):
    """A number that a deployment may choose: the default, or any value between its bounds."""

    low: int | None
    high: int | None

    def __new__(cls, value: int, low: int | None, high: int | None) -> "Bounded":
        """None as a bound: no template states one."""
        self = super().__new__(cls, value)
        self.low, self.high = low, high
        return self


def number(value: Any) -> int | None:
    """Return a value of a template as a number; None if it is not a number or unknown."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str | float):
        try:
            return int(value)
        except ValueError:
            return None
    return None


def lowest(value: int) -> int:
    """Return the minimum of a number; its default if no template states a bound."""
    return value.low if isinstance(value, Bounded) and value.low is not None else int(value)


def highest(value: int) -> int:
    """Return the maximum of a number; its default if no template states a bound."""
    return value.high if isinstance(value, Bounded) and value.high is not None else int(value)


def open_value(name: str, kind: str = "parameter") -> str:
    """Return the text that stands for a value from outside the templates: of a parameter, import, output or macro."""
    return f"<{kind} {name}>"


def is_open(value: Any) -> bool:
    """Return whether a value is one of `open_value`."""
    return isinstance(value, str) and value.startswith(OPEN)


def free(name: str, about: Mapping[str, Any]) -> Any:
    """Return the value of a parameter that was not set."""
    default = about.get("Default")
    kind = str(about.get("Type", "String"))
    if kind == "Number":
        low, high = _bounds(about)
        value = next((bound for bound in (number(default), low, high) if bound is not None), None)
        return open_value(name) if value is None else Bounded(value, low, high)
    if default is None or kind.startswith("AWS::SSM::"):  # the default is the name of what holds the value
        return open_value(name)
    return given(default, about)


def given(value: Any, about: Mapping[str, Any]) -> Any:
    """Return the value of a parameter that was set to this value."""
    kind = str(about.get("Type", "String"))
    if kind == "Number" and isinstance(value, Bounded):
        low, high = _bounds(about)
        return Bounded(value, _narrower(max, value.low, low), _narrower(min, value.high, high))
    if kind == "Number":
        exact = number(value)
        return value if exact is None else exact
    if (kind == "CommaDelimitedList" or kind.startswith("List<")) and isinstance(value, str):
        return [item.strip() for item in value.split(",")]
    return value


def _bounds(about: Mapping[str, Any]) -> tuple[int | None, int | None]:
    allowed = [exact for value in about.get("AllowedValues") or [] if (exact := number(value)) is not None]
    if allowed:
        return min(allowed), max(allowed)
    return number(about.get("MinValue")), number(about.get("MaxValue"))


def _narrower(pick: Any, one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else int(pick(one, other))
