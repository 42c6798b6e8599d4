"""The reader of templates, which the rules for cfn-lint, the tests and the command share.

The rules are in `_rules`; nothing here imports cfn-lint. Files begin with an underscore so that cfn-lint does not take
them for rules.
"""

from fanout_wiring._composition import Composition
from fanout_wiring._graph import Graph, Mapping
from fanout_wiring._intrinsics import UNRESOLVED
from fanout_wiring._loading import UnreadableTemplateError, load
from fanout_wiring._metrics import metrics
from fanout_wiring._parameters import OPEN
from fanout_wiring._stack import FUNCTION, Problem, Resource, Stack, random_suffix
from fanout_wiring._wires import Exit, Publication, Wire, Wiring

__all__ = [
    "FUNCTION",
    "OPEN",
    "UNRESOLVED",
    "Composition",
    "Exit",
    "Graph",
    "Mapping",
    "Problem",
    "Publication",
    "Resource",
    "Stack",
    "UnreadableTemplateError",
    "Wire",
    "Wiring",
    "load",
    "metrics",
    "random_suffix",
]
