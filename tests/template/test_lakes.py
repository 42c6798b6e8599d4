"""The catalog's tables and views of the lakes: their columns are those of the contracts, and their SQL is portable."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from fanout import contracts
from fanout.event import Event
from fanout_wiring import Composition, Resource
from tests.template.application import ROOT

LAKES = ("application_logs", "data_aggregation")
TABLE = "AWS::Glue::Table"
# Functions and forms that Athena and the local engine spell differently.
NOT_PORTABLE = r"date_parse|date_format|json_extract|from_iso8601|to_unixtime|\$path|unnest|try_cast|::"


@dataclass
class Catalog:
    """The tables and views of one use case, deployed with the root's defaults."""

    use_case: str

    def __post_init__(self) -> None:
        composition = Composition(ROOT / "usecases" / self.use_case / "template.yaml", {"Stage": "prod"})
        found = {each.properties["TableInput"]["Name"]: each for each in composition.of(TABLE)}
        self.views = {name: each for name, each in found.items() if kind(each) == "VIRTUAL_VIEW"}
        self.tables = {name: each for name, each in found.items() if kind(each) == "EXTERNAL_TABLE"}


def kind(table: Resource) -> str:
    return str(table.properties["TableInput"]["TableType"])


def columns(table: Resource, *, partitions: bool = False) -> dict[str, str]:
    given = table.properties["TableInput"]
    listed = given["StorageDescriptor"]["Columns"] + (given.get("PartitionKeys", []) if partitions else [])
    return {each["Name"]: each["Type"] for each in listed}


def decoded(view: Resource) -> dict[str, Any]:
    text = view.properties["TableInput"]["ViewOriginalText"]
    found = re.fullmatch(r"/\* Presto View: (.*) \*/", text)
    assert found
    document: dict[str, Any] = json.loads(base64.b64decode(found[1]))
    return document


def hive(schema: Any) -> str:
    """A type of a contract as a column of the catalog: what an object with any fields holds is its JSON."""
    inspected = msgspec.inspect.type_info(schema) if not isinstance(schema, msgspec.inspect.Type) else schema
    match inspected:
        case msgspec.inspect.StructType(fields=fields):
            return "struct<{}>".format(",".join(f"{each.encode_name}:{hive(each.type)}" for each in fields))
        case msgspec.inspect.UnionType(types=types):
            (some,) = (each for each in types if not isinstance(each, msgspec.inspect.NoneType))
            return hive(some)
        case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item):
            return f"array<{hive(item)}>"
        case msgspec.inspect.IntType():
            return "bigint"
        case (
            msgspec.inspect.StrType()
            | msgspec.inspect.DateTimeType()
            | msgspec.inspect.LiteralType()
            | msgspec.inspect.DictType()
        ):
            return "string"
    raise AssertionError(f"no column type for {inspected}")


def fields(struct: str) -> set[str]:
    """The fields of a struct, each with its type."""
    found, depth = [""], 0
    for character in struct.removeprefix("struct<").removesuffix(">"):
        depth += (character == "<") - (character == ">")
        if character == "," and not depth:
            found.append("")
        else:
            found[-1] += character
    return set(found)


def trino(declared: str) -> str:
    """A column's type as Athena's SQL writes it."""
    text = re.sub(r"\bstring\b", "varchar", declared)
    text = re.sub(r"\b(\w+):", r"\1 ", text).replace(",", ", ")
    return text.replace("struct<", "row(").replace("array<", "array(").replace(">", ")")


@pytest.fixture(scope="module", params=LAKES)
def catalog(request: pytest.FixtureRequest) -> Catalog:
    return Catalog(request.param)


def test_the_data_of_a_line_has_the_fields_of_every_contract(catalog: Catalog) -> None:
    schemas = contracts.load(catalog.use_case).values()
    wanted = set().union(*(fields(hive(schema)) for schema in schemas))
    assert catalog.tables
    for name, table in catalog.tables.items():
        assert fields(columns(table)["data"]) == wanted, name


