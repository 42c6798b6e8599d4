"""What the layer's build makes: complete, small, and only for who gets it."""

import ast
import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fanout_wiring import load
from tests.template.application import ROOT

LAYER = ROOT / "layers" / "common"
LIMIT = 3_000_000
FOR_AWS = {"AWS_PROFILE": "an-account"}
FOR_THE_ENGINE = {"AWS_PROFILE": "fanout-local"}
HOST_SUFFIXES = tuple(importlib.machinery.EXTENSION_SUFFIXES)


def build(
    folder: Path, environment: dict[str, str], *, layer: Path = LAYER, expected: int = 0
) -> subprocess.CompletedProcess[str]:
    """Build the layer the way `sam build` does: make, in some other folder, with the Makefile's path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FANOUT_"))}
    folder.mkdir()
    done = subprocess.run(
        # Under `make test` the MAKELEVEL of the environment would have it print the folders it enters.
        ["make", "--no-print-directory", "--makefile", str(layer / "Makefile"), "build-CommonLayer"],
        cwd=folder.parent,
        env=kept | {"ARTIFACTS_DIR": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (expected == 0), done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def for_aws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer as it goes to AWS."""
    folder = tmp_path_factory.mktemp("aws") / "layer"
    build(folder, FOR_AWS)
    return folder


@pytest.fixture(scope="module")
def for_engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer as it goes to the local engine."""
    folder = tmp_path_factory.mktemp("engine") / "layer"
    build(folder, FOR_THE_ENGINE)
    return folder


def compiled(folder: Path) -> set[str]:
    """The names of the compiled modules."""
    return {file.name for file in folder.rglob("*.so")}


def machine(file: Path) -> str:
    """The processor an ELF file is for."""
    return {b"\xb7\x00": "arm64", b"\x3e\x00": "x86_64"}[file.read_bytes()[18:20]]


def test_the_layer_holds_the_whole_package(for_aws: Path) -> None:
    sources = {file.relative_to(LAYER) for file in (LAYER / "fanout").rglob("*.py")}
    shipped = {file.relative_to(for_aws / "python") for file in (for_aws / "python" / "fanout").rglob("*.py")}
    assert shipped == sources
    assert sources


def test_a_build_for_aws_is_compiled_for_the_target_only(for_aws: Path) -> None:
    assert compiled(for_aws)
    for file in for_aws.rglob("*.so"):
        assert "cpython-313-aarch64" in file.name or ".abi3." in file.name, file.name
        assert machine(file) == "arm64"


def test_a_build_for_the_engine_also_contains_the_code_of_its_interpreter(for_aws: Path, for_engine: Path) -> None:
    added = compiled(for_engine) - compiled(for_aws)
    assert compiled(for_aws) < compiled(for_engine)
    assert all(name.endswith(HOST_SUFFIXES) for name in added)


def test_another_target_can_be_chosen(tmp_path: Path) -> None:
    target = {"FANOUT_RUNTIME": "python3.12", "FANOUT_ARCHITECTURE": "x86_64"}
    build(tmp_path / "layer", FOR_AWS | target)
    files = list((tmp_path / "layer").rglob("*.so"))
    assert files
    assert all("cpython-312" in file.name and machine(file) == "x86_64" for file in files)


def test_a_build_without_the_targets_python_says_in_one_line_that_nothing_is_compiled(tmp_path: Path) -> None:
    version = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("make", "sh"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    done = build(tmp_path / "layer", FOR_AWS | {"FANOUT_RUNTIME": f"python{version}", "PATH": str(tools)})
    assert not list((tmp_path / "layer").rglob("*.pyc"))
    assert done.stdout.splitlines() == [
        f"Common layer for Python {version} on arm64, WITHOUT .pyc files: cold starts take twice as long. "
        f"Install python{version} and build again"
    ]


def test_the_target_is_what_the_templates_run_on() -> None:
    parameters = load(ROOT / "template.yaml")["Parameters"]
    spec = importlib.util.spec_from_file_location("layer_build", LAYER / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    target = module.Target.of({})
    assert f"python{target.version}" == parameters["Runtime"]["Default"]
    assert target.architecture == parameters["Architecture"]["Default"]
    for file in ROOT.glob("usecases/*/template.yaml"):
        assert load(file)["Parameters"]["Runtime"]["Default"] == parameters["Runtime"]["Default"]
        assert load(file)["Parameters"]["Architecture"]["Default"] == parameters["Architecture"]["Default"]


@pytest.mark.parametrize("variant", ["for_aws", "for_engine"])
def test_the_zipped_layer_keeps_its_budget(variant: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder: Path = request.getfixturevalue(variant)
    target = tmp_path / "layer.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    assert target.stat().st_size <= LIMIT


@pytest.mark.parametrize("variant", ["for_aws", "for_engine"])
def test_the_build_contains_no_unneeded_files(variant: str, request: pytest.FixtureRequest) -> None:
    python: Path = request.getfixturevalue(variant) / "python"
    present = {path.name.split("-")[0].lower() for path in python.iterdir()}
    assert not present & {"boto3", "botocore", "pydantic", "pydantic_core", "aws_xray_sdk", "tests", "bin"}
    assert not [file for file in python.rglob("*") if file.name in ("RECORD", "INSTALLER", ".lock")]
    assert [file for file in python.glob("*.dist-info/**/*") if file.name.upper().startswith("LICEN")]


def test_a_build_for_the_engine_is_compiled(for_engine: Path) -> None:
    """Unchecked hashes: a time stamp or a path would make every start compile anew."""
    cached = list((for_engine / "python" / "fanout").rglob(f"*.{sys.implementation.cache_tag}.pyc"))
    modules = list((for_engine / "python" / "fanout").rglob("*.py"))
    assert len(cached) == len(modules) > 0
    for file in cached:
        assert int.from_bytes(file.read_bytes()[4:8], "little") == 0b01, f"{file.name} is checked at start"


FUNCTION = ROOT / "functions" / "database_changes"


def build_function(folder: Path, environment: dict[str, str]) -> Path:
    """Build the one function with packages of its own, as `sam build` does: make, in a copy of its code."""
    scratch, artifacts = folder / "scratch", folder / "function"
    artifacts.mkdir(parents=True)
    shutil.copytree(FUNCTION, scratch)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FANOUT_"))}
    command = ["make", "--makefile", str(FUNCTION / "Makefile"), "build-ReplicateToSqlFunction"]
    done = subprocess.run(
        command,
        cwd=scratch,
        env=kept | {"ARTIFACTS_DIR": str(artifacts)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return artifacts


def test_a_function_with_packages_has_its_code_and_the_packages_of_its_target(tmp_path: Path) -> None:
    built = build_function(tmp_path, FOR_AWS)
    assert {file.name for file in FUNCTION.glob("*.py")} <= {file.name for file in built.glob("*.py")}
    found = [file for file in built.rglob("*") if ".so" in file.suffixes]
    assert any(file.name.startswith("_psycopg.cpython-313-aarch64") for file in found)
    assert any(file.name.startswith("libpq-") for file in found)
    assert {machine(file) for file in found} == {"arm64"}


def test_the_engine_gets_a_function_with_the_packages_of_its_interpreter_beside_them(
    tmp_path: Path, for_engine: Path
) -> None:
    built = build_function(tmp_path, FOR_THE_ENGINE)
    assert {machine(file) for file in built.rglob("*.so*") if file.is_file()} >= {"arm64"}
    code = f"""import sys; sys.path[:0] = [{str(built)!r}, {str(for_engine / "python")!r}]
