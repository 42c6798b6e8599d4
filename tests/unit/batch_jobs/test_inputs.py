"""What a job makes of the files that people and programs call CSV, and of places it must not read."""

import re
from typing import Any

import boto3
import pytest

from batch_jobs import files, inputs
from batch_jobs.domain import rejects, totals
from fanout.contracts.batch_jobs import Column
from fanout.testing import REGION
from tests.unit.batch_jobs.conftest import BUCKET, Account, people, requested, sales


def reason(account: Account, content: str | bytes, **parameters: Any) -> str:
    """Why a report on this content fails."""
    job = account.run(requested(account.put(content), sales(**parameters)))
    assert job["state"] == "FAILED"
    [outcome] = account.published()
    assert (outcome.data.reason, outcome.data.detail) == (job["reason"], job["detail"])
    return f"{job['reason']}: {job['detail']}"


def test_a_missing_input_fails_the_job(account: Account) -> None:
    job = account.run(requested(f"s3://{BUCKET}/inputs/none.csv", sales()))
    assert (job["reason"], job["detail"]) == ("no_such_input", f"s3://{BUCKET}/inputs/none.csv does not exist")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty_input"),
        (b"\xef\xbb\xbf", "empty_input"),
        (b"\n\n", "empty_input"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not_csv"),
        ("country,amount\nDE,1\n".encode("utf-16"), "not_csv"),
        (b"country,\xff\nDE,1\n", "not_csv"),
        (b'"country"x,amount\nDE,1\n', "not_csv"),
        (b"country,amount,amount\nDE,1,1\n", "not_csv"),
        (b'{"country": "DE", "amount": 1}\n', "not_csv"),
        (b"country;amount\nDE;1\n", "missing_columns"),
        (b'country,amount,"note\n' + b"DE,1,x\n" * 4 + b'DE,1,y"\nDE,1,z\n', "not_csv: a stray quote"),
        (b"sep=:\ncountry:amount\nDE:1\n", "not_csv: the first line is sep=:"),
        (b"sep=;\n", "empty_input"),
    ],
    ids=[
        "nothing",
        "nothing but a byte order mark",
        "blank lines",
        "an image",
        "UTF-16",
        "names that are not UTF-8",
        "malformed names",
        "a column twice",
        "JSON",
        "another delimiter",
        "rows within the names",
        "a delimiter that no job takes",
        "nothing but the name of a delimiter",
    ],
)
def test_an_input_that_is_not_a_csv_file_with_the_columns_fails_the_job(
    account: Account, content: bytes, why: str
) -> None:
    assert reason(account, content).startswith(why)


def test_missing_columns_are_named(account: Account) -> None:
    assert reason(account, "city,price\nx,1\n") == "missing_columns: the first row lacks country, amount"


@pytest.mark.parametrize("uri", ["s3://foreign/inputs/f.csv", f"s3://{BUCKET}/results/f.csv", f"s3://{BUCKET}/inputs"])
def test_an_input_in_a_forbidden_location_is_not_read(
    account: Account, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Any] = []
    monkeypatch.setattr(inputs, "version", looked.append)
    assert account.run(requested(uri, sales()))["reason"] == "forbidden_input"
    assert looked == []