def test_a_line_has_every_meaningful_attribute_of_an_event(catalog: Catalog) -> None:
    known = {each.encode_name for each in msgspec.structs.fields(Event)}
    left_out = {"specversion", "datacontenttype", "claimcheck"}
    added = {"occurred_at", "raw"} if catalog.use_case == "data_aggregation" else set()
    for name, table in catalog.tables.items():
        assert set(columns(table)) == known - left_out | added, name


def test_every_table_of_raw_lines_has_a_view_that_gives_each_event_once(catalog: Catalog) -> None:
    read = [decoded(view)["originalSql"] for view in catalog.views.values()]
    for name in catalog.tables:
        (sql,) = (sql for sql in read if re.search(rf"\bFROM {name}\)", sql))
        assert re.search(r"row_number\(\) OVER \(PARTITION BY [a-z, ]*source, id ORDER BY \w+\) AS copy", sql)
        assert sql.endswith("WHERE copy = 1")


def test_a_view_that_compares_within_partitions_compares_all_of_them(catalog: Catalog) -> None:
    for name, view in catalog.views.items():
        sql = decoded(view)["originalSql"]
        (table,) = re.findall(r"FROM (\w+)\)", sql)
        keys = [each["Name"] for each in catalog.tables[table].properties["TableInput"].get("PartitionKeys", [])]
        compared = re.findall(r"PARTITION BY ([\w, ]+) ORDER", sql)[0].split(", ")
        assert compared == [*keys, "source", "id"], name


def test_a_view_has_the_same_columns_in_its_sql_in_athena_and_in_the_catalog(catalog: Catalog) -> None:
    for name, view in catalog.views.items():
        document = decoded(view)
        (table,) = re.findall(r"FROM (\w+)\)", document["originalSql"])
        of_table, of_view = columns(catalog.tables[table], partitions=True), columns(view)
        selected = document["originalSql"].removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
        assert of_view == of_table, name
        assert selected == list(of_view), name
        assert [(each["name"], each["type"]) for each in document["columns"]] == [
            (column, trino(declared)) for column, declared in of_view.items()
        ], name


def test_a_view_reads_its_own_database_in_sql_that_both_engines_accept(catalog: Catalog) -> None:
    for name, view in catalog.views.items():
        document = decoded(view)
        assert document["schema"] == view.properties["DatabaseName"], name
        assert document["catalog"] == "awsdatacatalog"
        assert not re.search(NOT_PORTABLE, document["originalSql"], re.IGNORECASE), name
        assert view.properties["TableInput"]["Parameters"]["presto_view"] == "true"


def test_days_are_projected_from_the_given_one_to_tomorrow() -> None:
    parameters = {"Stage": "prod", "LakeFirstDay": "2025-05-01"}
    composition = Composition(ROOT / "usecases/data_aggregation/template.yaml", parameters)
    (table,) = (each for each in composition.of(TABLE) if each.properties["TableInput"]["Name"] == "raw_events")
    about = table.properties["TableInput"]["Parameters"]
    assert about["projection.enabled"] == "true"
    assert about["projection.dt.range"] == "2025-05-01,NOW+1DAYS"
    assert about["storage.location.template"] == "s3://<LakeBucket>/events/dt=${dt}/"
    (stream,) = composition.of("AWS::KinesisFirehose::DeliveryStream")
    destination = stream.properties["ExtendedS3DestinationConfiguration"]
    assert destination["Prefix"] == "events/dt=!{partitionKeyFromLambda:dt}/"
    assert destination["BufferingHints"] == {"IntervalInSeconds": 300, "SizeInMBs": 64}
    assert destination["DynamicPartitioningConfiguration"]["Enabled"] is True


def test_the_folders_of_a_service_follow_from_the_one_that_a_query_names() -> None:
    (table,) = (
        each
        for each in Composition(ROOT / "usecases/application_logs/template.yaml", {"Stage": "prod"}).of(TABLE)
        if each.properties["TableInput"]["Name"] == "raw_entries_by_service"
    )
    about = table.properties["TableInput"]["Parameters"]
    assert about["projection.service.type"] == "injected"
    assert about["storage.location.template"] == ("s3://<ArchiveBucket>/logs/service=${service}/dt=${dt}/hour=${hour}/")
    hours = (about["projection.hour.type"], about["projection.hour.range"], about["projection.hour.digits"])
    assert hours == ("integer", "0,23", "2")
