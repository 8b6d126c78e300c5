"""The library as its users know it: filed, found, decided, verified, made again."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.errors import FileProblemError, LibraryError, UsageError, WriteProblemError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.master import ReviewState
from calibstudio.domain.master_query import FACETS, MasterQuery, MasterSort
from calibstudio.domain.quality import Verdict
from calibstudio.services.library import Library
from calibstudio.services.library_care import FileState, rebuild, verify
from calibstudio.services.library_pictures import grey_picture, thumbnail
from calibstudio.store.library_overlay import Regrouping
from calibstudio.store.publish import sha256_of
from tests.helpers.masters import make_master_file

START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that is a second later every time it is asked."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the library lies."""
    return tmp_path / "library"


@pytest.fixture
def library(folder: Path) -> Iterator[Library]:
    """An empty library."""
    with Library.open(folder, now=Clock()) as opened:
        yield opened


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library with four masters, for tests that only look."""
    with Library.open(tmp_path_factory.mktemp("filled"), now=Clock()) as opened:
        fill(opened)
        yield opened


def fill(library: Library) -> list[str]:
    """File four masters; returns their hashes in the order they were added."""
    made = (
        make_master_file(library.folder / "bias.fits", kind="bias", seed=1, exposure_s=0.0),
        make_master_file(library.folder / "dark.fits", kind="dark", seed=2, exposure_s=300.0),
        make_master_file(
            library.folder / "sub" / "flat.fits",
            kind="flat",
            seed=3,
            filter="Ha",
            verdict=Verdict.WARN,
            night=date(2025, 6, 2),
        ),
        make_master_file(
            library.folder / "other.fits",
            kind="dark",
            seed=4,
            camera="Zweite Kamera",
            gain=None,
            verdict=Verdict.BAD,
        ),
    )
    return [library.add(path).record.sha256 for path in made]


def test_a_master_is_filed_and_found_by_its_id(library: Library) -> None:
    path = make_master_file(library.folder / "deep" / "dark.fits")

    added = library.add(path)

    assert added.new
    assert added.record.sha256 == sha256_of(path)
    assert library.get(added.record.id) == added.record
    assert added.record.path == path
    assert added.record.state is ReviewState.NEW
    assert added.record.added_utc == START + timedelta(seconds=1)
    assert library.inputs(added.record.id)[4].used is False
    assert library.masters() == (added.record,)


def test_the_same_master_is_filed_once(library: Library, tmp_path: Path) -> None:
    path = make_master_file(library.folder / "dark.fits")
    library.add(path)
    shutil.copy(path, tmp_path / "copy.fits")

    again = library.add(tmp_path / "copy.fits")

    assert not again.new
    assert again.record.path == path
    assert len(library.masters()) == 1


def test_what_is_no_master_is_refused(library: Library, tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((4, 4), np.float32)).writeto(tmp_path / "frame.fits")

    with pytest.raises(FileProblemError, match="not a master that CalibStudio made"):
        library.add(tmp_path / "frame.fits")

    assert library.masters() == ()


def test_ids_that_fit_none_or_several_are_said(filled: Library) -> None:
    for prefix in ("", "abc", "zzzzzz"):
        with pytest.raises(UsageError, match="There is no master"):
            filled.get(prefix)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (MasterQuery(), ["other", "flat", "dark", "bias"]),
        (MasterQuery(descending=False), ["bias", "dark", "flat", "other"]),
        (MasterQuery(kinds=("dark",)), ["other", "dark"]),
        (MasterQuery(kinds=("dark", "bias"), verdicts=(Verdict.GOOD,)), ["dark", "bias"]),
        (MasterQuery(cameras=("Zweite Kamera",)), ["other"]),
        (MasterQuery(filters=("Ha",)), ["flat"]),
        (MasterQuery(filters=("",)), ["other", "dark", "bias"]),
        (MasterQuery(night_from=date(2025, 6, 1)), ["flat"]),
        (MasterQuery(nights=(date(2025, 5, 31),), exposure_min_s=20.0), ["dark"]),
        (MasterQuery(exposure_max_s=5.0), ["bias"]),
        (MasterQuery(search="ZWEITE dark"), ["other"]),
        (MasterQuery(search="ha flat"), ["flat"]),
        (MasterQuery(search="100%"), []),
        (
            MasterQuery(sort=MasterSort.EXPOSURE, descending=False),
            ["bias", "other", "flat", "dark"],
        ),
        (MasterQuery(sort=MasterSort.GAIN, descending=True), ["flat", "dark", "bias", "other"]),
        (MasterQuery(sort=MasterSort.VERDICT), ["other", "flat", "dark", "bias"]),
        (MasterQuery(limit=2), ["other", "flat"]),
        (MasterQuery(limit=2, offset=2), ["dark", "bias"]),
        (MasterQuery(offset=3), ["bias"]),
    ],
)
def test_masters_are_filtered_searched_and_sorted(
    filled: Library, query: MasterQuery, names: list[str]
) -> None:
    assert [record.path.stem for record in filled.masters(query)] == names


@pytest.mark.parametrize("sort", list(MasterSort))
@pytest.mark.parametrize("descending", [True, False])
def test_every_order_gives_every_master(
    filled: Library, sort: MasterSort, descending: bool
) -> None:
    assert len(filled.masters(MasterQuery(sort=sort, descending=descending))) == 4


def test_facets_count_with_the_other_restrictions(filled: Library) -> None:
    facets = filled.facets(MasterQuery(kinds=("dark",)))

    assert set(facets.counts) == set(FACETS)
    assert facets.total == 2
    assert facets.counts["kind"] == {"bias": 1, "dark": 2, "flat": 1}
    assert facets.counts["verdict"] == {"BAD": 1, "GOOD": 1}
    assert facets.counts["camera"] == {"Simulated 24": 1, "Zweite Kamera": 1}
    assert facets.counts["filter"] == {"": 2}


def test_decisions_are_kept_shown_and_undone(library: Library) -> None:
    first, second, *_ = fill(library)

    review = library.approve([first[:10], second[:10]], "looked at both")

    assert {library.get(i).state for i in (first, second)} == {ReviewState.APPROVED}
    assert library.get(first).state_reason == "looked at both"
    assert [c.before for c in review.changes] == [ReviewState.NEW] * 2
    undone = library.undo(review)
    assert library.get(first).state is ReviewState.NEW
    library.undo(undone)
    assert library.get(first).state is ReviewState.APPROVED
    assert [d.what for d in library.history(first)] == ["approved", "undone", "undone"]


def test_restoring_gives_the_state_before_it_was_retired(library: Library) -> None:
    first, second, *_ = fill(library)
    library.approve([first])
    library.reject([first], "dew")
    library.retire([first])
    library.retire([second], "sensor cleaned")

    library.restore([first, second])

    assert library.get(first).state is ReviewState.APPROVED
    assert library.get(second).state is ReviewState.NEW


def test_one_wrong_id_changes_nothing(library: Library) -> None:
    first, *_ = fill(library)

    with pytest.raises(UsageError):
        library.approve([first, "ffffffffff"])

    assert library.get(first).state is ReviewState.NEW
    assert library.history(first) == ()


def test_a_decision_that_the_journal_cannot_take_does_not_count(
    library: Library, folder: Path
) -> None:
    first, *_ = fill(library)
    (folder / "journal.jsonl").unlink()
    (folder / "journal.jsonl").mkdir()

    with pytest.raises(WriteProblemError, match="journal"):
        library.approve([first])

    assert library.get(first).state is ReviewState.NEW


def test_threads_decide_without_losing_anything(library: Library) -> None:
    ids = fill(library)
    threads = [
        threading.Thread(target=library.approve, args=([sha], f"by {i}"))
        for i, sha in enumerate(ids * 3)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {library.get(i).state for i in ids} == {ReviewState.APPROVED}
    assert sum(len(library.history(i)) for i in ids) == 12


def test_a_library_that_moves_as_a_folder_stays_whole(library: Library, tmp_path: Path) -> None:
    ids = fill(library)
    library.close()

    shutil.move(library.folder, tmp_path / "elsewhere")

    with Library.open(tmp_path / "elsewhere") as moved:
        assert moved.get(ids[2]).path == tmp_path / "elsewhere" / "sub" / "flat.fits"
        assert moved.get(ids[2]).path.is_file()


def test_a_lost_database_is_made_again_with_every_decision(
    library: Library, folder: Path, tmp_path: Path
) -> None:
    ids = fill(library)
    elsewhere = make_master_file(tmp_path / "elsewhere" / "x.fits", kind="bias", seed=9)
    library.add(elsewhere)
    library.approve(ids[:2], "fine")
    library.reject([ids[0]], "no: dew")
    library.correct({elsewhere: {"gain": 7.0, "filter": "Hα"}}, "driver forgot it")
    library.regroup([Regrouping(elsewhere, 5, "excluded", {"note": "clouds"}, "clouds")])
    before = library.masters()
    corrections, regroupings = library.all_corrections(), library.regroupings()
    library.close()
    (folder / "library.sqlite").unlink()

    with pytest.raises(LibraryError, match="is missing") as caught:
        Library.open(folder)
    assert "rebuild" in caught.value.hint
    found = rebuild(JobContext(), folder)

    assert (found.n_masters, found.n_decisions, found.left_out) == (5, 3, ())
    with Library.open(folder) as again:
        assert again.masters() == before
        assert again.history(ids[0])[-1].reason == "no: dew"
        assert again.all_corrections() == corrections
        assert again.regroupings() == regroupings


def test_a_damaged_database_is_kept_beside_the_new_one(library: Library, folder: Path) -> None:
    fill(library)
    library.close()
    damaged = b"no database any more" * 300
    (folder / "library.sqlite").write_bytes(damaged)

    found = rebuild(JobContext(), folder)

    assert found.n_masters == 4
    assert (folder / "library.sqlite.damaged").read_bytes() == damaged


def test_rebuilding_says_what_is_broken_or_gone(library: Library, folder: Path) -> None:
    ids = fill(library)
    (folder / "bias.fits").unlink()
    (folder / "dark.fits").write_bytes(b"SIMPLE  =                    T")

    found = rebuild(JobContext(), folder)

    assert found.n_masters == 2
    assert {left.path.name for left in found.left_out} == {"bias.fits", "dark.fits"}
    assert library.get(ids[2]).kind == "flat"


def test_rebuilding_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="There is no library folder"):
        rebuild(JobContext(), tmp_path / "nowhere")

    assert not (tmp_path / "nowhere").exists()


def test_files_are_verified_and_moved_ones_found_again(library: Library, folder: Path) -> None:
    ids = fill(library)
    (folder / "new place").mkdir()
    shutil.move(folder / "bias.fits", folder / "new place" / "renamed.fits")
    with (folder / "dark.fits").open("r+b") as file:
        file.seek(10_000)
        file.write(b"\x01")
    (folder / "other.fits").unlink()

    found = {one.record.sha256: one.state for one in verify(JobContext(), library)}

    assert found == {
        ids[0]: FileState.MOVED,
        ids[1]: FileState.CHANGED,
        ids[2]: FileState.SOUND,
        ids[3]: FileState.MISSING,
    }
    assert library.get(ids[0]).path == folder / "new place" / "renamed.fits"


def test_hashes_are_computed_once_while_a_file_stays_the_same(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = tmp_path / "frame.fits"
    frame.write_bytes(b"one")
    first = library.sha256s(JobContext(), [frame])
    from calibstudio.store import publish

    monkeypatch.setattr(publish, "sha256_of", _never)
    second = library.sha256s(JobContext(), [frame, tmp_path / "gone.fits"])
    monkeypatch.undo()
    frame.write_bytes(b"two, and longer")
    third = library.sha256s(JobContext(), [frame])

    assert first == second
    assert first != third


def _never(path: Path) -> str:
    raise AssertionError(f"{path} was read again")


def test_corrections_hold_for_the_file_as_it_was(library: Library, tmp_path: Path) -> None:
    from calibstudio.domain.header import FrameHeader

    frame = tmp_path / os.fsdecode(b"fr\xffame.fits")
    frame.write_bytes(b"1234")
    library.correct({frame: {"gain": 100.0, "filter": "Hα"}}, "known")

    same = FrameHeader(frame, file_bytes=4)
    other = FrameHeader(frame, file_bytes=5)

    assert library.corrections([same]) == {frame: {"gain": 100.0, "filter": "Hα"}}
    assert library.corrections([other]) == {}
    library.correct({frame: {"gain": None}}, "no")
    assert library.corrections([same]) == {frame: {"filter": "Hα"}}


def test_regroupings_are_kept_and_taken_back(library: Library, tmp_path: Path) -> None:
    one = Regrouping(tmp_path / "a", 4, "moved", {"to": "dark-1"}, "wrong kind")
    two = Regrouping(tmp_path / "b", 4, "excluded", {}, "clouds")
    library.regroup([one, two])

    library.regroup([], remove=[(one.path, 4, "moved")])

    assert [(r.path.name, r.what, r.reason) for r in library.regroupings()] == [
        ("b", "excluded", "clouds")
    ]


def test_a_read_only_library_shows_everything_and_changes_nothing(
    library: Library, folder: Path, tmp_path: Path
) -> None:
    ids = fill(library)
    library.close()
    (tmp_path / "frame").write_bytes(b"abc")

    with Library.open(folder, read_only=True) as reading:
        assert len(reading.masters()) == 4
        assert thumbnail(reading, reading.get(ids[0]), 4).shape == (3, 4)
        assert len(reading.sha256s(JobContext(), [tmp_path / "frame"])) == 1
        with pytest.raises(LibraryError, match="is read-only"):
            reading.approve([ids[0]])
    assert not (folder / ".cache").exists()


def test_a_master_is_opened_with_its_planes_and_cards(library: Library) -> None:
    ids = fill(library)

    master = library.open_master(ids[1])
    cards = dict(library.cards(ids[1]))

    assert master.image().shape == (6, 8)
    assert master.plane("CNT") is not None
    assert any(keyword == "NCOMBINE" for keyword, _, _ in cards[""])


def test_thumbnails_are_made_once_and_made_again_when_damaged(
    library: Library, folder: Path
) -> None:
    record = library.get(fill(library)[1])
    first = thumbnail(library, record, 4)
    (cached,) = (folder / ".cache" / "thumbnails").iterdir()
    cached.write_bytes(b"rubbish")

    again = thumbnail(library, record, 4)
    record.path.unlink()
    from_cache = thumbnail(library, record, 4)

    assert first.dtype == np.uint8
    assert first.shape == (3, 4)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, from_cache)


def test_a_small_picture_keeps_the_shape_of_the_light() -> None:
    y, x = np.mgrid[0:300, 0:400]
    flat = (1.0 - 1e-5 * ((x - 200) ** 2 + (y - 150) ** 2)).astype(np.float32)
    flat[0, 0] = np.nan

    picture = grey_picture(flat, 100)

    assert picture.shape == (75, 100)
    assert picture[37, 50] > picture[2, 2]
    assert grey_picture(np.full((4, 4), np.nan, np.float32), 2).max() == 0
    assert grey_picture(np.ones((3, 500), np.float32), 100).shape == (1, 100)
