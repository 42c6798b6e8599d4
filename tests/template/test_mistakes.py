"""Every rule of a deployment fails on a template that breaks it."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.template import test_alarms, test_data, test_functions, test_names, test_permissions, test_subscribers
from tests.template.deployments import Change, Rule, changed, rules

MODULES: list[ModuleType] = [test_alarms, test_data, test_functions, test_names, test_permissions, test_subscribers]
MISTAKES = [pytest.param(*each, id=each[0].__name__) for module in MODULES for each in module.MISTAKES]


@pytest.mark.parametrize(("rule", "file", "mistake"), MISTAKES)
def test_a_rule_fails_on_a_template_that_breaks_it(rule: Rule, file: Path, mistake: Change) -> None:
    with pytest.raises(AssertionError):
        rule(changed(file, mistake))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_rule_of_a_module_has_a_mistake(module: ModuleType) -> None:
    assert rules(vars(module)) == {rule for rule, *_ in module.MISTAKES}
