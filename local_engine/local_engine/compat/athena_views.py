"""Athena has no views.

Symptom: a query of a view fails: `Catalog Error: Table with name ... does not exist`.
Cause: `athena._rewrite_data_paths` finds the tables of the catalog by their location in S3; a view has none.
Patch: before that, a reference to a table of type VIRTUAL_VIEW becomes the view's query, which stands in its
ViewOriginalText as Athena writes it (`/* Presto View: <base64 of JSON> */`), as a subquery. What that query names
without a database is of the view's own. Views of views are resolved, ten deep. A view's query that begins with WITH is
refused: the references within would not be found.
It can go when upstream resolves views.
"""

import base64
import json
import re
from typing import Any

from ministack.services import athena, glue

_DEEPEST = 10
_ENCODED = re.compile(r"^/\* Presto View: (?P<view>[A-Za-z0-9+/=]+) \*/$")


def apply() -> None:
    """Resolve views before tables."""
    original = athena._rewrite_data_paths

    async def rewrite(query: str, database: str | None, catalog: str | None = None) -> Any:
        return await original(resolved(query, database or "default"), database, catalog)

    athena._rewrite_data_paths = rewrite


def resolved(query: str, database: str, depth: int = 0) -> str:
    """Return the query with every view in it replaced by the view's own query."""
    edits = []
    for reference in athena._table_references(query):
        schema = reference.database or database
        table = glue._tables.get(f"{schema}/{reference.table}") or {}
        if table.get("TableType") != "VIRTUAL_VIEW":
            continue
        if depth == _DEEPEST:
            raise ValueError(f"the view {schema}.{reference.table} refers to itself")
        view = _view(table)
        inner = resolved(_qualified(view["originalSql"], view["schema"]), view["schema"], depth + 1)
        alias = "" if reference.aliased else f' AS "{reference.table}"'
        edits.append((reference.start, reference.end, f"({inner}){alias}"))
    for start, end, text in sorted(edits, reverse=True):
        query = query[:start] + text + query[end:]
    return query


def _view(table: dict[str, Any]) -> dict[str, Any]:
    found = _ENCODED.match(table.get("ViewOriginalText") or "")
    if not found:
        raise ValueError(f"the view {table['Name']} has no ViewOriginalText of Athena's form")
    view: dict[str, Any] = json.loads(base64.b64decode(found["view"]))
    if view["originalSql"].lstrip().lower().startswith("with"):
        raise ValueError(f"the view {table['Name']} begins with WITH, which the local engine cannot resolve")
    return view


def _qualified(query: str, schema: str) -> str:
    """Return the query with its database in front of every table that has none."""
    for reference in sorted(athena._table_references(query), key=lambda each: each.start, reverse=True):
        if reference.database is None:
            name = f'"{schema}"."{reference.table}"' + ("" if reference.aliased else f' AS "{reference.table}"')
            query = query[: reference.start] + name + query[reference.end :]
    return query
