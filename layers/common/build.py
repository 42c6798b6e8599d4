"""Build the common layer: `python build.py ARTIFACTS_DIR`, which `sam build` runs through the Makefile.

In: requirements.txt beside this file (the locked requirements), the package `fanout`, FANOUT_RUNTIME
(python3.13) and FANOUT_ARCHITECTURE (arm64 or x86_64). Out: ARTIFACTS_DIR/python, which Lambda puts on the
import path.

Or a function that ships packages of its own: `python build.py ARTIFACTS_DIR --function FOLDER --requirements FILE`.
Out: ARTIFACTS_DIR, the folder's code with the packages beside it.

The compiled packages are those of the target, whatever machine builds. Only for the local engine those of
its own interpreter lie beside them: their file names carry the ABI, so one folder serves both.
See docs/decisions/0003-layer-build.md.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REQUIREMENTS = HERE / "requirements.txt"
PACKAGE = HERE / "fanout"
CACHE = ROOT / ".fanout" / "layer-cache"
ENGINE_PYTHON = ROOT / ".fanout" / "engine-venv" / "bin" / "python"
ENGINE_RECORD = ROOT / ".fanout" / "engine.json"

# SAM CLI's cache (`sam build --cached`, every `sam sync`) goes by a folder's content and knows neither profile nor
# engine: it would hand AWS a layer built for the engine, and the engine one built for AWS. So each build changes what
# SAM CLI hashes, by a file that it neither copies into a package (__pycache__) nor watches (.aws-sam).
LAST_BUILD = Path("__pycache__", ".aws-sam-last-build")

LOCAL_PROFILE = "fanout-local"
# Amazon Linux 2023 has glibc 2.34; uv's and pip's names for that, newest first.
PLATFORMS = {
    "arm64": (
        "aarch64-manylinux_2_28",
        ["manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"],
    ),
    "x86_64": (
        "x86_64-manylinux_2_28",
        ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"],
    ),
}
# Installers' own notes, which differ from machine to machine. Licences and metadata stay.
NOTES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
COMPILED = (".so", ".pyd", ".dylib")
CACHE_ENTRIES_KEPT = 24


class BuildError(Exception):
    """The layer cannot be built; the message names what is wrong and what to do."""


@dataclass(frozen=True)
class Target:
    """What the functions run on."""

    version: str
    architecture: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Target":
        """Read FANOUT_RUNTIME and FANOUT_ARCHITECTURE. Raises BuildError if one is none that we know."""
        runtime = environment.get("FANOUT_RUNTIME") or "python3.13"
        architecture = environment.get("FANOUT_ARCHITECTURE") or "arm64"
        if not runtime.startswith("python3.") or not runtime.removeprefix("python3.").isdigit():
            raise BuildError(f"FANOUT_RUNTIME is {runtime!r}; name a Lambda runtime such as python3.13.")
        if architecture not in PLATFORMS:
            raise BuildError(f"FANOUT_ARCHITECTURE is {architecture!r}; it is one of {', '.join(PLATFORMS)}.")
        return cls(runtime.removeprefix("python"), architecture)


def for_local_engine(environment: Mapping[str, str]) -> bool:
    """Whether the build is for this machine's engine: its profile is chosen, or none is and it runs."""
    profile = environment.get("AWS_PROFILE")
    if profile:
        return profile == LOCAL_PROFILE
    if environment.get("AWS_ACCESS_KEY_ID"):
        return environment.get("AWS_ENDPOINT_URL", "").startswith(("http://127.0.0.1:", "http://localhost:"))
    return _engine_runs()


def _engine_runs() -> bool:
    try:
        process = json.loads(ENGINE_RECORD.read_text(encoding="utf-8"))["process"]
        os.kill(int(process["pid"]), 0)
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return True


def build(artifacts: Path, environment: Mapping[str, str]) -> None:
    """Fill ARTIFACTS/python. Raises BuildError."""
    tools = Tools.of(environment)
    requirements = tools.packages(REQUIREMENTS, "/opt/python")
    sources = [part for file in _sources() for part in (str(file.relative_to(PACKAGE)).encode(), file.read_bytes())]
    package = _cached([*tools.recipe, *sources], lambda folder: _copy_package(folder, tools.compilers))
    # `sam sync` builds into the folder of the build before.
    shutil.rmtree(artifacts / "python", ignore_errors=True)
    for tree in (requirements, package):
        shutil.copytree(tree, artifacts / "python", copy_function=_link, dirs_exist_ok=True)
    _defeat_cache(HERE)
    print(f"Common layer for {tools}")  # noqa: T201


