"""The page of what the local engine does not prove: complete, up to date, and `make test-cloud` is exactly its list."""

import os
import subprocess
import sys

from tests.mutation.unproven import CLOUD, PAGE, marks, page, rows
from tests.template.application import ROOT


def pytest_on_aws(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """pytest as `make test-cloud` runs it, in one process, without the variables of this session."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FANOUT_", "AWS_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "cloud", "-p", "no:cacheprovider", *options, str(CLOUD)],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_page_matches_its_rows_marks_and_conditions() -> None:
    """Every row has a test on AWS or says why there is none; every condition that is false locally has a row."""
    assert PAGE.read_text("utf-8") == page(), "run `make generate` and commit docs/not-proven-locally.md"


def test_the_tests_on_aws_are_exactly_those_of_the_page() -> None:
    found = pytest_on_aws("--collect-only")
    assert found.returncode == 0, found.stdout + found.stderr
    lines = [line.partition("[")[0] for line in found.stdout.splitlines() if "::" in line]
    collected = {line.rpartition("/")[2] for line in lines}
    assert collected == {f"{test.file}::{test.name}" for tests in marks().values() for test in tests}
    defined = {
        f"{file.name}::{line[4:].partition('(')[0]}"
        for file in CLOUD.glob("test_*.py")
        for line in file.read_text("utf-8").splitlines()
        if line.startswith("def test_")
    }
    assert collected == defined, "a test in tests/cloud without a mark"


def test_without_a_stack_they_fail_and_name_the_variable_to_set() -> None:
    found = pytest_on_aws()
    assert found.returncode == 4
    assert "FANOUT_CLOUD_STACK=fanout-dev make test-cloud" in found.stderr
    assert "passed" not in found.stdout


def test_rows_are_listed_by_risk_and_each_says_what_fails() -> None:
    listed = rows()
    assert [row.risk for row in listed] == sorted((row.risk for row in listed), reverse=True)
    assert listed[0].id == "nested-stacks", "without it nothing else can be tried"
    assert [row.id for row in listed if not row.wrong] == []
