"""The files of an engine in its state folder."""

import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from local_engine.errors import EngineError

_ENVIRONMENT = "LOCAL_ENGINE_ENVIRONMENT"
LAUNCHER = Path(__file__).resolve().with_name("launcher.py")


def environment() -> Path:
    """Return the virtual environment with the engine's requirements, where the caller names none.

    It is the variable LOCAL_ENGINE_ENVIRONMENT, else this interpreter's own. Raises EngineError without ministack.
    """
    if named := os.environ.get(_ENVIRONMENT):
        return Path(named)
    if find_spec("ministack") is None:
        raise EngineError(
            f"{sys.prefix} does not have the engine's requirements. Name the environment that has them: "
            f"--environment FOLDER, or the variable {_ENVIRONMENT}."
        )
    return Path(sys.prefix)


@dataclass(frozen=True)
class Places:
    """The files of the engine that belongs to one state folder."""

    state: Path

    @property
    def record(self) -> Path:
        """Port and process, as JSON (see `record`)."""
        return self.state / "engine.json"

    @property
    def log(self) -> Path:
        """What the engine prints, functions' failures included."""
        return self.state / "engine.log"

    @property
    def previous_log(self) -> Path:
        """The log before the last rotation."""
        return self.state / "engine.log.1"

    @property
    def lock(self) -> Path:
        """Held while an engine is started or stopped."""
        return self.state / "engine.lock"

    @property
    def data(self) -> Path:
        """Everything that survives a restart."""
        return self.state / "engine"

    @property
    def services(self) -> Path:
        """One JSON file per service, written by a clean stop."""
        return self.data / "services"

    @property
    def objects(self) -> Path:
        """The bodies of S3 objects."""
        return self.data / "s3"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the engine and of its functions: unpacked code and layers."""
        return self.data / "tmp"
