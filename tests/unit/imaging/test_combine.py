"""How a combination runs: progress, cancel, memory, errors, and what it reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from calibstudio.domain.errors import CalibrationError, Cancelled, FileProblemError
from calibstudio.domain.jobs import CancelToken, JobContext, Progress
from calibstudio.domain.pixels import ArrayRows, Stored
from calibstudio.domain.recipe import Normalization, Rejection, StackSettings
from calibstudio.imaging.combine import ArraySink, combine, describe_rule
from calibstudio.imaging.kernels import kernels_ready, warm_kernels
from tests.helpers.realistic_stack import combined, realistic_stack


class SlowRows(ArrayRows):
    """Rows from a slow disk, which may do something when they are asked for."""

    def __init__(self, pixels: NDArray[np.uint16], hook: Callable[[int], None]) -> None:
        super().__init__(pixels, "slow.fits")
        self._hook = hook

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        self._hook(y0)
        super().read_raw(y0, y1, buffer)


def test_warm_kernels_are_ready() -> None:
    warm_kernels()

    assert kernels_ready()


def test_progress_rises_to_one_and_says_what_is_done() -> None:
    seen: list[Progress] = []
    stack = realistic_stack(4, seed=1, shape=(40, 50))
    sources = [SlowRows(f, lambda _: time.sleep(0.002)) for f in stack]

    combine(
        JobContext(None, seen.append), sources, StackSettings(), ArraySink((40, 50)), band_rows=1
    )

    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert any(0.0 < f < 1.0 for f in fractions)
    assert all(p.text for p in seen)


def test_a_cancel_is_heard_within_a_third_of_a_second() -> None:
    token = CancelToken()
    # The slowest rule on many values: minutes of work.
    frame = np.random.default_rng(1).integers(0, 1000, (400, 500)).astype(np.uint16)
    sources = [ArrayRows(np.roll(frame, i)) for i in range(60)]
    settings = StackSettings(reject=Rejection.LINEAR_FIT, low=1, high=1)
    warm_kernels()
    asked: list[float] = []

    def cancel() -> None:
        asked.append(time.perf_counter())
        token.cancel()

    timer = threading.Timer(0.3, cancel)
    timer.start()
    with pytest.raises(Cancelled):
        combine(JobContext(token), sources, settings, ArraySink((400, 500)))
    took = time.perf_counter() - asked[0]

    assert took < 0.3 + 0.7  # Half of the allowance is for a busy test machine.
    assert not [t for t in threading.enumerate() if t.name.startswith("stack-")]


def test_an_error_of_a_file_stops_all_threads_and_is_raised() -> None:
    stack = realistic_stack(4, seed=2, shape=(60, 50))

    def fail(y0: int) -> None:
        if y0 >= 30:
            raise FileProblemError("b.fits became shorter while it was read.")

    sources = [ArrayRows(stack[0]), SlowRows(stack[1], fail), *map(ArrayRows, stack[2:])]

    with pytest.raises(FileProblemError, match=r"b\.fits became shorter"):
        combine(JobContext(), sources, StackSettings(), ArraySink((60, 50)), band_rows=2)

    assert not [t for t in threading.enumerate() if t.name.startswith("stack-")]


def test_an_error_of_the_sink_is_raised_too() -> None:
    class Full:
        def write_rows(self, *_: object) -> None:
            raise OSError(28, "No space left on device")

    stack = realistic_stack(3, seed=2)
    with pytest.raises(OSError, match="No space left"):
        combine(JobContext(), [ArrayRows(f) for f in stack], StackSettings(), Full())


def test_little_memory_means_smaller_bands_and_the_same_result() -> None:
    stack = realistic_stack(20, seed=3, shape=(30, 400))

    rich, _ = combined(stack, StackSettings())
    poor, _ = combined(stack, StackSettings(), memory_bytes=100_000, threads=2)

    np.testing.assert_array_equal(rich.image, poor.image)
    np.testing.assert_array_equal(rich.unc, poor.unc)


def test_too_little_memory_is_refused_in_a_sentence() -> None:
    stack = realistic_stack(20, seed=3, shape=(8, 400))

    with pytest.raises(CalibrationError, match="20 frames of 400 × 8 pixels cannot be") as caught:
        combined(stack, StackSettings(), memory_bytes=1000)
    assert "Allow at least" in caught.value.hint


def test_frames_of_another_size_are_named() -> None:
    sources = [ArrayRows(np.zeros((4, 5)), "a.fits"), ArrayRows(np.zeros((5, 4)), "b.fits")]

    with pytest.raises(CalibrationError, match=r"b\.fits is 4 × 5 pixels, but a\.fits is 5 × 4"):
        combine(JobContext(), sources, StackSettings(), ArraySink((4, 5)))


@pytest.mark.parametrize("n", [0, 501])
def test_no_frame_and_too_many_frames_are_refused(n: int) -> None:
    with pytest.raises(CalibrationError):
        combine(JobContext(), [ArrayRows(np.zeros((1, 1)))] * n, StackSettings(), ArraySink((1, 1)))


def test_a_single_frame_is_itself_without_uncertainty() -> None:
    stack = realistic_stack(1, seed=4)

    result, _ = combined(stack, StackSettings())

    np.testing.assert_array_equal(result.image, stack[0])
    assert np.isnan(result.unc).all()
    assert (result.cnt == 1).all()


def test_wrong_lists_are_mistakes_of_the_caller() -> None:
    stack = realistic_stack(3, seed=4)

    for wrong in ({"scales": [1.0]}, {"offsets": [0.0] * 4}, {"subtract": [np.zeros((1, 1))] * 3}):
        with pytest.raises(ValueError, match="frames"):
            combined(stack, StackSettings(), **wrong)
    with pytest.raises(ValueError, match="normalisation"):
        combined(stack, StackSettings(normalize=Normalization.MULTIPLICATIVE))


def test_a_frame_that_loses_too_much_is_marked() -> None:
    rng = np.random.default_rng(5)
    stack = rng.normal(1000, 7, (12, 40, 50))
    stack[4, :4] += 500  # A tenth of one frame.
    stack = np.rint(stack).astype(np.uint16)

    _, report = combined(stack, StackSettings())

    assert [frame.name for frame in report.marked] == ["frame 5"]
    assert report.frames[4].rejected_high >= 200
    assert report.frames[4].fraction == pytest.approx(0.1, abs=0.01)
    assert 0 < report.expected_share < 0.02
    assert report.n_rejected_high == sum(f.rejected_high for f in report.frames)


def test_values_of_equal_frames_are_counted_once_each() -> None:
    pixel = np.array([10, 10, 1000, 1001, 1002, 1003, 5000, 5000, 5000], np.uint16)
    stack = np.repeat(pixel[:, None, None], 70, axis=2)

    _, report = combined(stack, StackSettings(reject=Rejection.MINMAX, low=2, high=2))

    counts = [(f.rejected_low, f.rejected_high) for f in report.frames]
    assert counts == [(70, 0)] * 2 + [(0, 0)] * 4 + [(0, 70)] * 2 + [(0, 0)]


def test_mixed_types_are_combined_as_numbers() -> None:
    stack = realistic_stack(3, seed=6).astype(np.float64)
    sources = [
        ArrayRows(stack[0].astype(np.uint16)),
        ArrayRows(stack[1].astype(np.float32)),
        ArrayRows(stack[2]),
    ]
    sink = ArraySink(stack.shape[1:])

    report = combine(JobContext(), sources, StackSettings(reject=Rejection.NONE), sink)

    assert [s.stored for s in sources] == [Stored.UINT16, Stored.FLOAT32, Stored.OTHER]
    np.testing.assert_allclose(sink.image, stack.mean(axis=0), rtol=2e-7)
    assert not report.exact


def test_the_report_says_how_frames_were_combined() -> None:
    _, report = combined(realistic_stack(12, seed=7), StackSettings())

    assert describe_rule(report.settings) == "mean, Winsorized sigma clip 4 low, 3 high"
    assert report.n_frames == 12
    assert report.shape == (8, 40)
    assert report.megapixels == pytest.approx(12 * 320 / 1e6)
    assert report.seconds > 0
