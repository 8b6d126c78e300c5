"""Scanning folders: everything found once, every file left out with its reason."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from calibstudio.domain.changes import Action, Change, ManualChanges
from calibstudio.domain.equipment import Site
from calibstudio.domain.errors import Cancelled, UsageError
from calibstudio.domain.header import FrameHeader
from calibstudio.domain.jobs import CancelToken, JobContext, Progress
from calibstudio.services.import_frames import ScanResult, scan, scan_and_group
from calibstudio.store.header_cache import cache_file
from tests.helpers.frames import frame_bytes, write_frame

NB = "\u202f"


def run(*paths: Path, **options: object) -> ScanResult:
    return scan(JobContext(), paths, **options)  # type: ignore[arg-type]


def names(result: ScanResult) -> list[str]:
    return [h.path.name for h in result.headers]


def reasons(result: ScanResult) -> dict[str, str]:
    return {item.path.name: item.reason for item in (*result.ungrouped, *result.ignored)}


def test_frames_are_found_in_all_folders_below(tmp_path: Path) -> None:
    for name in ("a.fits", "deep/er/b.FIT", "c.fts", "deep/d.Fits", "e.unknown"):
        write_frame(tmp_path / name, IMAGETYP="DARK")

    result = run(tmp_path)

    assert names(result) == ["a.fits", "c.fts", "d.Fits", "b.FIT", "e.unknown"]
    assert result.ungrouped == result.ignored == ()


def test_every_file_that_is_left_out_has_its_reason(tmp_path: Path) -> None:
    write_frame(tmp_path / "good.fits", IMAGETYP="DARK")
    (tmp_path / "text.fits").write_text("Dear reader,\n" * 20)
    (tmp_path / "empty.fit").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "unknown.bin").write_bytes(b"\x01\x02" * 500)
    (tmp_path / "archive.tar.gz").write_bytes(b"\x1f\x8b\x08\x00junk")
    (tmp_path / ".hidden.fits").write_bytes(frame_bytes())
    (tmp_path / "photo.CR2").write_bytes(b"II*\0" * 100)
    (tmp_path / "link.fits").symlink_to(tmp_path / "nowhere.fits")
    (tmp_path / ".git").mkdir()
    write_frame(tmp_path / ".git" / "inside.fits")

    result = run(tmp_path)

    assert names(result) == ["good.fits"]
    assert {i.path.name for i in result.ungrouped} == {
        "text.fits",
        "empty.fit",
        "photo.CR2",
        "link.fits",
        "archive.tar.gz",
    }
    assert {i.path.name for i in result.ignored} == {
        "notes.txt",
        "unknown.bin",
        ".hidden.fits",
        ".git",
    }
    said = reasons(result)
    assert said["text.fits"].startswith("It is text")
    assert said["empty.fit"].startswith("It is empty.")
    assert "photo.CR2 is no raw file that LibRaw knows." in said["photo.CR2"]
    assert said["link.fits"] == "A link to something that is not there."
    assert said["notes.txt"] == "A .txt file is no frame."
    assert said["unknown.bin"].startswith("It is neither FITS nor XISF.")


def test_links_that_go_round_are_followed_once(tmp_path: Path) -> None:
    write_frame(tmp_path / "a" / "x.fits", IMAGETYP="DARK")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")

    result = run(tmp_path)

    assert names(result) == ["x.fits"]


def test_a_file_with_several_names_counts_once(tmp_path: Path) -> None:
    frame = write_frame(tmp_path / "m.fits", IMAGETYP="DARK")
    (tmp_path / "a_link.fits").symlink_to(frame)
    os.link(frame, tmp_path / "z_hard.fits")

    result = run(tmp_path)

    assert names(result) == ["m.fits"]
    assert reasons(result) == {
        "a_link.fits": "The same file as m.fits.",
        "z_hard.fits": "The same file as m.fits.",
    }


def test_paths_named_twice_count_once(tmp_path: Path) -> None:
    frame = write_frame(tmp_path / "a" / "m.fits", IMAGETYP="DARK")

    result = run(tmp_path, frame, tmp_path / "a", tmp_path / "a" / ".." / "a" / "m.fits")

    assert names(result) == ["m.fits"]
    assert result.ignored == ()


def test_a_copy_is_noted_and_kept(tmp_path: Path) -> None:
    frame = write_frame(tmp_path / "a.fits", IMAGETYP="DARK", DATE__OBS="2026-01-01T01:00:00")
    shutil.copy(frame, tmp_path / "b.fits")
    write_frame(tmp_path / "c.fits", IMAGETYP="DARK", DATE__OBS="2026-01-01T01:05:00")

    result = run(tmp_path)

    assert [h.notes for h in result.headers] == [
        (),
        ("Looks like a copy of a.fits: same size and same first blocks.",),
        (),
    ]


def test_a_file_named_itself_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    hidden = write_frame(tmp_path / ".x.txt", IMAGETYP="DARK")

    assert names(run(hidden)) == [".x.txt"]


def test_a_path_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        run(tmp_path / "nowhere")


def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    write_frame(tmp_path / "closed" / "x.fits")
    (tmp_path / "closed").chmod(0)
    try:
        if os.access(tmp_path / "closed", os.R_OK):
            pytest.skip("this user may read everything")
        result = run(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)

    assert reasons(result) == {"closed": "This folder may not be read by this user."}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.fits")

    assert reasons(run(tmp_path)) == {"pipe.fits": "No file, but a device or a pipe."}


def test_a_frame_that_vanishes_during_the_scan_is_said(tmp_path: Path) -> None:
    for i in range(3):
        write_frame(tmp_path / f"{i}.fits", IMAGETYP="DARK")
    seen: list[str] = []

    def remove_last(progress: Progress) -> None:
        seen.append(progress.text)
        if progress.text.startswith("1 of"):
            (tmp_path / "2.fits").unlink()

    result = scan(JobContext(CancelToken(), remove_last), [tmp_path])

    assert names(result) == ["0.fits", "1.fits"]
    assert reasons(result)["2.fits"].startswith("It is not there any more.")


def test_progress_counts_files_in_words(tmp_path: Path) -> None:
    for i in range(5):
        write_frame(tmp_path / f"{i}.fits", IMAGETYP="DARK")
    said: list[Progress] = []

    scan(JobContext(CancelToken(), said.append), [tmp_path])

    texts = [p.text for p in said]
    assert "3 of 5 files" in texts
    assert texts[-1] == "5 of 5 files"
    fractions = [p.fraction for p in said]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_cancel_stops_between_files_and_keeps_what_was_read(tmp_path: Path) -> None:
    for i in range(5):
        write_frame(tmp_path / f"{i}.fits", IMAGETYP="DARK")
    token = CancelToken()

    def stop(progress: Progress) -> None:
        if progress.text.startswith("2 of"):
            token.cancel()

    with pytest.raises(Cancelled):
        scan(JobContext(token, stop), [tmp_path])

    assert cache_file().exists()


def test_headers_are_handed_out_while_the_scan_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calibstudio.services.import_frames.BATCH", 2)
    for i in range(5):
        write_frame(tmp_path / f"{i}.fits", IMAGETYP="DARK")
    batches: list[list[FrameHeader]] = []

    result = run(tmp_path, on_found=batches.append)

    assert [h.path for batch in batches for h in batch] == [h.path for h in result.headers]
    assert max(len(b) for b in batches) <= 2


def test_a_second_scan_comes_from_the_cache_and_is_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(5):
        write_frame(tmp_path / f"{i}.fits", IMAGETYP="DARK", DATE__OBS=f"2026-01-0{i + 1}T01:00:00")
    first = run(tmp_path, site=Site("s", 0.0, 15.0))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("calibstudio.services.import_frames.read_raw_header", refuse)
    assert run(tmp_path, site=Site("s", 0.0, 15.0)) == first
    # The night depends on the site, so it is never taken from the cache.
    assert run(tmp_path, site=Site("s", 0.0, -170.0)).headers[0].night == date(2025, 12, 31)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    frame = write_frame(tmp_path / "a.fits", IMAGETYP="DARK", EXPTIME=10.0)
    run(tmp_path)
    write_frame(frame, IMAGETYP="DARK", EXPTIME=20.0)
    os.utime(frame, ns=(5, 5))

    assert run(tmp_path).headers[0].exposure_s == 20.0


def test_local_time_is_never_kept_for_another_site(tmp_path: Path) -> None:
    write_frame(tmp_path / "a.fits", IMAGETYP="DARK", DATE__LOC="2026-07-01T01:00:00")
    berlin, hawaii = (
        Site("b", 0, 0, timezone="Europe/Berlin"),
        Site("h", 0, 0, timezone="US/Hawaii"),
    )

    unknown = run(tmp_path).headers[0].observed_utc
    in_berlin = run(tmp_path, site=berlin).headers[0].observed_utc
    in_hawaii = run(tmp_path, site=hawaii).headers[0].observed_utc

    assert unknown is None
    assert in_berlin == datetime(2026, 6, 30, 23, tzinfo=UTC)
    assert in_hawaii == datetime(2026, 7, 1, 11, tzinfo=UTC)


def test_corrections_lie_over_the_files(tmp_path: Path) -> None:
    frame = write_frame(tmp_path / "a.fits", IMAGETYP="LIGHT", EXPTIME=10.0)

    for _ in range(2):
        header = run(tmp_path, corrections={frame: {"kind": "flat", "exposure_s": 12.0}}).headers[0]
        assert (header.kind, header.exposure_s) == ("flat", 12.0)
    assert run(tmp_path).headers[0].kind == "light"


def test_scanning_and_grouping_applies_manual_changes(tmp_path: Path) -> None:
    a = write_frame(tmp_path / "a.fits", IMAGETYP="LIGHT", EXPTIME=10.0, INSTRUME="X", FILTER="B")
    b = write_frame(tmp_path / "b.fits", IMAGETYP="FLAT", EXPTIME=10.0, INSTRUME="X", FILTER="B")
    (tmp_path / "c.fits").write_bytes(frame_bytes(IMAGETYP="DARK", shape=(90, 90))[:9000])
    changes = ManualChanges((Change(Action.CORRECTED, (a,), values={"kind": "flat"}),))

    grouping, unreadable = scan_and_group(JobContext(), [tmp_path], changes=changes)

    assert [g.frames for g in grouping.groups] == [(a, b)]
    assert [item.path.name for item in unreadable] == ["c.fits"]
    assert "cut off" in unreadable[0].reason


@pytest.mark.parametrize(
    "name",
    [
        "sp ace.fits",
        "quo'te\".fits",
        "em\N{SPARKLES}oji.fits",
        "semi;colon.fits",
        "a%20b.fits",
        "\u00e4\u00df.fits",
    ],
)
def test_names_of_every_kind_are_found(tmp_path: Path, name: str) -> None:
    write_frame(tmp_path / name, IMAGETYP="DARK")

    assert names(run(tmp_path)) == [name]
    assert names(run(tmp_path)) == [name]
