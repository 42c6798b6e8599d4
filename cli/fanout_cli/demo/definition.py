"""The base class of a use case's demo, and its helpers. See the package's docstring for an example."""

import importlib.util
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanout import contracts, identity
from fanout.dynamodb import from_item, to_item
from fanout_cli.errors import UserError
from fanout_cli.publishing.inputs import read_documents
from fanout_cli.stack.topology import Topology

Event = dict[str, Any]

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Check:
    """Something besides the functions' effects that must be there."""

    what: str
    found: str
    """one readable sentence; "" if it was not found"""


class UseCaseDemo(ABC):
    """One use case's part of the demo. The class of its module must be called `Demo`."""

    def __init__(self, use_case: str, client: Callable[[str], Any], topology: Topology) -> None:
        self.use_case = use_case
        self.client = client
        self.topology = topology

    def prepare(self) -> AbstractContextManager[None]:
        """Return what must be there while the demo runs (a server behind a webhook), taken away again afterwards."""
        return nullcontext()

    @abstractmethod
    def fresh(self, event: Event, run: str) -> Event:
        """Return the sample with new business keys made from `run`, which no other run and no other sample has."""

    def bring_about(self, events: Sequence[Event]) -> Sequence[Event] | None:  # noqa: ARG002 - as below
        """Bring the fresh samples about where a producer of the application publishes them, and return its events.

        None: the demo publishes the samples itself.
        """
        return None

    @abstractmethod
    def effect(self, event: Event, subscriber: str) -> str:
        """Return what the subscriber ("team_a") has done about the event, as found in its store; "" if nothing."""

    def is_for(self, event: Event, subscriber: str) -> bool:  # noqa: ARG002 - for those who override it
        """Return whether the event's data addresses the subscriber; if not, the demo expects it to discard."""
        return True

    def derived(self, event: Event) -> Sequence[Event]:  # noqa: ARG002 - for those who override it
        """Return the events that handling this one publishes, made with `caused`."""
        return ()

    def others(self, events: Sequence[Event]) -> Iterable[Check]:  # noqa: ARG002 - as above
        """Check what has no function (e-mail, SMS, Firehose), given all events of the use case in this run."""
        return ()

    # What the definitions are made of.

    def with_data(self, event: Event, **changes: Any) -> Event:
        """Return the event with these fields of its data changed."""
        return {**event, "data": {**event["data"], **changes}}

    def caused(
        self, cause: Event, subscriber: str, event_type: str, data: Mapping[str, Any], *, ordinal: int = 0
    ) -> Event:
        """Return the event that `subscriber` ("monitor") publishes about `cause`, with the id it will have.

        data: as far as it is known beforehand; for filters and effects.
        """
        name = f"{self.use_case}/{subscriber}"
        event_id = identity.derived_id(cause["source"], cause["id"], name, event_type, ordinal)
        return {
            "id": event_id,
            "source": f"urn:fanout:{name}",
            "type": event_type,
            "time": cause.get("time"),
            "data": data,
        }

    def setting(self, subscriber: str, variable: str) -> str:
        """Return an environment variable of the deployed function of a subscriber ("team_a")."""
        value = self.topology.subscribers[f"{self.use_case}/{subscriber}"].environment.get(variable)
        if not value:
            raise UserError(
                f"the function of {self.use_case}/{subscriber} has no {variable}", "Deploy it again: fanout up"
            )
        return value

    def item(self, table: str, **key: Any) -> dict[str, Any] | None:
        """Return the item of a DynamoDB table under this key, read consistently; None if there is none."""
        answer = self.client("dynamodb").get_item(TableName=table, Key=to_item(key), ConsistentRead=True)
        return from_item(answer["Item"]) if "Item" in answer else None


def load(root: Path, use_case: str, client: Callable[[str], Any], topology: Topology) -> UseCaseDemo:
    """Return the demo of a use case of the checkout at `root`. Raises UserError if it has none."""
    file = root / "usecases" / use_case / "demo.py"
    spec = importlib.util.spec_from_file_location(f"usecases.{use_case}.demo", file)
    if not file.exists() or spec is None or spec.loader is None:
        raise UserError(
            f"{use_case} has no demo: {file.relative_to(root)} is missing",
            "See cli/fanout_cli/demo/__init__.py for how to add it.",
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    demo: UseCaseDemo = module.Demo(use_case, client, topology)
    return demo


def samples(root: Path, use_case: str) -> list[Event]:
    """Return the ordinary samples of a use case. Raises UserError if there are none or one is not a JSON object."""
    folder = root / "events" / use_case / "valid"
    files = sorted(folder.glob("ordinary*.json"))
    if not files:
        raise UserError(f"{use_case} has no sample {folder.relative_to(root)}/ordinary*.json", "Add one.")
    return [document.value for file in files for document in read_documents(str(file))]


def mailbox_address(run: str, outcome: str = "success") -> str:
    """Return an address of SES's mailbox simulator that no other run has: mail to any other counts as a bounce on AWS.

    outcome: "success" or "bounce". https://docs.aws.amazon.com/ses/latest/DeveloperGuide/mailbox-simulator.html
    """
    return f"{outcome}+{run}@simulator.amazonses.com"


def until(condition: Callable[[], str], seconds: float) -> str:
    """Return what `condition` returns once it is not empty; "" after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return found


def body(event: Event) -> str:
    """Return the event as JSON, to compare and to show."""
    return json.dumps(event, ensure_ascii=False)


def topic_name(event_type: str) -> str | None:
    """Return the name of the topic that events of a type are published to; None for a type without a contract."""
    schema = contracts.schema_of(event_type)
    return contracts.contract_of(schema).topic if schema else None
