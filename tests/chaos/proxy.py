"""The failure-injecting proxy between functions and engine: microburst, which fails as AWS does, in AWS's own words.

https://github.com/pingedbrain/microburst
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_engine import ports
from tests.waiting import until

Rule = Mapping[str, Any]
"""One of microburst's rules: which calls, how often, and what happens to them."""

_PROGRAM = Path(__file__).with_name("seeded_microburst.py")
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Proxy:
    """A running proxy."""

    endpoint: str

    @contextmanager
    def failing(self, rules: Sequence[Rule]) -> Iterator[None]:
        """Within the block calls fail as the rules say; afterwards none does."""
        self._ask("POST", "rules", rules)
        try:
            yield
        finally:
            self._ask("POST", "rules", [])

    def struck(self) -> int:
        """How many calls have been made to fail so far."""
        requests: dict[str, int] = self._ask("GET", "stats")["requests"]
        return requests["faulted"]

    def _ask(self, method: str, path: str, document: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.endpoint}/_microburst/{path}",
            method=method,
            data=None if document is None else json.dumps(document).encode(),
            headers={"Content-Type": "application/json"},
        )
        with _LOCAL.open(request, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def proxy(upstream: str, seed: int, log: Path) -> Iterator[Proxy]:
    """A proxy in front of the engine at `upstream`, on a free port of this machine, for the length of the block."""
    with ports.listen(0) as free:
        port = free.getsockname()[1]
    made = Proxy(f"http://{ports.LOOPBACK}:{port}")
    arguments = ["--upstream", upstream, "--host", ports.LOOPBACK, "--port", str(port), "--no-resign"]
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, str(_PROGRAM), str(seed), *arguments], stdout=output, stderr=output)
    try:
        until(lambda: _answers(made, process, log), "the proxy answers", seconds=30)
        yield made
    finally:
        process.kill()  # it has nothing to keep, and would wait for callers who keep their connections
        process.wait()


def _answers(made: Proxy, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, f"the proxy has ended:\n{log.read_text(errors='replace')}"
    try:
        made.struck()
    except OSError:
        return False
    return True
