"""Pictures of the live view beside a stack: both get on."""

from __future__ import annotations

import threading
import time

from calibstudio.gui.picture.newest import HeavyTurn
from calibstudio.imaging.combine_share import Turns


def test_a_stack_gets_on_beside_pictures_that_take_long() -> None:
    turns = Turns(1)
    heavy = HeavyTurn(turns, 1)
    end = time.monotonic() + 0.8
    count = {"picture": 0, "band": 0}

    def pictures() -> None:
        while time.monotonic() < end:
            with heavy.turn():
                time.sleep(0.04)
                count["picture"] += 1

    def bands() -> None:
        while time.monotonic() < end:
            with turns.turn():
                time.sleep(0.001)
                count["band"] += 1

    # Two of each, so that somebody of either waits at any time.
    threads = [threading.Thread(target=work) for work in (pictures, bands, pictures, bands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count["picture"] >= 3
    assert count["band"] > 4 * count["picture"]


def test_pictures_do_not_rest_while_nobody_waits() -> None:
    heavy = HeavyTurn(Turns(1), 1)
    with heavy.turn():
        time.sleep(0.2)

    began = time.monotonic()
    with heavy.turn():
        assert time.monotonic() - began < 0.15
