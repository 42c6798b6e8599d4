"""Environment variables as a typed object."""

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


class SettingsError(RuntimeError):
    """An environment variable is missing or has a value of the wrong type. The message names it."""


def load(schema: type[T], environment: Mapping[str, str] | None = None) -> T:
    """Return `schema` filled from the environment: field `feed_table` from FEED_TABLE; a field's default if unset.

    Raises SettingsError naming the variable.
    """
    environment = os.environ if environment is None else environment
    found: dict[str, str] = {}
    for field in msgspec.structs.fields(schema):
        value = environment.get(field.name.upper())
        if value is not None:
            found[field.name] = value
        elif field.required:
            raise SettingsError(f"environment variable {field.name.upper()} is not set ({schema.__name__} needs it)")
    try:
        return msgspec.convert(found, schema, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"environment variable: {error} ({schema.__name__})") from None


def cached(schema: type[T]) -> Callable[[], T]:
    """Return a function that loads the settings at its first call and returns the same object ever after."""
    return cache(partial(load, schema))
