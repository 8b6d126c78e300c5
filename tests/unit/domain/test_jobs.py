"""Progress and cancel without Qt."""

from __future__ import annotations

import threading
import time

import pytest

from calibstudio.domain.errors import Cancelled
from calibstudio.domain.jobs import CancelToken, JobContext, Progress, TimeToGo, throttled


def test_a_cancel_wakes_a_wait_at_once():
    token = CancelToken()
    threading.Timer(0.05, token.cancel).start()
    start = time.monotonic()

    with pytest.raises(Cancelled):
        token.wait(30.0)

    assert time.monotonic() - start < 5.0


def test_progress_is_where_a_cancel_takes_effect_but_not_at_the_end():
    seen: list[Progress] = []
    token = CancelToken()
    ctx = JobContext(token, seen.append)
    ctx.progress(0.5, "half")
    token.cancel()

    with pytest.raises(Cancelled):
        ctx.progress(0.6)
    ctx.progress(1.0, "done")

    assert seen == [Progress(0.5, "half"), Progress(1.0, "done")]


def test_parts_count_from_0_to_1_and_fill_their_share_of_the_whole():
    seen: list[Progress] = []
    first, second = JobContext(report=seen.append).split(1, 3)

    first.progress(1.0)
    second.progress(0.5)

    assert [p.fraction for p in seen] == [0.25, 0.625]


def test_a_report_is_throttled_but_the_last_always_passes():
    now = 0.0
    seen: list[float] = []
    report = throttled(lambda p: seen.append(p.fraction), per_second=10, clock=lambda: now)

    report(Progress(0.1))
    report(Progress(0.2))
    now = 0.2
    report(Progress(0.3))
    report(Progress(1.0))

    assert seen == [0.1, 0.3, 1.0]


def test_time_to_go_is_not_said_before_it_is_known():
    now = 0.0
    to_go = TimeToGo(clock=lambda: now)

    assert to_go.seconds(0.5) is None
    now = 10.0
    assert to_go.seconds(0.01) is None
    assert to_go.seconds(0.25) == pytest.approx(30.0)
