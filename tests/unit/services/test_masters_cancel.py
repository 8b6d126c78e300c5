"""Masters and stacks are stopped at any moment: heard in every step, and nothing half-written."""

from __future__ import annotations

import random
import shutil
import sys
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calibstudio.domain.errors import Cancelled
from calibstudio.domain.grouping import Grouping
from calibstudio.domain.grouping_rules import group_frames
from calibstudio.domain.jobs import CancelToken, JobContext, give_way, heeding, import_giving_way
from calibstudio.domain.recipe import Normalization, Recipe, StackSettings
from calibstudio.imaging.combine_share import Space
from calibstudio.services.import_frames import scan
from calibstudio.services.library import Library
from calibstudio.services.masters import build_masters
from calibstudio.services.stack import stack_files
from calibstudio.store.master_read import read_master
from calibstudio.store.publish import publish_file, sha256_of
from tests.helpers.night import Camera, take


class StopsAt(CancelToken):
    """Cancels itself when it is looked at for the n-th time; counts who looks."""

    def __init__(self, at: int | None = None) -> None:
        super().__init__()
        self.at = at
        self.looked = 0
        self.seen_in: Counter[str] = Counter()
        self._counting = threading.Lock()

    def check(self) -> None:
        """As every token, and count."""
        with self._counting:
            self.looked += 1
            frame = sys._getframe(1)
            for _ in range(12):
                if frame is None:
                    break
                self.seen_in[frame.f_code.co_name] += 1
                frame = frame.f_back
            if self.looked == self.at:
                self.cancel()
        super().check()


@pytest.fixture
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small frames have as many bands as large ones."""
    monkeypatch.setattr("calibstudio.domain.planes.BAND_BYTES", 1 << 12)
    monkeypatch.setattr("calibstudio.store.fits_units._BAND_BYTES", 1 << 12)
    monkeypatch.setattr("calibstudio.store.publish._PIECE_BYTES", 1 << 12)


@pytest.fixture
def night(tmp_path: Path) -> Grouping:
    """Biases, darks and flats."""
    camera = Camera()
    folder = tmp_path / "night"
    take(folder, camera, "flat", 3, 2.0, 20_000.0, first=40)
    take(folder, camera, "dark", 3, 60.0, first=20)
    take(folder, camera, "bias", 3, 0.0)
    found = scan(JobContext(), [folder], cache=False)
    return group_frames(found.headers, left_out=found.ungrouped, ignored=found.ignored)


def built(night: Grouping, folder: Path, token: CancelToken) -> dict[str, str]:
    """Build until it is stopped; return the masters of the library, by name."""
    with ExitStack() as stack:
        library = stack.enter_context(Library.open(folder))
        try:
            build_masters(JobContext(token), night, night.headers, library, Recipe())
        except Cancelled:
            assert token.cancelled
        return {record.path.name: record.sha256 for record in library.masters()}


def test_masters_stop_at_any_moment_and_leave_only_what_is_whole(
    night: Grouping, tmp_path: Path, small_bands: None
) -> None:
    empty = tmp_path / "empty"
    Library.open(empty).close()
    counting = StopsAt()
    whole = built(night, tmp_path / "whole", counting)
    # Every step looks, not only those between frames.
    steps = {"measure_frame", "_work", "sha256_of", "normalise_flat", "measure_master"}
    steps |= {"write_units", "find_defects", "judge_set_alone_and_beside"}
    assert steps <= counting.seen_in.keys()
    assert len(whole) == 4
    random_ = random.Random(3)

    for k in sorted(random_.sample(range(1, counting.looked), 8)):
        folder = tmp_path / f"stopped {k}"
        shutil.copytree(empty, folder)
        kept = built(night, folder, StopsAt(k))

        files = [p for p in folder.rglob("*") if p.is_file()]
        assert {p.name for p in files if p.suffix == ".fits"} == kept.keys()
        assert [p for p in files if p.name.endswith((".part", ".tmp"))] == []
        assert kept.items() <= whole.items()
        for path in files:
            if path.suffix == ".fits":
                read_master(path)
    # Gone on with after the last stop, everything is there as if nothing had happened.
    assert built(night, folder, CancelToken()) == whole


def test_a_stack_stops_at_any_moment_and_leaves_nothing(tmp_path: Path, small_bands: None) -> None:
    paths = take(tmp_path / "in", Camera(), "flat", 4, 2.0, 20_000.0)
    out = tmp_path / "out" / "stack.fits"
    out.parent.mkdir()
    settings = StackSettings(normalize=Normalization.MULTIPLICATIVE)
    counting = StopsAt()
    stack_files(JobContext(counting), paths, out, settings)
    out.unlink()

    for k in sorted(random.Random(4).sample(range(1, counting.looked), 10)):
        with pytest.raises(Cancelled):
            stack_files(JobContext(StopsAt(k)), paths, out, settings)
        assert list(out.parent.iterdir()) == []


def test_a_file_is_hashed_in_pieces_that_give_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calibstudio.store.publish._PIECE_BYTES", 100)
    file = tmp_path / "large"
    file.write_bytes(bytes(range(256)) * 10)
    token = StopsAt(3)

    with heeding(token), pytest.raises(Cancelled):
        sha256_of(file)

    assert token.looked == 3


def test_a_disk_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, token = threading.Event(), CancelToken()

    def slow(path: Path) -> None:
        token.cancel()
        answers.wait(30)

    monkeypatch.setattr("calibstudio.store.publish.flush_to_disk", slow)
    with heeding(token), pytest.raises(Cancelled):
        publish_file(tmp_path / "a", lambda path: path.write_bytes(b"1"))

    answers.set()
    assert list(tmp_path.iterdir()) == []


def test_memory_of_another_job_is_not_waited_for_through_a_cancel() -> None:
    space, token = Space(100), CancelToken()
    with space.taken(80):
        threading.Timer(0.01, token.cancel).start()
        with heeding(token), pytest.raises(Cancelled), space.taken(50):
            pass
    assert space.waiting == 0
    with space.taken(100):
        pass


def test_only_the_code_inside_heeds_a_token() -> None:
    token = CancelToken()
    token.cancel()
    give_way()
    with heeding(token):
        with pytest.raises(Cancelled):
            give_way()
        with heeding(None):
            give_way()
        with pytest.raises(Cancelled):
            import_giving_way("no.such.module")
    give_way()
    with pytest.raises(ModuleNotFoundError):
        import_giving_way("no.such.module")
    with heeding(CancelToken()), pytest.raises(ModuleNotFoundError):
        import_giving_way("no.such.module")


def test_a_cancel_in_a_compressed_picture_is_no_damage(tmp_path: Path) -> None:
    from calibstudio.store.pixels import read_image

    path = tmp_path / "packed.fits"
    pixels = np.arange(64 * 64, dtype=np.int16).reshape(64, 64)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)]).writeto(path)
    token = CancelToken()
    token.cancel()

    with heeding(token), pytest.raises(Cancelled):
        read_image(path)
