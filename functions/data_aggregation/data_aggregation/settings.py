"""What the template gives the functions of data_aggregation."""

import msgspec


class AggregateSettings(msgspec.Struct, frozen=True):
    """Environment variables of web, mobile and store."""

    aggregates_table: str
