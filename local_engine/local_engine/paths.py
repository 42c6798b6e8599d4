"""The files of an engine in its state folder."""

from dataclasses import dataclass
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]

# `make setup` puts it there; it is separate from .venv because SAM CLI and ministack pin different botocores.
ENVIRONMENT = _CHECKOUT / ".fanout" / "engine-venv"
LAUNCHER = Path(__file__).resolve().with_name("launcher.py")


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