def build_function(artifacts: Path, folder: Path, requirements: Path, environment: Mapping[str, str]) -> None:
    """Fill ARTIFACTS with a function's folder, as SAM CLI copies those without packages, and the packages beside it.

    Raises BuildError.
    """
    tools = Tools.of(environment)
    packages = tools.packages(requirements, "/var/task")
    shutil.copytree(folder, artifacts, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    shutil.copytree(packages, artifacts, copy_function=_link, dirs_exist_ok=True)
    _defeat_cache(folder)
    print(f"Packages of {requirements.stem} for {tools}")  # noqa: T201


def _defeat_cache(folder: Path) -> None:
    file = folder / LAST_BUILD
    file.parent.mkdir(exist_ok=True)
    file.write_text(os.urandom(16).hex(), encoding="ascii")


@dataclass(frozen=True)
class Tools:
    """Who a build is for, and with what it is made."""

    target: Target
    host: "Interpreter | None"
    """The local engine's interpreter, if the build is for it too."""
    compilers: "list[Interpreter]"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Tools":
        """Find them. Raises BuildError."""
        target = Target.of(environment)
        host = (
            _interpreter(ENGINE_PYTHON if ENGINE_PYTHON.exists() else Path(sys.executable))
            if for_local_engine(environment)
            else None
        )
        return cls(target, host, _compilers(target, host))

    @property
    def recipe(self) -> list[bytes]:
        """What the result of every build depends on, besides what goes in."""
        return [Path(__file__).read_bytes(), repr((self.target, self.host, self.compilers)).encode()]

    def packages(self, requirements: Path, place: str) -> Path:
        """Return a folder with locked requirements as they lie at `place` on Lambda. Raises BuildError."""
        return _cached(
            [*self.recipe, place.encode(), requirements.read_bytes()],
            lambda folder: _install(folder, requirements, place, self),
        )

    def __str__(self) -> str:
        added = f", and for Python {self.host.version} of the local engine" if self.host else ""
        made = f"Python {self.target.version} on {self.target.architecture}{added}"
        if self.compilers:
            return made
        python = f"python{self.target.version}"
        return f"{made}, WITHOUT .pyc files: cold starts take twice as long. Install {python} and build again"


@dataclass(frozen=True)
class Interpreter:
    """A Python on this machine."""

    path: str
    version: str


def _interpreter(path: Path | str) -> Interpreter:
    found = _run([str(path), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    return Interpreter(str(path), found.strip())


def _compilers(target: Target, host: Interpreter | None) -> list[Interpreter]:
    """Return who writes the .pyc files: the engine's interpreter, or one of the target's version, if there is one."""
    if host:
        return [host]
    folders = os.environ.get("PATH", "").split(os.pathsep)
    for candidate in (
        sys.executable,
        *(found for folder in folders if (found := shutil.which(f"python{target.version}", path=folder))),
    ):
        try:
            interpreter = _interpreter(candidate)
        except BuildError:  # a version manager's shim without the version behind it
            continue
        if interpreter.version == target.version:
            return [interpreter]
    return []


def _install(folder: Path, requirements: Path, place: str, tools: Tools) -> None:
    _fetch(folder, requirements, tools.target)
    if tools.host:
        with tempfile.TemporaryDirectory(dir=folder.parent) as other:
            _fetch(Path(other), requirements, tools.host)
            for file in _files(Path(other)):
                if _is_compiled(file):
                    _put_beside(file, folder / file.relative_to(other))
    _strip(folder)
    _compile(folder, place, tools.compilers)


def _is_compiled(file: Path) -> bool:
    """Modules, and the libraries that wheels bring along for them: psycopg_binary.libs/libpq-1234abcd.so.5.17."""
    return any(suffix in COMPILED for suffix in file.suffixes)


def _fetch(folder: Path, requirements: Path, runs_on: Target | Interpreter) -> None:
    """Install locked requirements for a target or for an interpreter of this machine."""
    common = [
        "--quiet",
        "--target",
        str(folder),
        "--require-hashes",
        "--only-binary",
        ":all:",
        "-r",
        str(requirements),
    ]
    uv = next(
        (found for found in (ROOT / ".venv/bin/uv", shutil.which("uv")) if found and Path(found).exists()),
        None,
    )
    if uv:
        platform = (
            [
                "--python-platform",
                PLATFORMS[runs_on.architecture][0],
                "--python-version",
                runs_on.version,
                "--python",
                sys.executable,
            ]
            if isinstance(runs_on, Target)
            else ["--python", runs_on.path]
        )
        _run([str(uv), "pip", "install", "--link-mode", "copy", *platform, *common])
        return
    platform = ["--python-version", runs_on.version, "--implementation", "cp"]
    if isinstance(runs_on, Target):
        platform += [part for name in PLATFORMS[runs_on.architecture][1] for part in ("--platform", name)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    try:
        _run([*pip, "--version"])
    except BuildError as error:
        raise BuildError(
            f"Neither uv nor pip is at hand to fetch its packages (python: {sys.executable}). Run: make setup"
        ) from error
    _run([*pip, "install", *platform, *common])


def _put_beside(file: Path, place: Path) -> None:
    if place.exists() and place.read_bytes() != file.read_bytes():
        raise BuildError(
            f"{place.name} has one name for two platforms, so it cannot lie beside the target's. "
            f"Leave its package out of requirements/*.in, or teach layers/common/build.py another way."
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, place)


def _strip(folder: Path) -> None:
    for name in ("bin", "boto3", "botocore", "pydantic", "pydantic_core"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in [*folder.rglob("__pycache__"), *folder.rglob("tests")]:
        shutil.rmtree(path, ignore_errors=True)
    # Powertools' page for browsing a REST API: a third of its size, and never part of a subscriber.
    for asset in folder.glob("aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*"):
        asset.unlink()
    for note in (
        file for information in folder.glob("*.dist-info") for file in _files(information) if file.name in NOTES
    ):
        note.unlink()
    (folder / ".lock").unlink(missing_ok=True)


def _sources() -> list[Path]:
    return sorted(file for file in _files(PACKAGE) if "__pycache__" not in file.parts)


def _copy_package(folder: Path, compilers: list[Interpreter]) -> None:
    for file in _sources():
        place = folder / PACKAGE.name / file.relative_to(PACKAGE)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    _compile(folder, "/opt/python", compilers)


def _compile(folder: Path, place: str, compilers: list[Interpreter]) -> None:
    """Write .pyc files: they halve a cold start. Unchecked: no time stamp survives the way to Lambda."""
    for interpreter in compilers:
        flags = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", place]
        _run([interpreter.path, "-I", "-m", "compileall", *flags, str(folder)])


def _cached(recipe: list[bytes], make: Callable[[Path], None]) -> Path:
    """The folder that `make` filled for this recipe, now or in an earlier build."""
    key = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in recipe)).hexdigest()[:32]
    folder = CACHE / key
    CACHE.mkdir(parents=True, exist_ok=True)
    # `sam build --parallel` builds the layer once per use case, all at once: one fetches, the others wait.
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
                fresh = Path(unfinished) / key
                fresh.mkdir()
                make(fresh)
                fresh.rename(folder)
        os.utime(folder)
        entries = sorted((path for path in CACHE.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
        for stale in entries[:-CACHE_ENTRIES_KEPT]:
            shutil.rmtree(stale, ignore_errors=True)
    return folder


def _link(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:  # another file system
        shutil.copyfile(source, destination)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"Cannot run {command[0]}: {error.strerror}") from error
    if done.returncode:
        raise BuildError(f"{' '.join(command)}\n{(done.stderr or done.stdout).strip()}")
    return done.stdout


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("artifacts", type=Path)
    parser.add_argument("--function", type=Path)
    parser.add_argument("--requirements", type=Path)
    given = parser.parse_args()
    what = f"the packages of {given.function}" if given.function else "the common layer"
    try:
        if not (ROOT / "template.yaml").exists():
            raise BuildError(
                "The checkout is not there: leave out --use-container, "
                "the build fetches the packages of its target itself."
            )
        if given.function:
            build_function(given.artifacts, given.function, given.requirements, os.environ)
        else:
            build(given.artifacts, os.environ)
    except BuildError as error:
        sys.exit(f"{what[0].upper()}{what[1:]} cannot be built. {error}")


if __name__ == "__main__":
    _main()
