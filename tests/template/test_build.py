"""`sam build` of a copy of the checkout: what SAM CLI finds in it, and what a change of layer or code changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from samcli.lib.providers.sam_function_provider import SamFunctionProvider  # type: ignore[import-untyped]
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider
from samcli.lib.utils.hash import dir_checksum

from fanout_wiring import FUNCTION, Composition
from tests.template.application import ROOT

BIN = Path(sys.executable).parent
# SAM CLI's own libraries use each other's deprecated functions.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
PARTS = ("template.yaml", "samconfig.toml", "platform", "usecases", "functions", "layers", "requirements")


def sam_build(checkout: Path, *options: str, **variables: str) -> None:
    """Run `sam build` there as a person would who has an account and no engine, but for the variables given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_", "FANOUT_"))}
    environment = kept | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "SAM_CLI_TELEMETRY": "0",
        **variables,
    }
    done = subprocess.run(
        [str(BIN / "sam"), "build", *options],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def provider(checkout: Path) -> SamFunctionProvider:
    """SAM CLI's own view of the built application, as `sam local invoke` has it."""
    stacks, _ = SamLocalStackProvider.get_stacks(str(checkout / ".aws-sam" / "build" / "template.yaml"))
    return SamFunctionProvider(stacks)


def packages(checkout: Path) -> dict[str, str]:
    """Each function's package as `sam deploy` distinguishes it: by its content."""
    built = checkout / ".aws-sam" / "build"
    found = provider(checkout).get_all()
    return {function.full_path: dir_checksum(str(built / str(function.codeuri))) for function in found}


def layers(checkout: Path) -> set[str]:
    """The contents of the layers that the functions have: one string, if all are the same."""
    built = checkout / ".aws-sam" / "build"
    used = {str(function.layers[0].codeuri) for function in provider(checkout).get_all()}
    return {dir_checksum(str(built / layer)) for layer in used}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what SAM builds from, built once."""
    copy = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".mypy_cache")
            shutil.copytree(source, copy / part, symlinks=True, ignore=ignored)
        else:
            shutil.copy2(source, copy / part)
    sam_build(copy)
    return copy


def change(file: Path) -> None:
    """Change a file's content and nothing that it does."""
    with file.open("a") as content:
        content.write("# changed\n")


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The functions that get a new version."""
    return {name for name in before if before[name] != after[name]}


def test_local_invoke_finds_the_code_and_the_one_layer_of_every_function(checkout: Path) -> None:
    built = checkout / ".aws-sam" / "build"
    found = {function.full_path: function for function in provider(checkout).get_all()}
    assert set(found) == {function.path for function in Composition(ROOT / "template.yaml", {}).of(FUNCTION)}
    for path, function in found.items():
        module = str(function.handler).removesuffix(".handler").replace(".", "/")
        assert (built / str(function.codeuri) / f"{module}.py").is_file(), f"{path}: no module {module}"
        assert len(function.layers) == 1, path
        assert (built / str(function.layers[0].codeuri) / "python" / "fanout" / "handler.py").is_file(), path


def test_local_invoke_finds_a_function_by_its_documented_path(checkout: Path) -> None:
    function = provider(checkout).get("TeamEvents/TeamAFunction")
    assert function
    assert function.handler == "team_events.handlers.team_a.handler"
    assert function.layers[0].codeuri


@pytest.mark.parametrize("options", [[], ["--cached", "--parallel"]], ids=["plain", "cached"])
@pytest.mark.parametrize("changed", ["layers/common/fanout/outcomes.py", "requirements/layer.txt"])
def test_a_change_of_the_layer_changes_it_in_every_stack_and_no_package(
    checkout: Path, changed: str, options: list[str]
) -> None:
    """SAM uploads what is the same in all stacks once."""
    sam_build(checkout, *options)
    before, code = layers(checkout), packages(checkout)
    assert len(before) == 1
    change(checkout / changed)
    sam_build(checkout, *options)
    after = layers(checkout)
    assert len(after) == 1
    # A comment in the requirements changes nothing that the layer holds.
    assert (after != before) == changed.endswith(".py")
    assert packages(checkout) == code


def test_a_cached_build_never_mixes_up_its_targets(checkout: Path) -> None:
    """As `sam sync` builds: to the engine now, to an account next."""
    with_packages = "DatabaseChanges/ReplicateToSqlFunction"

    def compiled(folder: str) -> set[str]:
        return {file.name for file in (checkout / ".aws-sam/build" / folder).rglob("*.so*")}

    sam_build(checkout, "--cached", "--parallel", AWS_ENDPOINT_URL="http://127.0.0.1:4566")
    for_engine = {folder: compiled(folder) for folder in ("TeamEvents/CommonLayer", with_packages)}
    before = packages(checkout)
    sam_build(checkout, "--cached", "--parallel")
    for folder, names in for_engine.items():
        assert compiled(folder) < names, folder
    assert differing(before, packages(checkout)) == {with_packages}, "a function's own code is the same for both"


def test_a_change_of_code_changes_the_packages_of_its_use_case_and_no_other(checkout: Path) -> None:
    before = packages(checkout)
    change(checkout / "functions/team_events/team_events/feeds.py")
    sam_build(checkout)
    assert differing(before, packages(checkout)) == {name for name in before if name.startswith("TeamEvents/")}


def test_an_unchanged_build_changes_nothing(checkout: Path) -> None:
    before = packages(checkout)
    sam_build(checkout)
    assert packages(checkout) == before


@pytest.mark.parametrize("use_case", sorted(path.parent.name for path in ROOT.glob("usecases/*/template.yaml")))
def test_a_use_case_builds_alone_with_a_layer_of_its_own(checkout: Path, use_case: str) -> None:
    template = f"usecases/{use_case}/template.yaml"
    sam_build(checkout, "-t", template, "--config-file", str(checkout / "samconfig.toml"))
    functions = list(provider(checkout).get_all())
    assert functions
    for function in functions:
        layer = checkout / ".aws-sam" / "build" / str(function.layers[0].codeuri)
        assert (layer / "python" / "fanout").is_dir()
