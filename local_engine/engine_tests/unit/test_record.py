"""Which port and which process belong to a state folder."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from local_engine import ports, process, record
from local_engine.paths import LAUNCHER, Places
from local_engine.record import EngineProcess, Record
from tests.waiting import until


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def me(created: float | None = None) -> EngineProcess:
    actual = psutil.Process().create_time()
    return EngineProcess(os.getpid(), actual if created is None else created, "2026-11-22T10:00:00+00:00")


def test_a_record_is_read_as_it_was_written(places: Places) -> None:
    record.write(places, Record(4567, me()))
    assert record.read(places) == Record(4567, me())


def test_the_port_is_remembered_without_a_process(places: Places) -> None:
    record.write(places, Record(4567))
    assert record.read(places) == Record(4567, None)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"port": "x"}',
        '{"port": 1, "process": {"pid": 1}}',
        '{"port": 1, "process": 7}',
    ],
)
def test_a_broken_record_counts_as_none(places: Places, content: str) -> None:
    places.record.write_text(content)
    assert record.read(places) == Record()


def test_no_record_is_an_empty_one(places: Places) -> None:
    assert record.read(places) == Record()


def test_a_failed_write_leaves_the_old_record_and_no_other_file(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.write(places, Record(4567))

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        record.write(places, Record(4568))
    assert record.read(places) == Record(4567)
    assert [file.name for file in places.state.iterdir()] == ["engine.json"]


def test_a_pid_that_now_belongs_to_another_program_is_not_the_engine(places: Places) -> None:
    assert me().alive(places.state) is None  # alive, and no launcher


def begun(child: subprocess.Popen[bytes]) -> float:
    """When the child was created. For a moment after that its command line is empty: Linux has not put it in place."""
    process = psutil.Process(child.pid)
    until(process.cmdline, "the child's command line", seconds=10)
    return process.create_time()


def test_a_pid_that_was_given_to_a_later_process_is_not_the_engine(places: Places) -> None:
    command = [sys.executable, "-c", "input()", str(LAUNCHER), "--state", str(places.state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        created = begun(child)
        started = "2026-11-22T10:00:00+00:00"
        assert EngineProcess(child.pid, created, started).alive(places.state) is not None
        assert EngineProcess(child.pid, created - 3600, started).alive(places.state) is None
        assert EngineProcess(child.pid, created, started).alive(places.state / "other") is None
        child.kill()
        child.wait()
        assert EngineProcess(child.pid, created, started).alive(places.state) is None


def test_an_engine_that_an_older_checkout_started_is_stopped_before_its_state_is_deleted(places: Places) -> None:
    launcher = "/older/checkout/cli/fanout_cli/engine/launcher.py"
    command = [sys.executable, "-c", "input()", launcher, "--state", str(places.state)]
    places.data.mkdir()
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        known = EngineProcess(child.pid, begun(child), "2026-11-22T10:00:00+00:00")
        record.write(places, Record(4567, known))
        assert process.running(places.state) is not None
        assert process.stop(places.state, purge=True)
        assert child.wait(timeout=10) != 0
    assert not places.data.exists()


def test_a_process_that_ended_but_was_not_collected_is_not_the_engine(places: Places) -> None:
    command = [sys.executable, "-c", "input()", str(LAUNCHER), "--state", str(places.state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        created = begun(child)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and still a zombie
        assert EngineProcess(child.pid, created, "2026-11-22T10:00:00+00:00").alive(places.state) is None


def test_a_stop_without_a_state_folder_makes_none(tmp_path: Path) -> None:
    assert not process.stop(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_stop_never_touches_a_process_that_is_not_the_engine(places: Places) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        created = psutil.Process(stranger.pid).create_time()
        record.write(places, Record(4567, EngineProcess(stranger.pid, created, "2026-11-22T10:00:00+00:00")))
        assert not process.stop(places.state)
        assert stranger.poll() is None
        stranger.kill()
    assert record.read(places) == Record(4567, None)


def test_a_free_port_is_loopback_only() -> None:
    with ports.listen(0) as server:
        address, port = server.getsockname()
        assert address == "127.0.0.1"
        assert f"(process {os.getpid()})" in str(ports.holder(port))


def test_a_free_port_has_no_holder() -> None:
    with ports.listen(0) as server:
        port = server.getsockname()[1]
    assert ports.holder(port) is None
