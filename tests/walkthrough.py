"""Follow a page of docs/ as its reader does: make the edits that it asks for, and run its commands.

What is understood: "Create `FILE`:" and "In `FILE`, insert above `LINE`:", each before a block; "In `FILE`, replace
`TEXT` with `TEXT`."; blocks of `sh`. A block without such a sentence is an error, so that no block goes untried.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

CREATE = re.compile(r"Create `(?P<file>[^`]+)`:")
INSERT = re.compile(r"In `(?P<file>[^`]+)`, insert above `(?P<line>[^`]+)`:")
REPLACE = re.compile(r"In `(?P<file>[^`]+)`, replace `(?P<old>[^`]+)` with `(?P<new>[^`]+)`\.")


@dataclass(frozen=True)
class Edit:
    """One change of one file."""

    file: str
    pattern: str | None
    """what the new text takes the place of; None: the file is created"""
    text: str

    def make(self, folder: Path) -> None:
        """Make the change in a checkout. Raises ValueError unless it has exactly one place there."""
        file = folder / self.file
        if self.pattern is None:
            with file.open("x", encoding="utf-8") as created:
                created.write(self.text)
            return
        changed, count = re.subn(self.pattern, lambda _: self.text, file.read_text("utf-8"), flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"{self.file} has {count} places for the edit, not one:\n{self.text}")
        file.write_text(changed, "utf-8")


@dataclass(frozen=True)
class Page:
    """What a page asks its reader to do."""

    edits: list[Edit]
    commands: dict[str, list[str]]
    """the lines of the blocks of `sh`, by their heading"""


def read(page: Path) -> Page:
    """Return the edits and commands of a page. Raises ValueError for a block that no sentence says the place of."""
    edits: list[Edit] = []
    commands: dict[str, list[str]] = {}
    heading, before = "", ""
    tokens = MarkdownIt().parse(page.read_text("utf-8"))
    for previous, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "inline" and previous is not None:
            before = token.content.replace("\n", " ")
            if previous.type == "heading_open":
                heading = before
            elif found := REPLACE.fullmatch(before):
                edits.append(Edit(found["file"], re.escape(found["old"]), found["new"]))
        elif token.type == "fence":
            if token.info == "sh":
                commands.setdefault(heading, []).extend(token.content.splitlines())
            elif found := CREATE.fullmatch(before):
                edits.append(Edit(found["file"], None, token.content))
            elif found := INSERT.fullmatch(before):
                edits.append(Edit(found["file"], rf"^(?= *{re.escape(found['line'])}$)", token.content))
            else:
                raise ValueError(f"{page.name} does not say where this belongs:\n{token.content}")
            before = ""
    return Page(edits, commands)


def run(commands: list[str], folder: Path) -> None:
    """Run commands in one shell in a checkout, with its own `fanout` and layer. Fails unless all of them succeed."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{folder / 'cli'}{os.pathsep}{folder / 'layers' / 'common'}",
    }
    script = "\n".join(commands)
    found = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, f"{script}\n{found.stdout}\n{found.stderr}"
