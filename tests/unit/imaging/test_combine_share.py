"""Stacks side by side, on slow disks, and with files that do not answer."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from calibstudio.domain.errors import Cancelled
from calibstudio.domain.jobs import CancelToken, JobContext
from calibstudio.domain.pixels import ArrayRows
from calibstudio.domain.recipe import StackSettings
from calibstudio.imaging.combine import ArraySink, combine
from calibstudio.imaging.combine_share import Share, Turns
from calibstudio.imaging.kernels import warm_kernels
from tests.helpers.realistic_stack import combined, realistic_stack


class SlowShare:
    """Counts how many bands are being read at a time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0
        self.most = 0
        self._lock = threading.Lock()

    def wait(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self._lock:
            self.now -= 1


class SlowRows(ArrayRows):
    """A frame on a slow share."""

    def __init__(self, pixels: np.ndarray, share: SlowShare) -> None:
        super().__init__(pixels)
        self._share = share

    def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
        self._share.wait()
        super().read_raw(y0, y1, buffer)


def test_a_slow_disk_is_read_ahead_by_a_bounded_number_of_threads() -> None:
    warm_kernels()
    stack = realistic_stack(3, seed=1, shape=(60, 50))
    share = SlowShare(0.01)
    sink = ArraySink((60, 50))

    combine(
        JobContext(),
        [SlowRows(frame, share) for frame in stack],
        StackSettings(),
        sink,
        threads=1,
        band_rows=1,
    )

    np.testing.assert_array_equal(sink.image, combined(stack, StackSettings())[0].image)
    assert 1 < share.most <= 5


def test_a_cancel_does_not_wait_for_a_file_that_does_not_answer() -> None:
    warm_kernels()
    answered = threading.Event()

    class Hanging(ArrayRows):
        def read_raw(self, y0: int, y1: int, buffer: memoryview) -> None:
            answered.wait(20)
            super().read_raw(y0, y1, buffer)

    class Sink(ArraySink):
        closed = False

        def write_rows(self, y0: int, *planes: np.ndarray) -> None:
            assert not self.closed
            super().write_rows(y0, *planes)

    stack = realistic_stack(3, seed=1)
    token = CancelToken()
    threading.Timer(0.2, token.cancel).start()
    sink = Sink((8, 40))

    started = time.perf_counter()
    with pytest.raises(Cancelled):
        combine(JobContext(token), [Hanging(f) for f in stack], StackSettings(), sink)
    sink.closed = True
    took = time.perf_counter() - started
    answered.set()
    for thread in threading.enumerate():
        if thread.name.startswith("stack-"):
            thread.join(5)

    assert took < 5
    assert (sink.cnt == 0).all()


def test_who_comes_first_is_served_first_and_nobody_jumps_the_queue() -> None:
    turns = Turns(1)
    order: list[int] = []

    def work(number: int) -> None:
        with turns.turn():
            order.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    with turns.turn():
        for i, thread in enumerate(threads, 1):
            thread.start()
            while turns.waiting < i:
                time.sleep(0.001)
    with turns.turn():  # Comes after all of them.
        assert order == list(range(8))
    for thread in threads:
        thread.join()


def test_at_most_as_many_have_a_turn_as_there_are_places() -> None:
    turns = Turns(2)
    inside: list[int] = []
    now = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal now
        for _ in range(30):
            with turns.turn():
                with lock:
                    now += 1
                    inside.append(now)
                time.sleep(0.001)
                with lock:
                    now -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert max(inside) == 2


def test_memory_that_nobody_was_promised_is_divided() -> None:
    share = Share(1000)

    with share.memory(None) as first, share.memory(None) as second, share.memory(7) as asked:
        assert (first, second, asked) == (500, 250, 7)
    with share.memory(None) as again:
        assert again == 500


def test_places_that_are_left_to_others_are_given_back() -> None:
    turns = Turns(2)
    turns.leave(5)
    inside, go_on = threading.Semaphore(0), threading.Event()

    def work() -> None:
        with turns.turn():
            inside.release()
            go_on.wait(10)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert inside.acquire(timeout=10)
        while turns.waiting < 2:
            time.sleep(0.001)
        assert not inside.acquire(blocking=False)

        turns.leave(0)

        assert inside.acquire(timeout=10)
        assert turns.waiting == 1
    finally:
        go_on.set()
        for thread in threads:
            thread.join()


def test_a_place_that_is_taken_away_in_mid_turn_is_not_given_on() -> None:
    turns = Turns(2)
    with turns.turn():
        with turns.turn():
            turns.leave(1)
        thread = threading.Thread(target=lambda: turns.turn().__enter__(), daemon=True)
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
        assert turns.waiting == 1
    thread.join(10)
    assert not thread.is_alive()
