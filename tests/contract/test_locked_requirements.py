"""What is installed is exactly what was locked: every requirement has one version and hashes, and names no host."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
LOCKS = sorted(FOLDER.glob("*.txt"))
NAMES = [file.stem for file in LOCKS]
REQUIREMENT = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]*)(\[[a-z0-9,._-]+\])?==(?P<version>[0-9][0-9A-Za-z.+!-]*)(?P<marker> ; .+)?"
)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def entries(lock: str) -> list[str]:
    """The requirements of a lock, one line each, without comments."""
    lines = (line.partition("#")[0].rstrip() for line in lock.replace("\\\n", "").splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("lock", LOCKS, ids=NAMES)
def test_every_requirement_has_one_version_and_hashes(lock: Path) -> None:
    found = entries(lock.read_text("utf-8"))
    assert found
    for entry in found:
        requirement, *hashes = re.split(r"\s+(?=--)", entry)
        assert REQUIREMENT.fullmatch(requirement), f"{lock.name}: {requirement} is not an exact version"
        assert hashes, f"{lock.name}: {requirement} has no hash"
        assert all(HASH.fullmatch(each) for each in hashes), (
            f"{lock.name}: {requirement} has an option that is not a hash"
        )


@pytest.mark.parametrize("lock", LOCKS, ids=NAMES)
def test_no_lock_names_a_host(lock: Path) -> None:
    text = lock.read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host", text)


def test_every_list_of_requirements_is_locked_and_every_lock_has_its_list() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.in")) == NAMES


def test_make_lock_makes_every_lock() -> None:
    [names] = re.findall(r"for name in ([a-z ]+);", (ROOT / "Makefile").read_text("utf-8"))
    assert names.split() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_is_in_the_lock(name: str) -> None:
    """An entry that was added by hand, and never locked, would not be installed; one in another list comes with -r."""
    locked = {
        entry.partition("==")[0].partition("[")[0] for entry in entries((FOLDER / f"{name}.txt").read_text("utf-8"))
    }
    asked = re.findall(r"^(?!-)[A-Za-z0-9][\w.-]*", (FOLDER / f"{name}.in").read_text("utf-8"), re.MULTILINE)
    assert {each.lower().replace("_", "-") for each in asked} <= locked


@pytest.mark.parametrize(
    "spoiled",
    ["uv>=0.13.9 --hash=sha256:" + "0" * 64, "uv --hash=sha256:" + "0" * 64, "uv @ git+ssh://example.com/uv"],
)
def test_a_requirement_without_an_exact_version_is_found(spoiled: str) -> None:
    assert not REQUIREMENT.fullmatch(re.split(r"\s+(?=--)", spoiled)[0])


def test_make_setup_installs_nothing_without_its_hashes() -> None:
    installs = re.findall(r"pip install .*-r \S+", (ROOT / "Makefile").read_text("utf-8"))
    assert installs
    assert all("--require-hashes" in each for each in installs)
