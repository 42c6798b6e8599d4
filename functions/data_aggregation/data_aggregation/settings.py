"""Settings of web, mobile and store."""

from functools import cache

import msgspec

from fanout import settings


class Settings(msgspec.Struct, frozen=True):
    """Environment variables."""

    aggregates_table: str


@cache
def load() -> Settings:
    """Return the settings; raises SettingsError naming what is missing."""
    return settings.load(Settings)
