"""Settings of the subscribers of team_events."""

import msgspec

from fanout import settings


class Settings(msgspec.Struct, frozen=True):
    """Environment variables."""

    feed_table: str


def load() -> Settings:
    """Return the settings; raises SettingsError naming what is missing."""
    return settings.load(Settings)
