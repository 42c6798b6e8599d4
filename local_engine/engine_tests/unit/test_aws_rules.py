"""docs/aws-rules.md lists what engine_tests/refusals tries."""

from engine_tests.refusals.page import PAGE, page
from engine_tests.refusals.resource_schemas import FILE, schemas


def test_the_page_lists_the_rules_that_are_tried() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make generate` and commit docs/aws-rules.md"


def test_the_engine_validates_with_the_schemas_of_cfn_lint() -> None:
    assert FILE.read_text("utf-8") == schemas(), "run `make generate` and commit resource_schemas.json"
