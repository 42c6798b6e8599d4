"""The commands that CONTRIBUTING.md names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
BLOCKS = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL))
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
WORDS = [word for line in BLOCKS.splitlines() for word in line.partition(" #")[0].split()]


def test_every_make_target_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = re.findall(r"\bmake ([a-z-]+)", "\n".join([BLOCKS, *(text for text in INLINE if text.startswith("make "))]))
    assert named
    assert set(named) <= set(targets)


def test_every_file_exists() -> None:
    named = [word for word in [*WORDS, *INLINE] if "/" in word and not re.search(r"[<>*$ ]", word)]
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert named
    # .venv is made by `make setup`.
    missing = [path for path in [*named, *links] if not path.startswith(".venv") and not (ROOT / path).exists()]
    assert missing == []


def test_every_use_case_exists() -> None:
    named = re.findall(r"(?:U=|--use-case )(\w+)", BLOCKS)
    assert named
    assert all((ROOT / "usecases" / name / "template.yaml").exists() for name in named)


def test_every_debug_configuration_exists() -> None:
    launch = (ROOT / ".vscode" / "launch.json").read_text("utf-8")
    named = re.findall(r"choose `([A-Z][^`]+)`", TEXT)
    assert named
    assert all(f'"name": "{name}' in launch for name in named)
