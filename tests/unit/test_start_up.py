"""Start-up: what a function imports before it has done anything is paid for at every cold start."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = ("boto3", "botocore", "pydantic", "aws_xray_sdk", "psycopg", "idna")
HANDLERS = sorted(path for path in (ROOT / "functions").glob("*/*/handlers/*.py"))

SCRIPT = """
import importlib, sys
sys.path[:0] = [{folder!r}, {layer!r}]
importlib.import_module({module!r})
print(*[name for name in {forbidden!r} if name in sys.modules])
"""


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_a_handlers_import_loads_no_expensive_package(handler: Path) -> None:
    script = SCRIPT.format(
        folder=str(handler.parents[2]),
        layer=str(ROOT / "layers/common"),
        module=f"{handler.parents[1].name}.handlers.{handler.stem}",
        forbidden=FORBIDDEN,
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={"FANOUT_SUBSCRIBER": f"{handler.parents[1].name}/{handler.stem}", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == []


def test_every_use_case_has_handlers_to_check() -> None:
    use_cases = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()}
    assert use_cases == {path.parents[1].name for path in HANDLERS}