def test_an_input_may_be_in_the_configured_location(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPUT_LOCATIONS", "other/x/, partner/incoming/")
    boto3.client("s3", region_name=REGION).create_bucket(Bucket="partner")
    uri = account.put("country,amount\nDE,1\n", "incoming/f.csv", "partner")
    assert account.run(requested(uri, sales()))["state"] == "COMPLETED"
    elsewhere = account.put("country,amount\nDE,1\n", "private/f.csv", "partner")
    assert account.run(requested(elsewhere, sales(), job_id="job-2"))["reason"] == "forbidden_input"


def test_an_input_that_is_replaced_while_the_job_reads_it_fails_the_job(account: Account) -> None:
    account.start(requested(account.put("country,amount\nDE,1\n"), sales()))
    [chunk] = account.plan("job-1")
    account.put("country,amount\nDE,2\n")
    with pytest.raises(Exception, match="input_changed"):
        account.process("job-1", chunk)
    account.finish("job-1", error={"Error": "States.ExceedToleratedFailureThreshold", "Cause": "one of them"})
    assert account.job()["reason"] == "input_changed"


def test_a_byte_order_mark_and_line_breaks_in_quotes_are_read_as_spreadsheets_write_them(account: Account) -> None:
    text = '\ufeff"country",amount\r\n"D\r\nE",1\r\n"D\r\nE",2\r\nSE,3\r\n"D\r\nE",4\r\nSE,5\r\n'
    assert account.run(requested(account.put(text), sales()))["state"] == "COMPLETED"
    assert account.table("report")[1:] == [["D\r\nE", "3", "7"], ["SE", "2", "8"]]


def test_a_file_with_names_and_no_rows_makes_an_empty_report(account: Account) -> None:
    job = account.run(requested(account.put("country,amount\n"), sales(tolerated_percent=0)))
    assert (job["state"], job["good"], job["rejected"]) == ("COMPLETED", 0, 0)
    assert account.table("report") == [["country", "rows", "total amount"]]


def test_rows_are_numbered_as_a_spreadsheet_does_blank_and_broken_ones_included(account: Account) -> None:
    text = b'country,amount\nDE,x2\n\n"DE\n",x4\n"a"b,1\nDE,1,1\nDE\n\xff,1\nDE,x9\n'
    account.run(requested(account.put(text), sales()))
    _, *rejects = account.table("rejects")
    assert [(row, why) for row, _, why, _ in rejects] == [
        ("2", "not a number like 1234.56"),
        ("4", "not a number like 1234.56"),
        ("5", "malformed: ',' expected after '\"'"),
        ("6", "3 fields instead of 2"),
        ("7", "1 fields instead of 2"),
        ("8", "not UTF-8"),
        ("9", "not a number like 1234.56"),
    ]


@pytest.mark.guarantee("hostile-input/formula")
def test_no_cell_of_an_output_begins_like_a_formula(account: Account) -> None:
    cells = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", '"\t=1"', "-5", "+49.5", "plain"]
    text = "country,amount\n" + "".join(f"{cell},1\n{cell},=x\n" for cell in cells)
    account.run(requested(account.put(text), sales()))
    countries = {line[0] for line in account.table("report")[1:]}
    assert countries == {"'=1+1", "'+cmd", "'-2+3", "'@SUM(A1)", "'=1", "-5", "+49.5", "plain"}
    assert {line[3] for line in account.table("rejects")[1:]} == {"'=x"}


@pytest.mark.parametrize("separator", [";", "\t", "|", "\r", "\n", '; "'])
def test_no_cell_begins_like_a_formula_where_a_spreadsheet_takes_another_separator(
    account: Account, separator: str
) -> None:
    for formula in ("=1+1", "+cmd", "-2+3", "@SUM(A1)", "\uff1d1"):
        cells = rejects.as_csv([("2", "name", "no number", f"x{separator}{formula}")]).decode()
        assert formula in cells
        assert not any(cell.lstrip(' "').startswith(formula) for cell in re.split(r"[;|\t\r\n]", cells))


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("integer", ["0", "-7", "+999999999999999999"], ["1.0", "1e3", "٣", "1000000000000000000", "0x1"]),
        ("decimal", ["0.10", "-3", "999999999999999999.999999999999999999"], ["1,5", ".5", "NaN", "1e3", "-"]),
        ("date", ["2024-02-29"], ["2023-02-29", "24-02-01", "2024-2-1", "20240201"]),
        ("boolean", ["true", "FALSE"], ["yes", "1"]),
        ("text", ["=1+1", "x" * 1000], []),
    ],
)
def test_a_value_has_the_type_of_its_column_or_its_row_is_rejected(
    account: Account, kind: str, good: list[str], bad: list[str]
) -> None:
    columns = (Column(name="id"), Column(name="value", type=kind))  # type: ignore[arg-type]
    text = "id,value\n" + "".join(f'{number},"{value}"\n' for number, value in enumerate([*good, *bad]))
    job = account.run(requested(account.put(text), people(columns=columns)))
    assert (job["good"], job["rejected"]) == (len(good), len(bad))
    assert len(account.dataset()) == len(good)


def test_a_row_too_large_for_an_item_is_rejected(account: Account) -> None:
    columns = tuple(Column(name=name) for name in "abc")
    text = "a,b,c\n" + ",".join(["é" * 60_000] * 3) + "\n1,2,3\n"
    account.run(requested(account.put(text), people(columns=columns)))
    assert account.table("rejects")[1:] == [["2", "", "larger than 300000 bytes", ""]]


def test_a_value_too_long_to_group_by_is_rejected(account: Account) -> None:
    account.run(requested(account.put("country,amount\nDE,1\n" + "x" * 1001 + ",1\n"), sales()))
    assert account.table("rejects")[1:] == [["3", "", "more than 1000 characters to group by", "x" * 100]]


def test_a_report_of_more_lines_than_fit_into_memory_fails(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "MOST_GROUPS", 4)
    account.start(requested(account.put("country,amount\n" + "".join(f"c{n},1\n" for n in range(6))), sales()))
    for chunk in account.plan("job-1"):
        account.process("job-1", chunk)
    assert account.finish("job-1") == "FAILED"
    assert account.job()["reason"] == "too_many_groups"


def test_more_chunks_than_a_list_may_hold_are_refused(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account.module("plan_job"), "MOST_CHUNKS", 2)
    assert reason(account, "country,amount\n" + "DE,1\n" * 7).startswith("input_too_large")


def test_sums_are_exact(account: Account) -> None:
    account.run(requested(account.put("country,amount\n" + "DE,0.1\n" * 10 + "DE,99999999999999999.01\n"), sales()))
    assert account.table("report")[1:] == [["DE", "11", "100000000000000000.01"]]


def test_a_file_of_several_parts_is_written_whole(account: Account) -> None:
    pieces = [bytes([65 + number]) * 3_000_000 for number in range(7)]
    files.write_long("results/x/long.csv", iter(pieces), files.CSV)
    assert account.text("results/x/long.csv").encode() == b"".join(pieces)
