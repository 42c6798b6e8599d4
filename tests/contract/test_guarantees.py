"""The page of guarantees: up to date, and true as far as reading shows. `make prove-guarantees` shows the rest."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from fanout_wiring import load
from tests.mutation.guarantees import CHAOS, PAGE, page
from tests.mutation.promises import ROOT, Proof, promises

PROMISES = promises()
PROOFS = [
    pytest.param(proof, id=f"{promise.id}-{number}")
    for promise in PROMISES
    for number, proof in enumerate(promise.proof, 1)
]


@cache
def functions(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


def test_the_page_is_made_from_the_registry() -> None:
    text = PAGE.read_text("utf-8")
    assert page(text) == text, "run `make generate` and commit docs/guarantees.md"


def test_the_table_of_the_chaos_run_stays_when_the_page_is_made_anew() -> None:
    text = PAGE.read_text("utf-8")
    table = "<!-- chaos -->\n| fault | lost |\n| --- | --- |\n| \\1 | 0 |\n<!-- /chaos -->"
    filled = CHAOS.sub(lambda _: table, text)
    assert table in filled
    assert page(filled) == filled


def test_every_promise_has_a_name_of_its_own_and_a_proof() -> None:
    ids = [promise.id for promise in PROMISES]
    assert len(set(ids)) == len(ids)
    assert [promise.id for promise in PROMISES if not promise.proof] == []
    assert [promise.id for promise in PROMISES if any(not proof.tests for proof in promise.proof)] == []


@pytest.mark.parametrize("proof", PROOFS)
def test_what_is_to_be_taken_away_is_there_once_and_leaves_a_file_that_can_be_read(
    proof: Proof, tmp_path: Path
) -> None:
    whole = (ROOT / proof.file).read_text("utf-8")
    without = proof.without(whole)
    assert without != whole
    if proof.file.endswith(".py"):
        compile(without, proof.file, "exec")  # an import that fails would prove nothing
    elif proof.file.endswith(".yaml"):
        file = tmp_path / "template.yaml"
        file.write_text(without, "utf-8")
        assert load(file)["Resources"]


@pytest.mark.parametrize("proof", PROOFS)
def test_the_tests_that_must_fail_exist(proof: Proof) -> None:
    for test in proof.tests:
        file, _, name = test.partition("::")
        assert re.sub(r"\[.*", "", name) in functions(ROOT / file), test


def test_the_page_shows_a_run_in_which_nothing_was_lost_and_nothing_doubled() -> None:
    [shown] = CHAOS.findall(PAGE.read_text("utf-8"))
    head, _, *lines = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in re.findall(r"^\|.*\|$", shown, re.M)
    ]
    assert "make chaos" in shown
    assert len(lines) > 12, "a row for each fault, and their sum"
    assert lines[-1][0] == "all"
    for line in lines:
        found = dict(zip(head, line, strict=True))
        assert (found["lost"], found["doubled"]) == ("0", "0"), line
        assert int(found["struck"]) > 0, line
