"""Settings of the subscribers of team_events."""

import msgspec

from fanout import settings


class Settings(msgspec.Struct, frozen=True):
    """Environment variables."""

    feed_table: str


load = settings.cached(Settings)
