"""Proves the promises of docs/guarantees.toml: python -m tests.mutation.prove [ID...], of promises or proofs.

For each proof its countermeasure is taken away in a copy of the checkout, and the tests marked with its id must fail
there, as tests: a file that can no longer be imported proves nothing. Before that all of them must pass in an untouched
copy.
Exit code 0 if every proof holds, 1 if one does not, 2 for an unknown id.
"""

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.promises import ROOT, Proof, promises

# A test whose countermeasure is gone may wait for what never comes.
_SECONDS = 90


@dataclass(frozen=True)
class Case:
    """One test as it went: `said` is the first line of why it failed, None if it passed or did not run at all."""

    test: str
    result: str
    said: str | None


@dataclass(frozen=True)
class Verdict:
    """The outcome of one proof: `why` says why it does not hold, None if it does."""

    proof: Proof
    said: str
    why: str | None


class Copy:
    """A copy of the checkout, in which anything may be broken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_symlink() or (ROOT / name).exists():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target, follow_symlinks=False)

    def run(self, tests: Sequence[str], *options: str) -> list[Case]:
        """Run tests; return how each went. A test that cannot be run at all is in no answer."""
        report = self._folder / "report.xml"
        report.unlink(missing_ok=True)
        # Before what the editable install names, so that the copy's modules are tested, not the checkout's.
        folders = [self._folder / name for name in ("layers/common", "cli", "local_engine", "lint")]
        paths = [str(folder) for folder in (*folders, *sorted(self._folder.glob("functions/*")))]
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--timeout={_SECONDS}", f"--junitxml={report}", *options, *tests],
            cwd=self._folder,
            # No byte code: a file is changed and changed back within one second.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
            capture_output=True,
        )
        if not report.exists():
            return []
        return [_case(each) for each in ET.parse(report).iter("testcase")]  # noqa: S314 - we wrote it

    def attack(self, proof: Proof) -> tuple[str, str | None]:
        """Run the tests without the countermeasure. Return the first failure, and why it is no proof, or None."""
        file = self._folder / proof.file
        whole = file.read_text("utf-8")
        file.write_text(proof.without(whole), "utf-8")
        try:
            cases = self.run(proof.tests)
        finally:
            file.write_text(whole, "utf-8")
        said = ""
        for test in proof.tests:
            failed = [case for case in cases if _is(case, test) and case.result == "failure"]
            if not failed:
                went = sorted({case.result for case in cases if _is(case, test)}) or ["not run"]
                return "", f"{test}: {', '.join(went)}"
            said = said or failed[0].said or ""
        return said, None


def _case(element: ET.Element) -> Case:
    name = f"{element.get('classname', '').replace('.', '/')}.py::{element.get('name')}"
    for result in ("failure", "error", "skipped"):
        found = element.find(result)
        if found is not None:
            return Case(name, result, " ".join((found.get("message") or "").split())[:110])
    return Case(name, "passed", None)


def _is(case: Case, test: str) -> bool:
    return case.test == test or case.test.startswith(f"{test}[")


def untouched(copy: Copy, proofs: Sequence[Proof]) -> list[str]:
    """Return what is wrong before anything was taken away: tests that fail, or do not exist."""
    tests = sorted({test for proof in proofs for test in proof.tests})
    cases = copy.run(tests, "--numprocesses", "logical", "--dist", "worksteal")
    problems = [
        f"{case.test}: {case.result} although nothing was taken away" for case in cases if case.said is not None
    ]
    return problems + [f"{test}: there is no such test" for test in tests if not any(_is(each, test) for each in cases)]


def prove(proofs: Sequence[Proof], folder: Path) -> bool:
    """Attack every proof, as many at once as there are processors; print how each went."""
    workers = os.cpu_count() or 1
    copies: queue.Queue[Copy] = queue.Queue()
    for number in range(workers):
        copies.put(Copy(folder / str(number)))
    first = copies.get()
    if problems := untouched(first, proofs):
        say(*problems)
        return False
    copies.put(first)

    def attack(proof: Proof) -> Verdict:
        copy = copies.get()
        try:
            return Verdict(proof, *copy.attack(proof))
        finally:
            copies.put(copy)

    held = 0
    with ThreadPoolExecutor(workers) as pool:
        for verdict in pool.map(attack, proofs):
            held += verdict.why is None
            word = "proven" if verdict.why is None else "NOT PROVEN"
            say(
                f"{word:10} {verdict.proof.id}: {verdict.proof.what}",
                f"{'':10} without {verdict.proof.where()}: {verdict.why or verdict.said}",
            )
    say(f"Tests fail without {held} of {len(proofs)} countermeasures.")
    return held == len(proofs)


def say(*lines: str) -> None:
    """Print, at once: a run takes a while."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main(ids: Sequence[str]) -> int:
    """Prove the promises and proofs with these ids, or all of them."""
    by_id = {proof.id: [proof] for promise in promises() for proof in promise.proof}
    by_id |= {promise.id: promise.proof for promise in promises()}
    if unknown := set(ids) - by_id.keys():
        say(f"No promise or proof has the id {', '.join(sorted(unknown))}. Use one of:", *sorted(by_id))
        return 2
    chosen = {proof.id: proof for each in ids or by_id for proof in by_id[each]}
    with tempfile.TemporaryDirectory(prefix="fanout-prove-") as folder:
        return 0 if prove(list(chosen.values()), Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
