"""Reading in compiled code gives what reading row by row gives, and leaves what is wrong to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibstudio.domain.errors import FileProblemError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.pixels import FilePlace, PlacedRows, RowSource
from calibstudio.domain.recipe import Rejection, StackSettings
from calibstudio.imaging.combine import ArraySink, combine
from calibstudio.imaging.kernels import positioned_read
from calibstudio.store.pixels import open_rows
from tests.helpers.realistic_stack import combined, realistic_stack, write_frames

SIGMA = StackSettings(reject=Rejection.SIGMA, low=2, high=2)


class Counted:
    """A source that counts what is read from it by Python."""

    def __init__(self, source: RowSource, place: FilePlace | None) -> None:
        self._source = source
        self.name, self.shape, self.stored = source.name, source.shape, source.stored
        self.step_adu = source.step_adu
        self.place = place
        self.n_read = 0

    def read_rows(self, y0: int, y1: int) -> np.ndarray:
        return self._source.read_rows(y0, y1)

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        self.n_read += 1
        self._source.read_raw(y0, y1, buffer)

    def close(self) -> None:
        self._source.close()


def place_of(source: RowSource) -> FilePlace:
    assert isinstance(source, PlacedRows)
    assert source.place is not None
    return source.place


@pytest.mark.skipif(positioned_read() == 0, reason="this system has no positioned read")
@pytest.mark.parametrize("odd", ["all placed", "one is in no file", "one has too long rows"])
def test_rows_are_the_same_whoever_reads_them(tmp_path: Path, odd: str) -> None:
    stack = realistic_stack(9, seed=1, shape=(31, 47))
    expected, _ = combined(stack, SIGMA)
    with_places = [open_rows(path) for path in write_frames(tmp_path / "in", stack)]
    sources = [Counted(source, place_of(source)) for source in with_places]
    if odd == "one is in no file":
        sources[5].place = None
    elif odd == "one has too long rows":
        place = place_of(with_places[5])
        sources[5].place = FilePlace(place.descriptor, place.offset, place.row_bytes + 2)
    sink = ArraySink((31, 47))

    combine(JobContext(), sources, SIGMA, sink, band_rows=4, threads=2)

    np.testing.assert_array_equal(sink.image, expected.image)
    np.testing.assert_array_equal(sink.unc, expected.unc)
    read = [source.n_read for source in sources]
    assert read == ([0] * 9 if odd == "all placed" else [0] * 5 + [8] * 4)
    for source in sources:
        source.close()


def test_a_file_that_became_shorter_is_named(tmp_path: Path) -> None:
    paths = write_frames(tmp_path / "in", realistic_stack(6, seed=1, shape=(200, 300)))
    sources = [open_rows(path) for path in paths]
    with paths[3].open("rb+") as file:
        file.truncate(2880 + 2 * 300 * 120)

    with pytest.raises(FileProblemError, match=r"dark_004\.fits became shorter"):
        combine(JobContext(), sources, SIGMA, ArraySink((200, 300)), band_rows=50)

    for source in sources:
        source.close()
