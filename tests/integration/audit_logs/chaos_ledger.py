"""An entry has one place in its tenant's chain, its document is preserved in one version, and every trail verifies."""

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from fanout_cli.audit.stores import Trails
from fanout_cli.audit.trail import name_of
from fanout_cli.audit.verification import verify
from fanout_cli.demo.definition import Event
from tests.chaos import ledger


class Ledger(ledger.Ledger):
    """Walks the chains and the preserved documents."""

    def times(self, event: Event, subscriber: str) -> int:
        """Places in the chain; versions of the document."""
        if subscriber == "record":
            return self._places[event["source"], event["id"]]
        tenant = event["data"]["tenant"]
        return self._documents[f"documents/{tenant}/{name_of(event['source'], event['id'])}.json"]

    def faults(self, events: Sequence[Event]) -> list[str]:
        """What an auditor finds."""
        trails = Trails(self.stores.client, self.demo.topology)
        items = self.rows("record", "AUDIT_TABLE")
        tenants = sorted({item["pk"].partition("#")[2] for item in items if item["pk"].startswith("chain#")})
        verdicts = [verify(tenant, trails.of(tenant), lambda *_: None) for tenant in tenants]
        return [f"{verdict.tenant}: {finding.text}" for verdict in verdicts for finding in verdict.findings]

    @cached_property
    def _places(self) -> Counter[tuple[str, str]]:
        items = self.rows("record", "AUDIT_TABLE")
        bodies = [json.loads(item["body"])["event"] for item in items if item["sk"].startswith("entry#")]
        return Counter((body["source"], body["id"]) for body in bodies)

    @cached_property
    def _documents(self) -> Counter[str]:
        bucket = self.demo.setting("preserve", "TRAIL_BUCKET")
        pages = self.stores.client("s3").get_paginator("list_object_versions")
        found = pages.paginate(Bucket=bucket, Prefix="documents/")
        return Counter(version["Key"] for page in found for version in page.get("Versions", []))
