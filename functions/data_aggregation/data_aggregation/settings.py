"""Settings of web, mobile and store."""

import msgspec

from fanout import settings


class Settings(msgspec.Struct, frozen=True):
    """Environment variables."""

    aggregates_table: str


load = settings.cached(Settings)
