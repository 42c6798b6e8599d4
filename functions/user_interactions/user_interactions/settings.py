"""The environment variables of the functions of user_interactions."""

import msgspec

from fanout import settings


class Settings(msgspec.Struct, frozen=True):
    """Environment variables."""

    interactions_table: str
    counter_shards: int = 16
    """Items that a post's counters are spread over. See `counters`."""
    trending_hours: int = 24
    """How long a minute's score is kept."""
    blocked_words_parameter: str = ""
    """The parameter in Systems Manager with the blocked words; empty: no comment is held."""


load = settings.cached(Settings)
