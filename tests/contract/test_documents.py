"""The generated documents: correct, complete, and usable by a foreign validator."""

import ast
import json
import re
from pathlib import Path

import jsonschema
import pytest

from fanout import contracts
from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event, encode
from fanout_cli.generate.command_reference import reference
from fanout_cli.generate.contract_documents import asyncapi, documents
from fanout_cli.generate.rejections import page

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/contracts"


def test_the_committed_documents_match_the_contracts() -> None:
    committed = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert committed == documents(), "contracts have changed: run `make generate` and commit docs/contracts"


def test_the_page_of_rejections_matches_the_source() -> None:
    committed = (ROOT / "docs" / "rejections.md").read_text("utf-8")
    assert committed == page(ROOT), "a rejection has changed: run `make generate` and commit docs/rejections.md"


def test_every_code_in_the_source_is_on_the_page_of_rejections() -> None:
    listed = set(re.findall(r"^\| `([a-z0-9-]+)` \|", page(ROOT), re.MULTILINE))
    calls = [
        node
        for folder in ("functions", "layers/common/fanout")
        for file in (ROOT / folder).rglob("*.py")
        if "fanout.outcomes import" in file.read_text("utf-8") or "from fanout import" in file.read_text("utf-8")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Reject", "Discard"}
    ]
    codes = [call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)]
    assert len(codes) == len(calls) > 50, "a code is a literal"
    assert set(codes) == listed


def test_the_page_of_commands_matches_the_commands() -> None:
    committed = (FOLDER.parent / "commands.md").read_text()
    assert committed == reference(), "a command has changed: run `make generate` and commit docs/commands.md"


@pytest.mark.parametrize("use_case", contracts.use_cases())
def test_every_event_type_of_a_use_case_is_a_message_on_its_topic(use_case: str) -> None:
    document = asyncapi(use_case)
    on_topics = {name for channel in document["channels"].values() for name in channel["messages"]}
    assert on_topics == set(document["components"]["messages"]) == set(contracts.load(use_case))


def test_a_foreign_validator_accepts_our_events_and_refuses_broken_ones() -> None:
    document = asyncapi("team_events")
    schema = {
        **document["components"]["messages"]["team.message.posted.v1"]["payload"],
        "components": document["components"],
    }
    good = json.loads(encode(Event.new(TeamMessagePosted(text="hi", author="Ada"), source="urn:test")))
    jsonschema.validate(good, schema)
    for broken in ({**good, "data": {}}, {**good, "specversion": "0.3"}, {**good, "type": "other.v1"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)
