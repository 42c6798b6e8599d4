"""A deployed tenant's chain and bucket, read through AWS's API."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from fanout.dynamodb import from_item, to_item
from fanout_cli.audit.findings import Finding
from fanout_cli.audit.trail import NO_HEAD, Head, Version
from fanout_cli.errors import UserError
from fanout_cli.stack.topology import Topology

_THREADS = 16
_FOLDER = "documents/"
_ENDING = ".json"


class AwsStores:
    """One tenant's chain and bucket, as `fanout_cli.audit.trail.Stores` describes them."""

    def __init__(self, client: Callable[[str], Any], table: str, bucket: str, tenant: str) -> None:
        self._dynamodb = client("dynamodb")
        self._s3 = client("s3")
        self._table = table
        self._bucket = bucket
        self._tenant = tenant

    def head(self) -> Head:
        """Return the chain's end."""
        item = self._item(f"chain#{self._tenant}", "head")
        try:
            return Head(int(item["sequence"]), str(item["hash"])) if item else NO_HEAD
        except (KeyError, TypeError, ValueError):
            return NO_HEAD

    def items(self) -> Iterator[Mapping[str, Any]]:
        """Yield the chain's items."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :chain",
            ExpressionAttributeValues=to_item({":chain": f"chain#{self._tenant}"}),
        )
        for page in pages:
            for item in page["Items"]:
                if item["sk"] != {"S": "head"}:
                    yield {name: _plain(value) for name, value in from_item(item).items()}

    def place(self, name: str) -> int | None:
        """Return which entry was recorded for an event."""
        sequence = self._item(f"event#{self._tenant}#{name}", "entry").get("sequence")
        return int(sequence) if isinstance(sequence, Decimal) else None

    def key(self, name: str) -> str:
        """Return the key of a document."""
        return name if name.startswith(_FOLDER) else f"{_FOLDER}{self._tenant}/{name}{_ENDING}"

    def versions(self) -> Iterator[Version]:
        """Yield every version in the tenant's folder."""
        return self._versions(f"{_FOLDER}{self._tenant}/")

    def versions_of(self, name: str) -> list[Version]:
        """Return the versions of one document."""
        return list(self._versions(self.key(name)))

    def read(self, versions: Sequence[Version]) -> list[bytes]:
        """Return what the versions hold."""
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(self._read, versions))

    def _read(self, version: Version) -> bytes:
        answer = self._s3.get_object(Bucket=self._bucket, Key=self.key(version.name), VersionId=version.version_id)
        body: bytes = answer["Body"].read()
        return body

    def _versions(self, prefix: str) -> Iterator[Version]:
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix):
            # Two lists, each by key and newest first: markers and versions of one key need no common order.
            for each in page.get("Versions", []):
                yield Version(self._name(each["Key"]), each["VersionId"])
            for each in page.get("DeleteMarkers", []):
                yield Version(self._name(each["Key"]), each["VersionId"], is_marker=True)

    def _name(self, key: str) -> str:
        name = key.removeprefix(f"{_FOLDER}{self._tenant}/").removesuffix(_ENDING)
        return name if self.key(name) == key else key

    def _item(self, pk: str, sk: str) -> dict[str, Any]:
        answer = self._dynamodb.get_item(TableName=self._table, Key=to_item({"pk": pk, "sk": sk}), ConsistentRead=True)
        return from_item(answer.get("Item", {}))


class Trails:
    """The trails of a deployed audit_logs."""

    def __init__(self, client: Callable[[str], Any], topology: Topology) -> None:
        self._client = client
        self._stack = topology.stack_name
        self._table = _setting(topology, "record", "AUDIT_TABLE")
        self._bucket = _setting(topology, "preserve", "TRAIL_BUCKET")

    def of(self, tenant: str) -> AwsStores:
        """Return the stores of a tenant. Raises UserError if neither holds anything of it."""
        stores = AwsStores(self._client, self._table, self._bucket, tenant)
        if stores.head() == NO_HEAD and next(stores.items(), None) is None and next(stores.versions(), None) is None:
            known = self._some_tenants()
            raise UserError(
                f"tenant {tenant!r} has no audit trail in stack {self._stack}",
                f"Tenants with one: {', '.join(known)}." if known else "No tenant has one yet.",
            )
        return stores

    def unlocked(self) -> Finding | None:
        """Return what is wrong with the bucket as a whole: whether it locks what is written to it."""
        s3 = self._client("s3")
        try:
            lock = s3.get_object_lock_configuration(Bucket=self._bucket)["ObjectLockConfiguration"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ObjectLockConfigurationNotFoundError":
                raise
            lock = {}
        if not lock.get("Rule"):
            return Finding("unlocked", "bucket", None, f"bucket {self._bucket} locks nothing that is written to it")
        return None

    def _some_tenants(self) -> list[str]:
        """Return a page of those that have preserved documents."""
        answer = self._client("s3").list_objects_v2(Bucket=self._bucket, Prefix=_FOLDER, Delimiter="/", MaxKeys=20)
        return [each["Prefix"].split("/")[1] for each in answer.get("CommonPrefixes", [])]


def _setting(topology: Topology, subscriber: str, variable: str) -> str:
    found = topology.subscribers.get(f"audit_logs/{subscriber}")
    value = found.environment.get(variable) if found else None
    if not value:
        raise UserError(
            f"audit_logs is not deployed in stack {topology.stack_name}",
            "Deploy it: fanout up locally, sam deploy on AWS.",
        )
    return value


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) and value == int(value) else value
