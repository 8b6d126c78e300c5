"""The log file: rotated, never without a bound, and never in the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from calibstudio.services.logs import log_folder, start_logging


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    root = logging.getLogger("calibstudio")
    before, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    root.handlers[:] = before
    root.setLevel(level)


def test_the_log_file_is_rotated_and_its_newest_lines_are_kept() -> None:
    file = start_logging()
    log = logging.getLogger("calibstudio.tests.rotation")
    line = "x" * 10_000

    for number in range(1100):
        log.info("%05d %s", number, line)

    assert file is not None and file.parent == log_folder()
    files = sorted(file.parent.glob("calibstudio.log*"))
    assert len(files) == 5
    assert all(f.stat().st_size <= 2_000_000 for f in files)
    kept = [text for f in files for text in f.read_text(encoding="utf-8").splitlines()]
    numbers = sorted(int(text.split(": ")[1][:5]) for text in kept)
    assert numbers == list(range(numbers[0], 1100))
    assert len(numbers) > 700


def test_a_second_start_goes_on_in_the_same_file_and_writes_each_line_once() -> None:
    first = start_logging()
    logging.getLogger("calibstudio.tests.one").info("before")

    second = start_logging("debug")
    logging.getLogger("calibstudio.tests.two").debug("after")

    assert first == second and first is not None
    words = [text.split(": ")[1] for text in first.read_text(encoding="utf-8").splitlines()]
    assert words == ["before", "after"]


def test_without_a_place_for_the_log_the_program_goes_on() -> None:
    folder = log_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")

    assert start_logging() is None
    logging.getLogger("calibstudio.tests.three").info("not lost on anybody")


def test_what_is_asked_for_is_also_written_to_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_logging("warning", to_terminal=True)

    logging.getLogger("calibstudio.tests.four").info("quiet")
    logging.getLogger("calibstudio.tests.four").warning("loud %s", Path("a"))

    err = capsys.readouterr().err
    assert "loud a" in err and "quiet" not in err
