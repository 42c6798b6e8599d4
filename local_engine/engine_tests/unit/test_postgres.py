"""The embedded PostgreSQL: one per state folder, for this machine and with a password, and gone when purged."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from local_engine.errors import EngineError
from local_engine.postgres import server
from tests.waiting import until


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder whose path is longer than a socket's may be, and that others cannot enter."""
    folder = tmp_path / ("a-long-name-" * 10) / "state"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)
    yield folder
    server.stop(folder, purge=True)


def test_it_keeps_what_it_holds_until_it_is_purged(state: Path) -> None:
    with psycopg.connect(server.start(state)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    assert server.running(state)
    assert server.stop(state) is True
    assert not server.running(state)
    assert server.stop(state) is False
    with psycopg.connect(server.start(state)) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
    process = psutil.Process(int((state / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0]))
    family = [process, *process.children(recursive=True)]
    assert server.stop(state, purge=True) is True
    assert [file.name for file in state.iterdir()] == ["postgres.lock"]
    # In a container an ended process may never be reaped.
    assert [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("finished", [False, True], ids=["in initdb", "after it"])
def test_a_folder_that_was_being_made_when_its_maker_was_killed_is_made_anew(
    state: Path, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    run = server._run

    def killed(program: str, *arguments: str) -> None:
        data = Path(arguments[arguments.index("-D") + 1])
        if finished:
            run(program, *arguments)
        else:
            (data / "PG_VERSION").write_text("18\n", encoding="ascii")  # initdb writes it first
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(server, "_run", killed)
        with pytest.raises(KeyboardInterrupt):
            server.start(state)
    with psycopg.connect(server.start(state)) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("60",), "it is configured"
    assert sorted(file.name for file in state.iterdir()) == ["postgres", "postgres.lock"]


def test_two_starts_give_one_server(state: Path) -> None:
    assert server.start(state) == server.start(state)


def test_it_listens_on_loopback_only_and_asks_for_its_password(state: Path) -> None:
    dsn = server.start(state)
    pid = int((state / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])
    listening = [each.laddr for each in psutil.Process(pid).net_connections() if each.status == psutil.CONN_LISTEN]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    password = urlsplit(dsn).password
    assert password
    assert len(password) >= 32
    assert not list(state.rglob(".s.PGSQL.*"))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn.replace(password, "guessed"))
    for file in (state / "postgres" / "password", state / "postgres"):
        assert file.stat().st_mode & 0o077 == 0, f"{file.name} can be read by others"


def test_a_server_that_was_killed_starts_again_with_what_it_held(state: Path) -> None:
    with psycopg.connect(server.start(state)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    process = psutil.Process(int((state / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0]))
    for each in [process, *process.children()]:
        each.kill()
    until(lambda: not server.running(state), "the server is gone")
    with psycopg.connect(server.start(state)) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_server_that_cannot_start_shows_its_log(state: Path) -> None:
    server.start(state)
    server.stop(state)
    with (state / "postgres" / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")
    with pytest.raises(EngineError, match="no_such_setting"):
        server.start(state)


@pytest.mark.skipif(os.geteuid() != 0, reason="what root must not do, others cannot")
def test_for_root_it_runs_as_nobody_and_opens_no_folder(state: Path) -> None:
    modes = {folder: folder.stat().st_mode for folder in (state, *state.parents)}
    server.start(state)
    process = psutil.Process(int((state / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0]))
    assert process.username() == "nobody"
    assert {folder: folder.stat().st_mode for folder in modes} == modes