import psycopg, database_changes.handlers.replicate_to_sql
print(psycopg.__file__, psycopg.pq.__impl__)"""
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"FANOUT_SUBSCRIBER": "database_changes/replicate_to_sql"},
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == [str(built / "psycopg" / "__init__.py"), "binary"]


HANDLERS = sorted(
    path
    for path in (ROOT / "functions").glob("*/*/handlers/*.py")
    if "\ndef handler(" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda path: f"{path.parents[1].name}/{path.stem}")
def test_the_layer_alone_is_enough_to_import_every_handler(handler: Path, for_engine: Path) -> None:
    """Functions of the local engine see its site-packages, so that a missing dependency would go unnoticed there."""
    paths = [str(handler.parents[2]), str(for_engine / "python")]
    module = f"{handler.parents[1].name}.handlers.{handler.stem}"
    code = f"import sys; sys.path[:0] = {paths!r}; import {module} as m; print(m.handler.__module__)"
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"FANOUT_SUBSCRIBER": f"{handler.parents[1].name}/{handler.stem}"},
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == module


@pytest.mark.parametrize(
    ("folder", "target"),
    [(LAYER, "build-CommonLayer"), (FUNCTION, "build-ReplicateToSqlFunction")],
    ids=["layer", "function"],
)
def test_a_container_build_without_the_checkout_is_refused_with_instructions(
    tmp_path: Path, folder: Path, target: str
) -> None:
    """`sam build --use-container` mounts the folder at /tmp/samcli/source, links and all."""
    mounted = tmp_path / "samcli" / "source"
    shutil.copytree(folder, mounted, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        ["make", "--no-print-directory", "--makefile", str(mounted / "Makefile"), target],
        env={"PATH": os.environ["PATH"], "ARTIFACTS_DIR": str(tmp_path / "artifacts")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "leave out --use-container, the build fetches the packages of its target itself" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_checkout_may_lie_in_a_path_with_spaces(tmp_path: Path) -> None:
    checkout = tmp_path / "my dir" / "fan out"
    for part in ("layers", "requirements"):
        shutil.copytree(ROOT / part, checkout / part, symlinks=True)
    shutil.copy2(ROOT / "template.yaml", checkout)
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    build(tmp_path / "arti facts", FOR_AWS, layer=checkout / "layers" / "common")
    assert (tmp_path / "arti facts" / "python" / "fanout" / "handler.py").is_file()


def test_two_builds_are_the_same(for_aws: Path, tmp_path: Path) -> None:
    """Or every deployment would publish new versions."""
    build(tmp_path / "layer", FOR_AWS)
    first = {file.relative_to(for_aws): file.read_bytes() for file in for_aws.rglob("*") if file.is_file()}
    second = {
        file.relative_to(tmp_path / "layer"): file.read_bytes()
        for file in (tmp_path / "layer").rglob("*")
        if file.is_file()
    }
    assert first == second


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [("FANOUT_RUNTIME", "nodejs22.x", "python3.13"), ("FANOUT_ARCHITECTURE", "arm", "arm64, x86_64")],
)
def test_a_target_that_does_not_exist_is_named(variable: str, value: str, complaint: str, tmp_path: Path) -> None:
    done = build(tmp_path / "layer", {variable: value}, expected=2)
    assert f"{variable} is {value!r}" in done.stderr
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("environment", "local"),
    [
        ({"AWS_PROFILE": "fanout-local"}, True),
        ({"AWS_PROFILE": "production"}, False),
        ({"AWS_PROFILE": "production", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, False),
        ({"AWS_ACCESS_KEY_ID": "AKIA"}, False),
        ({"AWS_ACCESS_KEY_ID": "test", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, True),
    ],
)
def test_the_environment_chooses_the_target(environment: dict[str, str], local: bool) -> None:
    code = f"import runpy; m = runpy.run_path({str(LAYER / 'build.py')!r}); print(m['for_local_engine']({environment}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(found.stdout) is local
