"""Manual groups and corrections outlive the program: they are kept in the library."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from calibstudio.domain.changes import ManualChanges
from calibstudio.domain.grouping import Group, Grouping
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.regroup import corrected, excluded, included, merged, moved, renamed, split
from calibstudio.services.import_frames import scan_and_group
from calibstudio.services.library import Library
from calibstudio.services.library_care import rebuild
from calibstudio.services.regroup import keep_changes, load_changes
from tests.helpers.frames import write_frame

WHEN = datetime(2026, 4, 18, 9, tzinfo=UTC)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "library") as opened:
        yield opened


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    for i in range(4):
        write_frame(folder / f"long{i}.fits", IMAGETYP="DARK", EXPTIME=300.0, INSTRUME="X")
        write_frame(folder / f"short{i}.fits", IMAGETYP="DARK", EXPTIME=60.0, INSTRUME="X")
    write_frame(folder / "odd.fits", INSTRUME="X", EXPTIME=300.0)
    return folder


def scanned(folder: Path, library: Library | None = None) -> Grouping:
    return scan_and_group(JobContext(), [folder], library=library)[0]


def group(grouping: Grouping, name: str) -> Group:
    return next(g for g in grouping.groups if any(p.name == name for p in g.frames))


def by_hand(grouping: Grouping, folder: Path) -> Grouping:
    long, short = group(grouping, "long0.fits"), group(grouping, "short0.fits")
    after = corrected(grouping, [folder / "odd.fits"], {"kind": "dark"}, when=WHEN, why="seen")
    after = corrected(after, [folder / "odd.fits"], {"night": date(2026, 4, 17)}, when=WHEN)
    after = moved(after, [folder / "short0.fits", folder / "short1.fits"], long.id, when=WHEN)
    after = split(after, long.id, [folder / "long3.fits", folder / "odd.fits"], when=WHEN)
    after = excluded(after, [folder / "long1.fits"], "Cloud.", when=WHEN)
    return renamed(after, short.id, "Rest", when=WHEN)


def test_changes_come_back_with_the_next_scan(library: Library, frames: Path) -> None:
    before = by_hand(scanned(frames), frames)

    assert keep_changes(library, before)
    after = scanned(frames, library)

    assert after.groups == before.groups
    assert after.excluded == before.excluded
    assert after.headers == before.headers


def test_they_come_back_in_another_run_of_the_program(
    library: Library, frames: Path, tmp_path: Path
) -> None:
    before = by_hand(scanned(frames), frames)
    keep_changes(library, before)
    library.close()

    with Library.open(tmp_path / "library") as again:
        after = scanned(frames, again)

    assert after.groups == before.groups


def test_what_did_not_change_is_not_written_again(library: Library, frames: Path) -> None:
    grouping = by_hand(scanned(frames), frames)

    assert keep_changes(library, grouping)
    assert not keep_changes(library, grouping)
    assert not keep_changes(library, scanned(frames, library))


def test_what_was_taken_back_is_gone(library: Library, frames: Path) -> None:
    grouping = by_hand(scanned(frames), frames)
    keep_changes(library, grouping)

    grouping = included(grouping, [frames / "long1.fits"])
    grouping = corrected(grouping, [frames / "odd.fits"], {"kind": None})
    keep_changes(library, grouping)

    after = scanned(frames, library)
    assert after.excluded == {}
    assert after.headers[frames / "odd.fits"].kind is None
    assert after.headers[frames / "odd.fits"].night == date(2026, 4, 17)


def test_undoing_everything_leaves_nothing(library: Library, frames: Path) -> None:
    automatic = scanned(frames)
    keep_changes(library, by_hand(automatic, frames))

    assert keep_changes(library, automatic)

    assert load_changes(library, automatic.headers.values()) == ManualChanges()
    assert scanned(frames, library) == automatic


def test_the_last_of_several_moves_counts(library: Library, frames: Path) -> None:
    grouping = scanned(frames)
    long, short = group(grouping, "long0.fits").id, group(grouping, "short0.fits").id
    grouping = moved(grouping, [frames / "long0.fits", frames / "long1.fits"], short)
    grouping = moved(grouping, [frames / "long0.fits"], long)
    grouping = merged(grouping, [long, short])
    keep_changes(library, grouping)

    after = scanned(frames, library)

    assert [set(g.frames) for g in after.groups] == [set(g.frames) for g in grouping.groups]


def test_other_folders_keep_their_changes(library: Library, frames: Path, tmp_path: Path) -> None:
    keep_changes(library, by_hand(scanned(frames), frames))
    write_frame(tmp_path / "other" / "flat.fits", IMAGETYP="FLAT", INSTRUME="X")

    assert not keep_changes(library, scanned(tmp_path / "other"))
    assert scanned(frames, library).excluded == {frames / "long1.fits": "Cloud."}


def test_another_file_of_the_same_name_is_not_changed_with_it(
    library: Library, frames: Path
) -> None:
    keep_changes(library, by_hand(scanned(frames), frames))
    write_frame(frames / "long1.fits", IMAGETYP="DARK", EXPTIME=300.0, INSTRUME="X", shape=(90, 90))

    assert scanned(frames, library).excluded == {}


def test_a_lost_database_brings_them_back_from_the_journal(
    library: Library, frames: Path, tmp_path: Path
) -> None:
    before = by_hand(scanned(frames), frames)
    keep_changes(library, before)
    library.close()
    for file in (tmp_path / "library").glob("library.sqlite*"):
        file.unlink()

    rebuild(JobContext(), tmp_path / "library")

    with Library.open(tmp_path / "library") as again:
        assert scanned(frames, again).groups == before.groups


def test_changes_of_this_run_come_before_those_of_the_library(
    library: Library, frames: Path
) -> None:
    keep_changes(library, by_hand(scanned(frames), frames))
    mine = excluded(scanned(frames), [frames / "short3.fits"], "Wind.")

    after, _ = scan_and_group(JobContext(), [frames], changes=mine.changes, library=library)

    assert after.excluded == {frames / "short3.fits": "Wind."}
