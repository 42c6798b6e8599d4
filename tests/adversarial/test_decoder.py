"""The decoder and the contracts: any value in any field is taken, or refused as what it is."""

import contextlib
import json
import re
from typing import Any

import msgspec
import msgspec.inspect
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout import contracts
from fanout.event import InvalidEvent, decode, decode_data, encode
from tests.adversarial import corpus

SCHEMAS = {
    event_type: schema for use_case in contracts.use_cases() for event_type, schema in contracts.load(use_case).items()
}
EACH_CONTRACT = pytest.mark.parametrize(("event_type", "schema"), SCHEMAS.items(), ids=SCHEMAS)
SAMPLES = {name: event for use_case in contracts.use_cases() for name, event in corpus.samples(use_case).items()}

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(list(corpus.VALUES.values()))
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@EACH_CONTRACT
def test_data_of_any_kind_is_an_event_or_refused(event_type: str, schema: type[Any]) -> None:
    nothing = {"specversion": "1.0", "id": "1", "source": "urn:x", "type": event_type, "data": {}}
    sample = SAMPLES.get(event_type, nothing)
    fields = {field.encode_name: VALUES for field in msgspec.structs.fields(schema)}

    @given(changes=st.fixed_dictionaries({}, optional=fields), attributes=st.dictionaries(st.text(max_size=8), VALUES))
    def check(changes: dict[str, Any], attributes: dict[str, Any]) -> None:
        body = json.dumps({**attributes, **sample, "data": {**sample["data"], **changes}})
        try:
            event = decode_data(decode(body), schema)
        except InvalidEvent:
            return
        again = decode_data(decode(encode(event)), schema)
        assert again == event
        assert len(event.identity.encode()) <= 512
        shown = contracts.filterable_fields(event.type, event.data)
        assert len(msgspec.json.encode(shown)) < 8_000, "what every receipt shows"

    check()


@EACH_CONTRACT
def test_a_contract_that_takes_any_value_somewhere_says_so_and_is_held_to_a_depth(
    event_type: str, schema: type[Any]
) -> None:
    assert contracts.contract_of(schema).holds_anything == _takes_anything(msgspec.inspect.type_info(schema))


def _takes_anything(info: Any) -> bool:
    if isinstance(info, msgspec.inspect.AnyType):
        return True
    parts = [field.type for field in getattr(info, "fields", ())]
    for name in ("item_type", "key_type", "value_type", "type"):
        parts += [getattr(info, name)] if isinstance(getattr(info, name, None), msgspec.inspect.Type) else []
    parts += [*getattr(info, "types", ()), *getattr(info, "item_types", ())]
    return any(_takes_anything(each) for each in parts)


@EACH_CONTRACT
def test_what_receipts_show_has_a_bound(event_type: str, schema: type[Any]) -> None:
    components = msgspec.json.schema_components([schema])[1]
    properties = components[schema.__name__]["properties"]
    for name in contracts.contract_of(schema).filterable:
        assert _has_bound(properties[name]), f"{event_type}: {name}"


def _has_bound(schema: dict[str, Any]) -> bool:
    if "anyOf" in schema:
        return all(_has_bound(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema or schema.get("type") in {"boolean", "integer", "null"}:
        return True
    if schema.get("type") == "array":
        return "maxItems" in schema and _has_bound(schema["items"])
    # A pattern is a bound if it repeats nothing without end.
    return "maxLength" in schema or ("pattern" in schema and not re.search(r"[+*]|,\}", schema["pattern"]))


@given(body=st.binary() | st.text())
def test_no_body_whatever_is_more_than_refused(body: bytes | str) -> None:
    with contextlib.suppress(InvalidEvent):
        decode(body)
