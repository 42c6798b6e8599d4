"""What judges find, and the findings that are explained in exceptions.toml."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

EXCEPTIONS = Path(__file__).with_name("exceptions.toml")


@dataclass(frozen=True, order=True)
class Finding:
    """One judge's finding about one resource."""

    judge: str
    check: str
    """the judge's own id for what it checked"""
    path: str
    """the resource: `TeamEvents/TeamASubscriber/Queue`"""
    type: str
    """the resource's type; empty if it is not about a resource"""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message} [{self.check}]"


@dataclass(frozen=True)
class Verdict:
    """One judge's verdict on all deployments."""

    judge: str
    judged: str
    """how much it has checked: `816 resources`"""
    findings: list[Finding]


@dataclass(frozen=True)
class Explanation:
    """Accepted findings, and the reason."""

    judge: str
    check: str
    path: str
    """a pattern, as in fnmatch; so are type and message"""
    reason: str
    type: str = "*"
    message: str = "*"

    def covers(self, finding: Finding) -> bool:
        """Return whether it explains a finding."""
        return (
            (self.judge, self.check) == (finding.judge, finding.check)
            and fnmatchcase(finding.path, self.path)
            and fnmatchcase(finding.type, self.type)
            and fnmatchcase(finding.message, self.message)
        )


def explanations(file: Path = EXCEPTIONS) -> list[Explanation]:
    """Return what exceptions.toml explains. Raises TypeError if an entry lacks a field or has an unknown one."""
    return [Explanation(**entry) for entry in tomllib.loads(file.read_text(encoding="utf-8"))["exception"]]


def unexplained(findings: Iterable[Finding], explained: list[Explanation]) -> list[Finding]:
    """Return the findings that no entry explains, sorted, each once."""
    return sorted({finding for finding in findings if not any(each.covers(finding) for each in explained)})


def stale(findings: Iterable[Finding], explained: list[Explanation]) -> list[Explanation]:
    """Return the entries that explain nothing."""
    known = list(findings)
    return [each for each in explained if not any(each.covers(finding) for finding in known)]
