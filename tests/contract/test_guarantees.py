"""The page of guarantees: up to date, and true as far as reading shows. `make prove-guarantees` shows the rest."""

import ast
import re
from pathlib import Path

import pytest

from fanout_wiring import load
from tests.mutation.guarantees import CHAOS, PAGE, page
from tests.mutation.promises import ROOT, Proof, marked_tests, promises

PROMISES = promises()
PROOFS = [pytest.param(proof, id=proof.id) for promise in PROMISES for proof in promise.proof]


def test_the_page_is_made_from_the_registry() -> None:
    text = PAGE.read_text("utf-8")
    assert page(text) == text, "run `make generate` and commit docs/guarantees.md"


def test_the_table_of_the_chaos_run_stays_when_the_page_is_generated_again() -> None:
    text = PAGE.read_text("utf-8")
    table = "<!-- chaos -->\n| fault | lost |\n| --- | --- |\n| \\1 | 0 |\n<!-- /chaos -->"
    filled = CHAOS.sub(lambda _: table, text)
    assert table in filled
    assert page(filled) == filled


def test_every_promise_has_an_id_of_its_own_and_proofs_that_begin_with_it() -> None:
    ids = [promise.id for promise in PROMISES]
    assert len(set(ids)) == len(ids)
    assert [promise.id for promise in PROMISES if not promise.proof] == []
    proofs = [proof.id for promise in PROMISES for proof in promise.proof]
    assert len(set(proofs)) == len(proofs)
    assert [proof.id for each in PROMISES for proof in each.proof if not proof.id.startswith(f"{each.id}/")] == []


def test_every_proof_has_a_marked_test_and_every_marker_names_a_proof() -> None:
    assert marked_tests().keys() == {proof.id for promise in PROMISES for proof in promise.proof}


@pytest.mark.parametrize("proof", PROOFS)
def test_each_countermeasure_is_found_once_and_the_file_without_it_is_valid(proof: Proof, tmp_path: Path) -> None:
    whole = (ROOT / proof.file).read_text("utf-8")
    without = proof.without(whole)
    assert without != whole
    if proof.file.endswith(".py"):
        compile(without, proof.file, "exec")  # an import that fails would prove nothing
    elif proof.file.endswith(".yaml"):
        file = tmp_path / "template.yaml"
        file.write_text(without, "utf-8")
        assert load(file)["Resources"]


def proof(file: str = "module.py", **fields: str) -> Proof:
    return Proof(id="promise/proof", what="It is kept", file=file, **fields)


@pytest.mark.parametrize(
    "text",
    [
        "def keep(x):\n    return put(x, once=True)\n",
        "def keep(\n    x,\n):\n    return put(\n        x,\n        once=True,\n    )\n",
        "def other(x):\n    return put(x, once=True)\n\n\ndef keep(x): return put(x,once=True)\n",
    ],
    ids=["one line", "many lines", "no spaces"],
)
def test_code_is_found_in_its_definition_however_it_is_laid_out(text: str) -> None:
    found = proof(definition="keep", remove="put(x, once=True)", put="put(x)").without(text)
    assert ast.dump(ast.parse(found)) == ast.dump(
        ast.parse("put(x)".join(text.rsplit(text[text.rindex("put(") :].rstrip(), 1)))
    )


def test_a_statement_goes_with_its_line_and_its_replacement_has_its_indentation() -> None:
    text = "class A:\n    def keep(self):\n        if x:\n            raise\n        go()\n"
    keep = proof(definition="A.keep", remove="if x:\n    raise")
    assert keep.without(text) == "class A:\n    def keep(self):\n        go()\n"
    other = proof(definition="A.keep", remove="if x: raise", put="if y:\n    stay()")
    assert other.without(text) == text.replace("if x:", "if y:").replace("raise", "stay()")


def test_a_key_of_a_template_is_found_in_its_resource() -> None:
    text = "Resources:\n  One:\n    Kept: true\n\n    Other: 1\n  Two:\n    Kept: true\n"
    assert proof("a.yaml", definition="Two", remove="Kept: true").without(text) == text.removesuffix("    Kept: true\n")
    assert proof("a.yaml", definition="One", remove="Kept: true").without(text) == text.replace(
        "    Kept: true\n", "", 1
    )


@pytest.mark.parametrize("definition", ["", "gone", "keep.keep"])
def test_code_that_does_not_occur_exactly_once_is_refused(definition: str) -> None:
    with pytest.raises(ValueError, match="not once"):
        proof(definition=definition, remove="put(x)").without("def keep(x):\n    put(x)\n    put(x)\n")


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
