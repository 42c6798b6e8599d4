"""No text of the project uses a word of lint/banned_words.toml."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BANNED: Mapping[str, Any] = tomllib.loads((ROOT / "lint" / "banned_words.toml").read_text("utf-8"))
# Made from code, whose words they repeat.
GENERATED = {"guarantees.md", "commands.md", "cost.md", "aws-rules.md", "not-proven-locally.md"}
FOLDERS = [
    folder.name for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith(".")
]  # .venv, .fanout and other caches are not the project's text
SUFFIXES = {".py", ".yaml", ".yml", ".md", ".html", ".toml"}


def hand_written_docs() -> list[Path]:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")]
    return [page for page in pages if page.name not in {*GENERATED, "CHANGELOG.md"}]


def everything() -> list[Path]:
    found = [*ROOT.glob("*.*"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*"))]
    return [file for file in found if file.suffix in SUFFIXES and file.is_file() and file.name != "banned_words.toml"]


def pattern(word: str) -> re.Pattern[str]:
    """Match the word, also across a line break and the comment sign that follows it."""
    return re.compile(r"(?<![\w-])" + r"\s+(?:#\s*)?".join(map(re.escape, word.split())) + r"(?![\w-])", re.IGNORECASE)


def findings(text: str, name: str, words: Mapping[str, str]) -> Iterable[str]:
    """Return a line for each banned word. Inline code of Markdown is skipped: it quotes names and outputs."""
    skipped = [pattern(phrase) for phrase in BANNED["allowed"]]
    if name.endswith(".md"):
        skipped.append(re.compile(r"(?<!`)`[^`\n]+`(?!`)"))
    for each in skipped:
        text = each.sub(lambda match: re.sub(r"\S", " ", match[0]), text)
    for word, instead in words.items():
        for match in pattern(word).finditer(text):
            yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}; use instead: {instead}"


def judge(files: Iterable[Path], words: Mapping[str, str]) -> list[str]:
    return [
        finding
        for file in sorted(files)
        for finding in findings(file.read_text("utf-8"), str(file.relative_to(ROOT)), words)
    ]


def test_no_text_uses_a_word_that_is_banned_everywhere() -> None:
    found = judge(everything(), BANNED["everywhere"])
    assert not found, "\n".join(found)


def test_no_page_uses_a_word_that_is_banned_in_docs() -> None:
    found = judge(hand_written_docs(), BANNED["docs"])
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("It is Wonky.", [1]),
        ("a\nodd\n# end\n", [2]),
        ("wonkyish, won-ky", []),
        ("`wonky` is quoted\n", []),
        ("wonky `wonky` wonky", [1, 1]),
        ("dead\nletters, dead-letter, a letter", [2]),
    ],
)
def test_a_banned_word_is_found_with_its_line(text: str, lines: list[int]) -> None:
    found = list(
        findings(text, "page.md", {"wonky": "broken", "odd end": "rest", "letter": "message", "letters": "messages"})
    )
    assert [int(finding.split(":")[1]) for finding in found] == lines
