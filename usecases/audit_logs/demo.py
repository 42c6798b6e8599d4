"""audit_logs: the entry is in its tenant's chain, the document is preserved and locked, and the trail verifies."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from fanout_cli.audit.stores import Trails
from fanout_cli.audit.trail import name_of, sha256
from fanout_cli.audit.verification import verify
from fanout_cli.demo.definition import Check, Event, UseCaseDemo


class Demo(UseCaseDemo):
    """Every sample has its own tenant."""

    def fresh(self, event: Event, run: str) -> Event:
        """Return the sample with a new tenant, whose chain begins with it."""
        return self.with_data(event, tenant=f"demo-{run}")

    def effect(self, event: Event, subscriber: str) -> str:
        """Return where the entry or the preserved document is."""
        return self._entry(event) if subscriber == "record" else self._document(event)

    def others(self, events: Sequence[Event]) -> Iterable[Check]:
        """Verify every trail, as an auditor would."""
        trails = Trails(self.client, self.topology)
        for tenant in sorted({event["data"]["tenant"] for event in events}):
            verdict = verify(tenant, trails.of(tenant), lambda *_: None)
            found = f"{verdict.entries} entries, {verdict.preserved} documents" if verdict.ok else ""
            yield Check(f"the trail of {tenant} verifies", found)

    def _entry(self, event: Event) -> str:
        table, tenant = self.setting("record", "AUDIT_TABLE"), event["data"]["tenant"]
        record = self.item(table, pk=f"event#{tenant}#{_name(event)}", sk="entry")
        if not record:
            return ""
        entry = self.item(table, pk=f"chain#{tenant}", sk=f"entry#{int(record['sequence']):020}")
        if not entry or not _is_about(entry["body"], event):
            return ""
        return f"entry {entry['sequence']} of {tenant} has hash {entry['hash'][:16]}..."

    def _document(self, event: Event) -> str:
        bucket, tenant = self.setting("preserve", "TRAIL_BUCKET"), event["data"]["tenant"]
        try:
            found = self.client("s3").get_object(Bucket=bucket, Key=f"documents/{tenant}/{_name(event)}.json")
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return ""
        document: bytes = found["Body"].read()
        if not _is_about(document, event) or "ObjectLockMode" not in found:
            return ""
        locked = f"{found['ObjectLockMode'].lower()} until {found['ObjectLockRetainUntilDate']:%Y-%m-%d}"
        return f"{len(document)} bytes, SHA-256 {sha256(document)[:16]}..., are locked: {locked}"


def _name(event: Event) -> str:
    return name_of(event["source"], event["id"])


def _is_about(document: str | bytes, event: Event) -> bool:
    kept: dict[str, Any] = json.loads(document)["event"]
    return (kept["id"], kept["data"]["action"]) == (event["id"], event["data"]["action"])
