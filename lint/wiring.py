"""Rules of our own for cfn-lint: whether a fan-out is wired so that no event gets lost. `docs/wiring-rules.md`.

    cfn-lint --append-rules lint -t template.yaml

cfn-lint imports every file of this folder by itself, each as if it stood alone, but for those whose names begin with
an underscore. So this is the only one it finds; it makes what it needs importable and passes on the package's rules.
"""

import sys
from pathlib import Path

LINT = Path(__file__).resolve().parent
for folder in (LINT, LINT.parent / "local_engine"):  # the grammar of filter policies is the engine's
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

from fanout_wiring._rules import RULES  # noqa: E402 - importable only now

# cfn-lint takes as rules the classes that it finds among the names of a module.
globals().update({rule.__name__: rule for rule in RULES})
