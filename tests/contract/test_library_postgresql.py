"""A library on a PostgreSQL server does what one in a file does; the server is a real one."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from calibstudio.cli.main import run
from calibstudio.domain.errors import LibraryError
from calibstudio.store.library_db import Database
from calibstudio.store.library_place import library_place
from calibstudio.store.library_tables import Base, FileHashRow
from tests.helpers.night import Camera, take
from tests.helpers.postgresql import postgresql_server, server_programs

pytestmark = [
    pytest.mark.skipif(server_programs() is None, reason="PostgreSQL is not installed"),
    pytest.mark.xdist_group("postgresql"),
]

Capture = pytest.CaptureFixture[str]
NewDatabase = Callable[[], str]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a server, without a database."""
    with postgresql_server() as url:
        yield url


@pytest.fixture
def new_database(server: str, request: pytest.FixtureRequest) -> NewDatabase:
    """Make an empty database; gives its URL."""
    numbers = itertools.count()

    def make() -> str:
        name = f"lib_{abs(hash(request.node.name))}_{next(numbers)}"
        engine = sa.create_engine(
            f"{server.replace('://', '+psycopg://')}/postgres", isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return f"{server}/{name}"

    return make


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A folder with biases and flats."""
    camera, folder = Camera(), tmp_path / "night"
    take(folder, camera, "bias", 4)
    take(folder, camera, "flat", 4, 2.0, 20_000.0, first=20)
    return folder


def listed(capsys: Capture, url: str, out: Path) -> list[dict[str, Any]]:
    """Return the masters of a library, as a program that reads JSON gets them."""
    capsys.readouterr()
    assert run(["library", "list", "--library", url, "--out", str(out), "--json"]) == 0
    return list(json.loads(capsys.readouterr().out)["masters"])


def test_models_and_migrations_agree(new_database: NewDatabase, tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    url = new_database()
    database = Database(library_place(url, tmp_path), url, create=True)

    with database.reading() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
    database.close()

    assert differences == []


def test_masters_are_filed_judged_and_found_again_in_a_lost_database(
    new_database: NewDatabase, night: Path, tmp_path: Path, capsys: Capture
) -> None:
    url, out = new_database(), tmp_path / "masters"
    assert run(["masters", str(night), "--library", url, "--out", str(out)]) == 0
    made = listed(capsys, url, out)
    first = made[0]["id"]
    run(["library", "approve", first, "--library", url, "--out", str(out)])
    before = listed(capsys, url, out)

    other = new_database()
    assert run(["library", "rebuild", "--library", other, "--out", str(out)]) == 0
    after = listed(capsys, other, out)

    assert {m["kind"] for m in made} == {"master bias", "master flat"}
    assert [m["state"] for m in before if m["id"] == first] == ["approved"]
    assert after == before
    assert run(["library", "verify", "--library", other, "--out", str(out)]) == 0


def test_programs_that_build_the_same_at_once_file_each_master_once(
    new_database: NewDatabase, night: Path, tmp_path: Path, capsys: Capture
) -> None:
    url, out = new_database(), tmp_path / "masters"
    words = ["masters", str(night), "--library", url, "--out", str(out)]

    programs = [subprocess.Popen([sys.executable, "-m", "calibstudio", *words]) for _ in range(2)]

    assert [p.wait(timeout=50) for p in programs] == [0, 0]
    assert sorted(m["kind"] for m in listed(capsys, url, out)) == ["master bias", "master flat"]


def test_a_writer_waits_for_the_one_before_it(new_database: NewDatabase, tmp_path: Path) -> None:
    url, row = new_database(), FileHashRow(path="a", file_bytes=1, file_mtime_ns=2, sha256="0" * 64)
    first, second = (Database(library_place(url, tmp_path), url, create=True) for _ in range(2))
    looked, found = threading.Event(), []

    def look_up() -> None:
        with second.writing() as session:
            found.append(session.get(FileHashRow, "a"))
            looked.set()

    other = threading.Thread(target=look_up)
    with first.writing() as session:
        other.start()
        looked.wait(0.5)  # without a lock it looks now, and would file the same a second time
        session.add(row)
    other.join(20.0)
    first.close(), second.close()

    assert found and found[0] is not None


def test_requests_wait_in_the_server_with_numbers_of_their_own(
    new_database: NewDatabase, tmp_path: Path, capsys: Capture
) -> None:
    place = ["--library", new_database(), "--out", str(tmp_path)]
    for exposure in ("1", "2"):
        run(["requests", "add", "dark", "--frames", "3", "--exposure", exposure, *place])
    run(["requests", "priority", "2", "--priority", "80", *place])
    run(["requests", "cancel", "1", *place])
    capsys.readouterr()

    assert run(["requests", "list", "--json", *place]) == 0

    found = json.loads(capsys.readouterr().out)["requests"]
    assert {(r["id"], r["priority"], r["state"]) for r in found} == {
        (1, 50, "cancelled"),
        (2, 80, "queued"),
    }


@pytest.mark.parametrize(
    ("ending", "said"),
    [("/nowhere", "has no database"), ("1/x", "does not answer")],
    ids=["no such database", "no such server"],
)
def test_a_server_that_cannot_serve_is_a_sentence(
    server: str, tmp_path: Path, ending: str, said: str
) -> None:
    address = server if ending.startswith("/") else server.rpartition(":")[0] + ":"
    url = address + ending

    with pytest.raises(LibraryError, match=said) as caught:
        Database(library_place(url, tmp_path), url, create=True)

    assert caught.value.hint
