"""The library's database: schema, migrations, two programs at once, and failures in words."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from calibstudio.domain.errors import LibraryError, UsageError
from calibstudio.store import library_db
from calibstudio.store.library_db import REVISIONS, Database
from calibstudio.store.library_place import library_place
from calibstudio.store.library_tables import Base, FileHashRow


def open_at(folder: Path, **options: bool) -> Database:
    return Database(library_place(folder), str(folder), **{"create": True, **options})


def test_models_and_migrations_agree(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = open_at(tmp_path)

    with database.reading() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)

    assert differences == []


def test_the_known_revisions_are_those_of_the_steps() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(library_db.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    steps = ScriptDirectory.from_config(config).walk_revisions()

    assert tuple(step.revision for step in reversed(list(steps))) == REVISIONS


def test_a_library_is_made_once_and_opened_again(tmp_path: Path) -> None:
    with open_at(tmp_path).writing() as session:
        session.add(FileHashRow(path="a", file_bytes=1, file_mtime_ns=2, sha256="0" * 64))

    with open_at(tmp_path).reading() as session:
        assert session.get(FileHashRow, "a") is not None
    assert (tmp_path / "library.sqlite").is_file()


def test_several_threads_open_a_new_library_at_the_same_moment(tmp_path: Path) -> None:
    start, problems = threading.Barrier(6), []

    def open_it() -> None:
        start.wait()
        try:
            open_at(tmp_path).close()
        except LibraryError as error:
            problems.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    with open_at(tmp_path).reading() as session:
        assert session.execute(sa.text("SELECT count(*) FROM alembic_version")).scalar() == 1


def _is_open(file: Path) -> bool:
    """Whether this process holds the file; False where the system does not say."""
    handles = Path("/proc/self/fd")
    return handles.is_dir() and any(
        os.path.realpath(handle) == str(file.resolve()) for handle in handles.iterdir()
    )


def _open_and_write(folder: str, name: str) -> None:
    with open_at(Path(folder)).writing() as session:
        session.add(FileHashRow(path=name, file_bytes=1, file_mtime_ns=2, sha256="0" * 64))


def test_two_programs_at_once_both_get_through(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    programs = [
        spawn.Process(target=_open_and_write, args=(str(tmp_path), f"p{i}")) for i in range(2)
    ]

    for program in programs:
        program.start()
    for program in programs:
        program.join(40)

    assert [program.exitcode for program in programs] == [0, 0]
    with open_at(tmp_path).reading() as session:
        assert {row.path for row in session.scalars(sa.select(FileHashRow))} == {"p0", "p1"}


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    database = open_at(tmp_path)

    with pytest.raises(RuntimeError), database.writing() as session:
        session.add(FileHashRow(path="a", file_bytes=1, file_mtime_ns=2, sha256="0" * 64))
        session.flush()
        raise RuntimeError

    with database.reading() as session:
        assert session.get(FileHashRow, "a") is None


def test_a_library_that_another_program_keeps_locked_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_at(tmp_path).close()
    monkeypatch.setattr(library_db, "BUSY_S", 0.05)
    other = sqlite3.connect(tmp_path / "library.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(LibraryError, match="in use by another program"):  # noqa: SIM117
        with open_at(tmp_path).writing():
            pass

    other.close()


def test_a_read_only_library_can_be_read_and_says_so_when_written(tmp_path: Path) -> None:
    open_at(tmp_path).close()

    database = open_at(tmp_path, read_only=True)

    with database.reading() as session:
        assert session.get(FileHashRow, "a") is None
    with pytest.raises(LibraryError, match="is read-only"), database.writing():
        pass


def test_a_newer_schema_is_refused_in_words(tmp_path: Path) -> None:
    with open_at(tmp_path).writing() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(LibraryError, match="newer version of CalibStudio") as caught:
        open_at(tmp_path)

    assert caught.value.hint


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "library.sqlite")
    other.execute("CREATE TABLE songs (name TEXT)")
    other.close()

    with pytest.raises(LibraryError, match="is not a CalibStudio library"):
        open_at(tmp_path)


def test_a_damaged_database_says_how_to_mend_it(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite").write_bytes(b"not a database at all" * 200)

    with pytest.raises(LibraryError, match="is damaged") as caught:
        open_at(tmp_path)

    assert "rebuild" in caught.value.hint
    assert not _is_open(tmp_path / "library.sqlite")


def test_a_library_that_is_not_there_is_not_made_when_only_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no library"):
        open_at(tmp_path / "nowhere", create=False)

    assert not (tmp_path / "nowhere").exists()


def test_a_folder_in_the_place_of_the_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite").mkdir()

    with pytest.raises(LibraryError, match="could not be opened"):
        open_at(tmp_path)


@pytest.mark.parametrize("url", ["postgresql+psycopg://me@nowhere/db", "postgresql://a:b@c/d"])
def test_a_missing_driver_is_said_with_how_to_get_it(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(LibraryError, match="driver that is not installed"):
        Database(library_place(url, tmp_path), url, create=True)


def test_places_are_understood(tmp_path: Path) -> None:
    folder = library_place(tmp_path)
    file = library_place(f"sqlite:///{tmp_path}/night.db")
    apart = library_place(tmp_path, tmp_path / "out")
    server = library_place("postgresql://me:secret@host/db", tmp_path)

    assert (folder.file, folder.folder) == (tmp_path / "library.sqlite", tmp_path)
    assert (file.file, file.folder) == (tmp_path / "night.db", tmp_path)
    assert (apart.file, apart.folder) == (tmp_path / "library.sqlite", tmp_path / "out")
    assert (server.file, server.folder) == (None, tmp_path)
    assert "secret" not in server.name


@pytest.mark.parametrize(
    ("library", "said"),
    [
        ("postgresql://host/db", "needs a folder"),
        ("mysql://host/db", "is no library"),
        ("sqlite:///", "is no library"),
        ("sqlite://", "is no library"),
    ],
)
def test_places_that_make_no_sense_are_refused(library: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        library_place(library)

    assert caught.value.hint


def test_a_file_given_as_a_folder_is_refused_with_the_url_to_write(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"")

    with pytest.raises(UsageError, match="is a file") as caught:
        library_place(tmp_path / "x.db")

    assert "sqlite:///" in caught.value.hint
