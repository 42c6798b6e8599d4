"""docs/aws-rules.md lists what tests/engine/refusals tries."""

from tests.engine.refusals.page import PAGE, page


def test_the_page_lists_the_rules_that_are_tried() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make generate` and commit docs/aws-rules.md"
