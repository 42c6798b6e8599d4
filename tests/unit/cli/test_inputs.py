"""Reading events from files and standard input: what is accepted, and the messages about the rest."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout_cli.errors import UsageError, UserError
from fanout_cli.publishing.inputs import parse_documents, read_documents

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(st.text(), json_values, max_size=4)


@given(json_objects)
def test_one_object_is_one_document(value: dict[str, Any]) -> None:
    assert [each.value for each in parse_documents(json.dumps(value, indent=2), "x")] == [value]


@given(st.lists(json_objects, min_size=1, max_size=5))
def test_a_list_and_json_lines_give_the_same_documents(values: list[dict[str, Any]]) -> None:
    as_list = parse_documents(json.dumps(values, ensure_ascii=False), "x")
    as_lines = parse_documents("\n".join(json.dumps(value, ensure_ascii=False) for value in values), "x")
    assert [each.value for each in as_list] == [each.value for each in as_lines] == values


def test_a_line_separator_within_a_string_does_not_end_a_line() -> None:
    text = '{"a": "one\u2028two"}\n{"a": "three"}\n'
    assert [each.value["a"] for each in parse_documents(text, "x")] == ["one\u2028two", "three"]


def test_blank_lines_between_json_lines_are_skipped_and_keep_the_numbering() -> None:
    documents = parse_documents('{"a":1}\n\n{"a":2}\r\n', "events.jsonl")
    assert [each.where for each in documents] == ["events.jsonl, line 1", "events.jsonl, line 3"]


def test_a_byte_order_mark_is_not_part_of_the_document(tmp_path: Path) -> None:
    file = tmp_path / "e.json"
    file.write_bytes(b'\xef\xbb\xbf{"a":1}')
    assert [each.value for each in read_documents(str(file))] == [{"a": 1}]


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"a":1}')))
    assert [each.where for each in read_documents("-")] == ["standard input"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{\n  "a": 1,\n  "b" 2\n}', "line 3, column 7"),
        ('{"a": 1', "line 1, column 8"),
        ('{"a": 1}\n{"a": }\n', "line 2, column 7"),
        ("hello", "line 1, column 1"),
        ('{"a": NaN}', "line 1, column 7"),
        ('{"a\\"": "NaN \\\\",\n "b": NaN}', "line 2, column 7"),
        ('{"a": "-1e400",\n "b": -1e400}', "line 2, column 7"),
        ("[" * 100_000, "line 1, column 1"),
    ],
)
def test_malformed_json_is_named_by_file_line_and_column(text: str, place: str) -> None:
    with pytest.raises(UserError, match=f"e.json, {place}: not valid JSON") as failure:
        parse_documents(text, "e.json")
    assert failure.value.exit_code == 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [('"hello"', "a string"), ("42", "a number"), ("null", "null"), ("true", "true or false"), ("[[1]]", "a list")],
)
def test_json_that_is_not_an_object_is_refused_because_sns_would_drop_it(text: str, kind: str) -> None:
    with pytest.raises(UserError, match=f"an event is a JSON object, this is {kind}") as failure:
        parse_documents(text, "e.json")
    assert "SNS would drop it" in failure.value.next_step


@pytest.mark.parametrize("text", ["", " \n\t\n", "[]"])
def test_nothing_to_publish_is_an_error(text: str) -> None:
    with pytest.raises(UserError, match="empty"):
        parse_documents(text, "e.json")


def test_a_missing_file_is_wrong_usage_and_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.json: no such file"):
        read_documents(str(tmp_path / "nowhere.json"))


def test_a_folder_is_wrong_usage_and_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        read_documents(str(tmp_path))


def test_bytes_that_are_not_utf_8_are_named_by_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.json"
    file.write_bytes(b'{"a":1}\n{"a":"\xe9"}\n')
    with pytest.raises(UserError, match="line 2: not UTF-8"):
        read_documents(str(file))
