"""Room for a large file, and a disk that is kept busy: nothing of it changes what is written."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

import pytest

from calibstudio.store import write_behind
from calibstudio.store.write_behind import WriteBehind, reserve


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "large.fits"
    path.write_bytes(b"SIMPLE")
    return path


def test_room_is_reserved_and_what_was_written_stays(file: Path) -> None:
    with file.open("rb+") as handle:
        reserve(handle.fileno(), 100_000)

    assert file.read_bytes() == b"SIMPLE".ljust(100_000, b"\0")


def test_a_full_disk_is_found_before_the_work(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        ctypes.set_errno(errno.ENOSPC)
        return -1

    monkeypatch.setattr(write_behind, "_linux", lambda name: full)

    with file.open("rb+") as handle, pytest.raises(OSError, match="space"):
        reserve(handle.fileno(), 100_000)


def test_a_file_system_that_reserves_nothing_is_no_failure(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> int:
        ctypes.set_errno(errno.EOPNOTSUPP)
        return -1

    monkeypatch.setattr(write_behind, "_linux", lambda name: cannot)

    with file.open("rb+") as handle:
        reserve(handle.fileno(), 100_000)

    assert file.stat().st_size == 100_000


def test_the_disk_is_asked_in_another_thread_with_a_file_of_its_own(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[bool, int]] = []

    def ask(fd: int, *_: object) -> int:
        asked.append((os.path.sameopenfile(fd, handle.fileno()), fd))
        return 0

    monkeypatch.setattr(write_behind, "_linux", lambda name: ask)
    with file.open("rb+") as handle:
        behind = WriteBehind(handle.fileno())
        behind.wrote(write_behind._CHUNK - 1)
        assert behind._thread is None
        behind.wrote(1)
        thread = behind._thread
        assert thread is not None
        while not asked and thread.is_alive():
            thread.join(0.005)
        behind.close()
        behind.close()
        behind.wrote(write_behind._CHUNK)
        thread.join(10)

        assert not thread.is_alive()
        assert [same for same, _ in asked] == [True]
        assert asked[0][1] != handle.fileno()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot be asked")
def test_linux_can_be_asked() -> None:
    assert write_behind._linux("sync_file_range") is not None
    assert write_behind._linux("fallocate64") is not None
    assert write_behind._linux("no_such_function") is None
