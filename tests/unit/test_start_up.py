"""Start-up: what a function imports before it has done anything is paid for at every cold start."""

import ast
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


FACE_SCRIPT = """
import sys
sys.path.insert(0, {layer!r})
before = set(sys.modules)
{statement}
print(*sorted(name for name in set(sys.modules) - before if name.partition(".")[0] in ("fanout", "msgspec", "boto3")))
"""
IMPORTS = {
    "import fanout": {"fanout"},
    "from fanout import Reject, Discard, Retry, Outcome": {"fanout", "fanout.outcomes"},
}


@pytest.mark.parametrize("statement", IMPORTS)
def test_importing_a_name_imports_only_the_modules_that_it_needs(statement: str) -> None:
    script = FACE_SCRIPT.format(layer=str(ROOT / "layers/common"), statement=statement)
    found = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == IMPORTS[statement]


def test_every_name_of_the_face_is_what_its_module_says() -> None:
    import fanout  # noqa: PLC0415 - the subject

    for name in fanout.__all__:
        assert getattr(fanout, name).__name__ == name
        assert name in dir(fanout)
    modules = {path.stem for path in (ROOT / "layers/common/fanout").iterdir()}
    assert not modules & set(fanout.__all__), "an imported module would take the name's place"
    with pytest.raises(AttributeError, match="no attribute 'Subscribe'"):
        fanout.Subscribe  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError):
        from fanout import Rejected  # type: ignore[attr-defined]  # noqa: F401, PLC0415


CLIENTS_SCRIPT = """
import importlib, sys
sys.path[:0] = [{folder!r}, {layer!r}]
from fanout import aws
made = []
aws.client = lambda service, *, retries=True: made.append(service)
importlib.import_module({module!r})
print(*made)
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
print(*(file for file in files if file.startswith({root!r}) and "site-packages" not in file), sep="\\n")
"""
# A claim check is rare, and S3's client costs every cold start more than all other imports.
MADE_WHEN_USED = {("claim_check", "s3")}


def initialized(handler: Path, **environment: str) -> tuple[set[str], list[Path]]:
    """The services whose clients a handler's import makes, and the modules of the project that it loads."""
    script = CLIENTS_SCRIPT.format(
        folder=str(handler.parents[2]),
        layer=str(ROOT / "layers/common"),
        module=f"{handler.parents[1].name}.handlers.{handler.stem}",
        root=str(ROOT),
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={
            "FANOUT_SUBSCRIBER": f"{handler.parents[1].name}/{handler.stem}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
    )
    assert found.returncode == 0, found.stderr
    made, *files = found.stdout.splitlines()
    return set(made.split()), [Path(file) for file in files]


def used(files: list[Path]) -> set[tuple[str, str]]:
    """The modules and the services that they call: `aws.client("s3")`, and `mail.send` for SES."""
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if name in {"aws.client", "client"} and isinstance(node.args[0], ast.Constant):
                found.add((file.stem, str(node.args[0].value)))
            elif name == "mail.send":
                found.add((file.stem, "sesv2"))
    return found


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_no_client_is_made_inside_an_invocation(handler: Path) -> None:
    made, files = initialized(
        handler,
        AWS_LAMBDA_FUNCTION_NAME="f",
        PAYMENT_PROVIDER_SECRET_ARN="arn",
        BLOCKED_WORDS_PARAMETER="words",
    )
    needed = {service for module, service in used(files) - MADE_WHEN_USED}
    assert needed <= made


def test_outside_lambda_no_client_is_made_before_its_first_use() -> None:
    for handler in HANDLERS[:3]:
        assert initialized(handler)[0] == set()


def test_a_client_that_a_setting_leaves_unused_is_not_made() -> None:
    [handler] = [path for path in HANDLERS if path.match("order_processing/handlers/payment.py")]
    assert "secretsmanager" not in initialized(handler, AWS_LAMBDA_FUNCTION_NAME="f")[0]
