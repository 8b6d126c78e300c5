"""The cache of headers: right or empty, never wrong, whatever happens to it."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibstudio.domain.header import FrameHeader
from calibstudio.store.header_cache import HeaderCache
from calibstudio.store.header_json import dump_header, load_header
from calibstudio.store.headers import read_raw_header
from calibstudio.store.scan import FoundFile
from tests.helpers.frames import write_frame
from tests.helpers.headers import make_header

FULL = make_header(
    is_master=True,
    egain_e_per_adu=0.25,
    region=(1, 2, 6, 4),
    serial="01",
    bayer="RGGB",
    rotator_deg=12.5,
    object_name="M 31 \u2013 \u00e4\U0001f600",
    software="N.I.N.A.",
    pixel_size_um=3.76,
    row_order="TOP-DOWN",
    saturation_adu=65535.0,
    pedestal_adu=-100.0,
    calibrated="dark taken out",
    images=("", "UNC"),
    sections="BIASSEC [1:2,1:4]",
    detectors="A 6 × 4, B 6 × 4",
    exposures=20,
    planes=3,
    path_kind="flat",
    unit="e\u207b",
    path_time=datetime(2026, 4, 17, 22, 10, 5),
    damage="It is cut off.",
    site_longitude_deg=-155.5,
    file_bytes=5760,
    file_mtime_ns=1_700_000_000_123_456_789,
    origin=MappingProxyType({"gain": "GAIN card"}),
    notes=("One.", "Two."),
)


def found(path: Path) -> FoundFile:
    status = path.stat()
    return FoundFile(path, status.st_size, status.st_mtime_ns)


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    return write_frame(tmp_path / "a ' b.fits", IMAGETYP="DARK", EXPTIME=30.0)


def test_a_header_goes_to_text_and_back_without_loss() -> None:
    assert load_header(FULL.path, dump_header(FULL)) == FULL
    assert load_header(Path("x"), dump_header(FrameHeader(Path("x")))) == FrameHeader(Path("x"))


def test_the_full_header_has_every_field_set() -> None:
    # A new field must be in the test above.
    plain = FrameHeader(Path("x"))
    unset = {f.name for f in fields(FrameHeader) if getattr(FULL, f.name) == getattr(plain, f.name)}

    assert unset == set()


@given(
    exposure=st.floats(allow_nan=False, allow_infinity=False),
    when=st.datetimes(timezones=st.just(UTC)),
    night=st.dates(),
    name=st.text(max_size=20),
)
def test_any_values_come_back(exposure: float, when: datetime, night: date, name: str) -> None:
    header = replace(FULL, exposure_s=exposure, observed_utc=when, night=night, object_name=name)

    assert load_header(FULL.path, dump_header(header)) == header


def test_what_was_kept_is_found_while_the_file_is_the_same(tmp_path: Path, frame: Path) -> None:
    header = read_raw_header(frame).header
    with HeaderCache(tmp_path / "cache" / "h.sqlite") as cache:
        cache.keep([(header, "digest")])

    with HeaderCache(tmp_path / "cache" / "h.sqlite") as cache:
        assert cache.look_up([found(frame)]) == {frame: (header, "digest")}


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_file_that_changed_is_not_found(tmp_path: Path, frame: Path, change: str) -> None:
    with HeaderCache(tmp_path / "h.sqlite") as cache:
        cache.keep([(read_raw_header(frame).header, "digest")])
        if change == "size":
            stamp = frame.stat()
            frame.write_bytes(frame.read_bytes() + bytes(2880))
            os.utime(frame, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        else:
            os.utime(frame, ns=(1, 1))

        assert cache.look_up([found(frame)]) == {}


def test_headers_read_by_older_rules_are_not_used(tmp_path: Path, frame: Path) -> None:
    with HeaderCache(tmp_path / "h.sqlite") as cache:
        cache.keep([(read_raw_header(frame).header, "digest")])
    with sqlite3.connect(tmp_path / "h.sqlite") as db:
        db.execute("UPDATE headers SET schema = '0:'")
    db.close()

    with HeaderCache(tmp_path / "h.sqlite") as cache:
        assert cache.look_up([found(frame)]) == {}


def test_a_broken_entry_is_passed_over(tmp_path: Path, frame: Path) -> None:
    with HeaderCache(tmp_path / "h.sqlite") as cache:
        cache.keep([(read_raw_header(frame).header, "digest")])
    with sqlite3.connect(tmp_path / "h.sqlite") as db:
        db.execute("UPDATE headers SET header = '[1, 2'")
    db.close()

    with HeaderCache(tmp_path / "h.sqlite") as cache:
        assert cache.look_up([found(frame)]) == {}


def test_a_broken_cache_is_made_anew(tmp_path: Path, frame: Path) -> None:
    (tmp_path / "h.sqlite").write_bytes(b"this is no database" * 500)

    with HeaderCache(tmp_path / "h.sqlite") as cache:
        cache.keep([(read_raw_header(frame).header, "digest")])
        assert len(cache.look_up([found(frame)])) == 1


def test_without_a_place_for_it_there_is_just_no_cache(tmp_path: Path, frame: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with HeaderCache(tmp_path / "file" / "h.sqlite") as cache:
        cache.keep([(read_raw_header(frame).header, "digest")])
        cache.trim()
        assert cache.look_up([found(frame)]) == {}


def test_two_programs_may_use_it_at_once(tmp_path: Path, frame: Path) -> None:
    header = read_raw_header(frame).header
    with HeaderCache(tmp_path / "h.sqlite") as one, HeaderCache(tmp_path / "h.sqlite") as two:
        one.keep([(header, "one")])
        two.keep([(header, "two")])

        assert one.look_up([found(frame)])[frame][1] == "two"


def test_a_cache_that_another_program_holds_is_done_without(
    tmp_path: Path, frame: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calibstudio.store.header_cache.BUSY_S", 0.05)
    with HeaderCache(tmp_path / "h.sqlite") as cache:
        other = sqlite3.connect(tmp_path / "h.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            cache.keep([(read_raw_header(frame).header, "digest")])
        finally:
            other.execute("ROLLBACK")
            other.close()

        assert cache.look_up([found(frame)]) == {}


def test_the_oldest_entries_make_room(
    tmp_path: Path, frame: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calibstudio.store.header_cache.MAX_ROWS", 10)
    header = read_raw_header(frame).header
    with HeaderCache(tmp_path / "h.sqlite") as cache:
        cache.keep([(replace(header, path=tmp_path / f"{i}.fits"), "x") for i in range(12)])
        cache.trim()
    with sqlite3.connect(tmp_path / "h.sqlite") as db:
        (count,) = db.execute("SELECT count(*) FROM headers").fetchone()
    db.close()

    assert count == 5


def test_names_that_are_no_utf8_can_be_kept(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xe4rk.fits"))
    try:
        write_frame(path, IMAGETYP="DARK")
    except OSError:
        pytest.skip("this disk takes no such names")
    with HeaderCache(tmp_path / "h.sqlite") as cache:
        cache.keep([(read_raw_header(path).header, "digest")])

        assert path in cache.look_up([found(path)])
