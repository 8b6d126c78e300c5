"""Files appear whole or not at all, and nothing is overwritten."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from calibstudio.domain.errors import WriteProblemError
from calibstudio.store.publish import publish_file, sha256_of, write_problem


def test_a_new_file_appears_with_its_content_and_no_trace_of_the_temporary_one(
    tmp_path: Path,
) -> None:
    final = tmp_path / "deep" / "er" / "a.fits"

    made = publish_file(final, lambda path: path.write_bytes(b"pixels"))

    assert made
    assert final.read_bytes() == b"pixels"
    assert [p.name for p in final.parent.iterdir()] == ["a.fits"]


def test_the_same_name_with_the_same_bytes_is_already_there(tmp_path: Path) -> None:
    final = tmp_path / "a.fits"
    publish_file(final, lambda path: path.write_bytes(b"pixels"))
    before = final.stat()

    made = publish_file(final, lambda path: path.write_bytes(b"pixels"))

    assert not made
    assert final.stat().st_ino == before.st_ino
    assert final.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("links", [True, False])
def test_other_content_is_never_overwritten(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    final = tmp_path / "a.fits"
    publish_file(final, lambda path: path.write_bytes(b"first"))

    with pytest.raises(WriteProblemError, match=r"a\.fits exists already, with other content"):
        publish_file(final, lambda path: path.write_bytes(b"other"))

    assert final.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["a.fits"]


def test_a_file_system_without_hard_links_is_served_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", _no_links)

    made = publish_file(tmp_path / "a.fits", lambda path: path.write_bytes(b"pixels"))

    assert made
    assert (tmp_path / "a.fits").read_bytes() == b"pixels"
    assert not publish_file(tmp_path / "a.fits", lambda path: path.write_bytes(b"pixels"))


def test_nothing_is_left_when_writing_fails_or_is_cancelled(tmp_path: Path) -> None:
    def broken(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish_file(tmp_path / "a.fits", broken)

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_with_the_name_of_the_file(tmp_path: Path) -> None:
    def full(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WriteProblemError, match=r"a\.fits could not be written: the disk is full"):
        publish_file(tmp_path / "a.fits", full)

    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")

    with pytest.raises(WriteProblemError, match="could not be written"):
        publish_file(tmp_path / "taken" / "a.fits", lambda path: path.write_bytes(b"pixels"))


def test_every_problem_has_a_hint(tmp_path: Path) -> None:
    for code in (errno.EACCES, errno.EROFS, errno.ENAMETOOLONG, errno.EIO):
        problem = write_problem(tmp_path, OSError(code, os.strerror(code)))
        assert problem.hint


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")

    assert sha256_of(tmp_path / "x").startswith("ba7816bf8f01cfea")


def _no_links(*args: object, **options: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")
