"""Filters: SNS refuses some, and a filter on a field or value that no event has matches nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fanout_wiring._contracts import Contract, admits, literals, read, search
from fanout_wiring._graph import TOPIC, Graph, Subscription
from fanout_wiring._parameters import is_open
from fanout_wiring._rule import PAGE, Finding, WiringRule
from fanout_wiring._values import as_dict, as_list
from local_engine.filter_grammar import InvalidFilterPolicyError, validate

_Leaf = tuple[tuple[str, ...], list[Any]]


class FilterOnNothing(WiringRule):
    """The contracts know which fields and values there are."""

    id = "E9115"
    shortdesc = "A filter uses fields and values of a contract"
    description = (
        "Contracts are the AsyncAPI 3 documents in docs/contracts, or -x E9115:contracts=FOLDER; none, no rule"
    )
    page = source_url = f"{PAGE}sns/latest/dg/sns-message-filtering.html"

    def __init__(self) -> None:
        super().__init__()
        self.config_definition = {"contracts": {"default": "docs/contracts", "type": "string"}}
        self.configure()

    def findings(self, graph: Graph) -> Iterator[Finding]:
        folder = self._folder(graph.composition.root.file.parent)
        contracts = read(folder) if folder else ()
        for subscription in graph.subscriptions if contracts else ():
            # Attributes are the publisher's words about an event; contracts are about the event.
            if subscription.settings.get("FilterPolicyScope") == "MessageBody":
                for message in _mistakes(graph, subscription, contracts):
                    keys = (*subscription.keys, "FilterPolicy")
                    yield Finding(subscription.resource, keys, f"{subscription.label}: {message}")

    def _folder(self, start: Path) -> Path | None:
        configured = str(self.config["contracts"])
        return search(start, configured) if configured else None


class FilterThatSnsRefuses(WiringRule):
    """SNS refuses the subscription, and the stack rolls back."""

    id = "E9121"
    shortdesc = "A filter policy is one that SNS accepts"
    description = "SNS refuses unknown operators, more than five keys or 150 combinations, nested keys on attributes"
    page = source_url = f"{PAGE}sns/latest/dg/subscription-filter-policy-constraints.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for subscription in graph.subscriptions:
            policy = subscription.settings.get("FilterPolicy")
            scope = subscription.settings.get("FilterPolicyScope") or "MessageAttributes"
            keys = (*subscription.keys, "FilterPolicy")
            try:
                # A text that is not JSON becomes an empty mapping.
                if isinstance(policy, str) and policy and not as_dict(policy):
                    raise InvalidFilterPolicyError("FilterPolicy: failed to parse JSON")
                validate(as_dict(policy), str(scope))
            except InvalidFilterPolicyError as invalid:
                yield Finding(subscription.resource, keys, f"{subscription.label}: SNS refuses it: {invalid}")


def _mistakes(graph: Graph, subscription: Subscription, contracts: tuple[Contract, ...]) -> Iterator[str]:
    topic = graph.find(subscription.topic, TOPIC)
    # A topic without contracts of its own, or one that is a parameter, may carry any of them.
    names = (topic.logical_id, graph.name_of(topic)) if topic is not None else ()
    published = [each for each in contracts if each.channel in names] or [*contracts]
    leaves = [*_leaves(as_dict(subscription.settings.get("FilterPolicy")), ())]
    types = {each.type for each in published}
    for value in (value for path, asked in leaves if path == ("type",) for value in _values(asked)):
        if isinstance(value, str) and value not in types and not is_open(value):
            yield f"no contract has the type {value!r}; there are {', '.join(sorted(types))}"
    asked_types = {value for path, asked in leaves if path == ("type",) for value in asked if isinstance(value, str)}
    candidates = [each for each in published if each.type in asked_types] or published
    for path, asked in (leaf for leaf in leaves if leaf[0] != ("type",)):
        yield from _field(path, asked, candidates)


def _field(path: tuple[str, ...], asked: list[Any], candidates: list[Contract]) -> Iterator[str]:
    name, types = ".".join(path), ", ".join(sorted(each.type for each in candidates))
    schemas = [schema for each in candidates for schema in each.at(path)]
    if not schemas:
        yield f"no contract of {types} has a field {name}"
        return
    if path[0] == "data" and not any(
        each.filterable is None or name in each.filterable for each in candidates if each.at(path)
    ):
        yield f"{name} is not among the filterable fields of {types}: it is missing in the stub of a claim check"
    known = literals(schemas)
    listed = f", it is one of {', '.join(map(str, known))}" if known else ""
    for value in _values(asked):
        if not admits(schemas, value):
            yield f"no contract of {types} has {value!r} in {name}{listed}"
    for operator, part in _parts(asked):
        texts = [text for text in known or [] if isinstance(text, str)]
        fits = {"prefix": str.startswith, "suffix": str.endswith}[operator]
        if known is not None and not any(fits(text, part) for text in texts):
            yield f"no contract of {types} has a value with the {operator} {part!r} in {name}{listed}"


def _leaves(policy: dict[str, Any], above: tuple[str, ...]) -> Iterator[_Leaf]:
    """Every field of a filter policy with what is asked of it."""
    for key, asked in policy.items():
        if key == "$or" and isinstance(asked, list):
            for alternative in asked:
                yield from _leaves(as_dict(alternative), above)
        elif isinstance(asked, dict):
            yield from _leaves(asked, (*above, *key.split(".")))
        else:
            yield (*above, *key.split(".")), as_list(asked)  # SNS takes a dot for nesting


def _values(asked: list[Any]) -> Iterator[Any]:
    """The values that conditions name in full, to be equal to or not."""
    for condition in asked:
        if not isinstance(condition, dict):
            yield condition
        else:
            excluded = condition.get("anything-but")
            yield from (each for each in as_list(excluded) if not isinstance(each, dict))


def _parts(asked: list[Any]) -> Iterator[tuple[str, str]]:
    for condition in asked:
        for operator in ("prefix", "suffix"):
            part = as_dict(condition).get(operator)
            if isinstance(part, str):
                yield operator, part
