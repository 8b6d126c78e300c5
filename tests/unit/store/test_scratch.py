"""Planes in nameless files: written in bands, shown as arrays, gone afterwards."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

import numpy as np
import pytest

from calibstudio.domain.errors import WriteProblemError
from calibstudio.domain.planes import bands, let_go
from calibstudio.store import scratch
from calibstudio.store.scratch import Scratch


def test_what_is_written_in_bands_is_seen_whole(tmp_path: Path) -> None:
    whole = np.random.default_rng(1).normal(size=(50, 33)).astype(np.float32)
    with Scratch(tmp_path / "new") as room:
        plane = room.plane(whole.shape, np.float32)
        plane.write(20, whole[20:])
        plane.write(0, whole[:20])

        assert np.array_equal(plane.array, whole)
        # Also after its memory was given back, and through a view.
        let_go(plane.array[::2, 1::2])
        assert all(np.array_equal(plane.array[rows], whole[rows]) for rows in bands(plane.array))
        assert not list((tmp_path / "new").iterdir())


def test_what_was_not_written_is_zero_and_nothing_is_written_through_the_array(
    tmp_path: Path,
) -> None:
    with Scratch(tmp_path) as room:
        plane = room.plane((3, 4), np.uint16)

        assert not plane.array.any()
        with pytest.raises(ValueError, match="read-only"):
            plane.array[0, 0] = 1


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Scratch(tmp_path) as room:
        plane = room.plane((3, 4), np.float32)
        monkeypatch.setattr(os, "pwrite", full)
        monkeypatch.setattr(os, "write", full)

        with pytest.raises(WriteProblemError, match="the disk is full"):
            plane.write(0, np.ones((3, 4), np.float32))


def test_a_share_that_cannot_map_files_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share, local = tmp_path / "share", tmp_path / "local"
    share.mkdir()
    local.mkdir()
    monkeypatch.setattr(scratch.tempfile, "gettempdir", lambda: str(local))
    real = mmap.mmap
    tried: list[int] = []

    def mapped(fileno: int, *args: object, **more: object) -> mmap.mmap:
        if share.stat().st_dev == os.fstat(fileno).st_dev and not tried:
            tried.append(fileno)
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return real(fileno, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(scratch.mmap, "mmap", mapped)
    with Scratch(share) as room:
        plane = room.plane((3, 4), np.float32)
        plane.write(0, np.ones((3, 4), np.float32))

        assert plane.array.sum() == 12
        assert tried
