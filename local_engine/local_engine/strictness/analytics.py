"""What Glue and Athena refuse of databases, tables, work groups and queries.

https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-catalog-tables.html
https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateWorkGroup.html
"""

import re
from collections import Counter

from ministack.services import athena, glue

from local_engine.strictness._refusing import Data, Refused, before, before_provisioning


def apply() -> None:
    """Validate them, whether they come over the API or from CloudFormation."""
    before(glue, "_create_table", lambda data: _validate_table(data["TableInput"]))
    before(athena, "_create_workgroup", _validate_group)
    before(athena, "_start_query_execution", _validate_query)
    before_provisioning("AWS::Glue::Table", lambda properties: _validate_table(properties["TableInput"]))


def _validate_table(table: Data) -> None:
    columns = (table.get("StorageDescriptor") or {}).get("Columns") or []
    names = Counter(column["Name"].lower() for column in columns + (table.get("PartitionKeys") or []))
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise Refused("InvalidInputException", f"Duplicate columns: {', '.join(twice)}")


def _validate_group(data: Data) -> None:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", data["Name"]):
        raise Refused("InvalidRequestException", "Invalid WorkGroup name.")


def _validate_query(data: Data) -> None:
    group = data.get("WorkGroup", "primary")
    if group not in athena._workgroups:
        raise Refused("InvalidRequestException", f"WorkGroup {group} is not found.")
    location = (data.get("ResultConfiguration") or {}).get("OutputLocation")
    if location is not None and not re.fullmatch(r"s3://[a-z0-9.-]+(/.*)?", location):
        raise Refused("InvalidRequestException", f"outputLocation is not a valid S3 path: {location}")
