"""cfn-lint, with the wiring rules, and SAM CLI have nothing to say about any template."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fanout_wiring import load
from tests.template.application import ROOT, templates

BIN = Path(sys.executable).parent
pytestmark = pytest.mark.slow
SAM_TEMPLATES = [file for file in templates() if "Transform" in load(file)]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment in the checkout, without any account: SAM CLI wants a Region and nothing else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_"))}
    environment = kept | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAM_CLI_TELEMETRY": "0",
    }
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_cfn_lint_has_no_findings() -> None:
    found = run("cfn-lint", "--append-rules", "lint", "--info", "--template", *map(str, templates()))
    assert (found.returncode, found.stdout) == (0, ""), found.stdout


@pytest.mark.parametrize("file", SAM_TEMPLATES, ids=lambda file: str(file.relative_to(ROOT)))
def test_sam_validates_it(file: Path) -> None:
    """Finds what --lint does not: a mapping whose generated id collides with a resource."""
    found = run("sam", "validate", "--template", str(file))
    assert found.returncode == 0, found.stderr
    assert "is a valid SAM Template" in found.stdout


def test_sam_validates_the_whole_with_lint() -> None:
    found = run("sam", "validate", "--lint")
    assert found.returncode == 0, found.stdout + found.stderr
