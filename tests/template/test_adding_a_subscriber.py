"""docs/adding-a-subscriber.md, followed word for word. tests/integration/test_deployment.py runs its subscriber."""

import os
from pathlib import Path

import pytest

from tests import walkthrough
from tests.integration.test_deployment import Checkout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_subscriber_of_the_page_passes_the_checks_that_the_page_names(tmp_path: Path) -> None:
    folder = Checkout(tmp_path / "fanout").folder
    # The copy shares .venv: to `make setup` nothing in it may be newer.
    for file in [*folder.glob("requirements/*.txt"), folder / "pyproject.toml"]:
        os.utime(file, (0, 0))
    page = walkthrough.read(folder / "docs/adding-a-subscriber.md")
    for edit in page.edits:
        edit.make(folder)
    walkthrough.run(page.commands["Add your own subscriber"] + page.commands["4. The README and the demo"], folder)
    # `make types` for the function: all of it takes minutes in a copy.
    walkthrough.run(["mypy functions/team_events"], folder)


def test_a_code_block_without_a_target_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Create `a.py`:\n\n```python\n```\n\nAnd this:\n\n```python\nimport a\n```\n", "utf-8")
    with pytest.raises(ValueError, match=r"page\.md does not say where this belongs:\nimport a"):
        walkthrough.read(page)


def test_an_edit_without_exactly_one_target_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("Outputs:\nMore:\n  Outputs:\n", "utf-8")
    page = tmp_path / "page.md"
    for line in ("Outputs:", "Conditions:"):
        page.write_text(f"In `a.yaml`, insert above `{line}`:\n\n```yaml\nA: 1\n```\n", "utf-8")
        [edit] = walkthrough.read(page).edits
        with pytest.raises(ValueError, match=r"a\.yaml has [02] places"):
            edit.make(tmp_path)
