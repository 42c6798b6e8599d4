"""Each rule finds what its failing fixtures mark, and nothing else; and our own templates give it nothing to find.

A fixture marks a line with the rules that must find something there: `# E9102`. What is not marked must not be found.
"""

import re
from pathlib import Path

import pytest
from cfnlint.config import ConfigMixIn
from cfnlint.decode import decode
from cfnlint.rules import Rules
from cfnlint.runner.template.runner import _check_metadata_directives
from cfnlint.template import Template

from fanout_wiring import RULES

FIXTURES = Path(__file__).parent / "fixtures"
CASES = sorted([*FIXTURES.glob("E*.yaml"), *FIXTURES.glob("passing/*.yaml")])


def found(file: Path) -> list[tuple[int, str, str]]:
    template, errors = decode(str(file))
    assert not errors
    cfn = Template(str(file), template)
    cfn.transform()
    rules = Rules._from_list([rule() for rule in RULES])
    matches = rules.run(str(file), cfn, ConfigMixIn([]))
    return [(m.linenumber, m.rule.id, m.message) for m in _check_metadata_directives(matches, cfn, ConfigMixIn([]))]


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_fixture(file: Path) -> None:
    marked = {
        (number, rule)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if "#" in line
        for rule in re.findall(r"[EW]9\d{3}", line.rpartition("#")[2])
    }
    got = found(file)
    assert {(line, rule) for line, rule, _ in got} == marked, got
