"""Athena guesses the columns of a JSON table.

Symptom: a column that a table declares and no object has makes the query fail (`Binder Error`), and so does a field of
a struct; an empty table has text where the catalog says struct; types are guessed from the first lines; the folder
`service=a%2Fb` is the service `a/b`.
Cause: `athena._table_relation` reads JSON with read_json_auto and ignores the table's columns; `athena._duckdb_type`
has no struct, array or map; DuckDB decodes what stands in the names of folders.
Patch: JSON is read line by line with the columns and types of the catalog, and partition keys are what the folders'
names say, unchanged. A line that is not a JSON object fails the query, as with the OpenX SerDe, unless the table
says `ignore.malformed.json`.
It can go when upstream reads JSON with the table's columns.
"""

import re
from typing import Any

from ministack.services import athena

_FILE = "__fanout_file"
_OPENERS, _CLOSERS = "<(", ">)"


def apply() -> None:
    """Read JSON as the catalog says."""
    table_relation, duckdb_type = athena._table_relation, athena._duckdb_type

    def relation(table: dict[str, Any], files: list[str]) -> str:
        columns = (table.get("StorageDescriptor") or {}).get("Columns") or []
        if athena._data_format(table) != "json" or not columns:
            return str(table_relation(table, files))
        types = ", ".join(f"{_text(each['Name'])}: {_text(as_duckdb(each['Type']))}" for each in columns)
        serde = table["StorageDescriptor"].get("SerdeInfo") or {}
        lenient = (serde.get("Parameters") or {}).get("ignore.malformed.json") == "true"
        keys = "".join(f", {_from_folder(key)}" for key in athena._path_partition_keys(table, files))
        reader = (
            f"read_json({athena._sql_list(files)}, format = 'newline_delimited', columns = {{{types}}}, "
            f"ignore_errors = {str(lenient).lower()}, hive_partitioning = false, filename = '{_FILE}')"
        )
        return f"(SELECT * EXCLUDE ({_FILE}){keys} FROM {reader})"  # noqa: S608 - made of what the catalog says

    def type_of(column: dict[str, Any]) -> str:
        declared = str(column.get("Type", "string"))
        return as_duckdb(declared) if "<" in declared else str(duckdb_type(column))

    athena._table_relation, athena._duckdb_type = relation, type_of


def _from_folder(key: dict[str, Any]) -> str:
    """Return a partition key as an expression: its value in the path of the line's file."""
    pattern = _text(f".*/{re.escape(key['Name'])}=([^/]*)/.*")
    return f'CAST(regexp_extract({_FILE}, {pattern}, 1) AS {athena._duckdb_type(key)}) AS "{key["Name"]}"'


def as_duckdb(declared: str) -> str:
    """Return a Hive type as DuckDB writes it: struct<a:array<int>> is STRUCT("a" INTEGER[])."""
    name, _, inner = declared.strip().partition("<")
    inner = inner.removesuffix(">")
    match name.lower():
        case "array":
            return f"{as_duckdb(inner)}[]"
        case "map":
            key, value = _split(inner)
            return f"MAP({as_duckdb(key)}, {as_duckdb(value)})"
        case "struct":
            fields = (field.partition(":") for field in _split(inner))
            return "STRUCT({})".format(", ".join(f'"{field}" {as_duckdb(kind)}' for field, _, kind in fields))
        case plain if plain.startswith("decimal("):
            return plain.upper()
        case plain:
            return str(athena._DUCKDB_TYPE_BY_ATHENA.get(plain, "VARCHAR"))


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in _OPENERS) - (character in _CLOSERS)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
