"""Every alert is about something new: the book has it once, chat and pager got it once."""

import json
import re
from collections import Counter
from functools import cached_property

from fanout.identity import identity
from fanout_cli.demo.definition import Event
from tests.chaos import ledger

# What the samples are about, with the mark that makes each of them new.
_FINGERPRINT = re.compile(r"[\w.:/-]+-[0-9a-f]{12}\b")


class Ledger(ledger.Ledger):
    """Reads the alert book and what the webhooks got."""

    def times(self, event: Event, subscriber: str) -> int:
        """The pager recognises an incident's key: the same key twice is one incident, as it is for people."""
        fingerprint = event["data"]["fingerprint"]
        if subscriber == "dispatch":
            key = identity(event["source"], event["id"])
            return self._book[f"alert#{fingerprint}", f"event#{key}"]
        return self._posts[fingerprint] if subscriber == "chat" else len(self._incidents.get(fingerprint, set()))

    @cached_property
    def _book(self) -> Counter[tuple[str, str]]:
        return Counter((item["pk"], item["sk"]) for item in self.rows("dispatch", "ALERT_TABLE"))

    @cached_property
    def _posts(self) -> Counter[str]:
        documents = self.stores.deployment.chat.accepted()
        return Counter(each for document in documents for each in set(_FINGERPRINT.findall(json.dumps(document))))

    @cached_property
    def _incidents(self) -> dict[str, set[tuple[str, str]]]:
        found: dict[str, set[tuple[str, str]]] = {}
        for document in self.stores.deployment.pager.accepted():
            for fingerprint in _FINGERPRINT.findall(json.dumps(document)):
                found.setdefault(fingerprint, set()).add((document["event_action"], document["dedup_key"]))
        return found
