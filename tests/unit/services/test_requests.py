"""The queue of requests: urgency, the journal, and a lost database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from calibstudio.domain.errors import UsageError, WriteProblemError
from calibstudio.domain.jobs import JobContext
from calibstudio.domain.kinds import FrameKind
from calibstudio.domain.requests import RequestState, RequestWish
from calibstudio.domain.run_config import CameraWish
from calibstudio.services.library import Library
from calibstudio.services.library_care import rebuild
from calibstudio.services.request_policies import last_carried_out, read_policies
from calibstudio.services.requests import (
    ask_for,
    cancel,
    carrying_out,
    give_back,
    move,
    requests_of,
    set_priority,
)

BIAS = RequestWish(FrameKind.BIAS, 10)
DARK = RequestWish(FrameKind.DARK, 20, 300.0, camera=CameraWish(gain=100, set_temp_c=-10.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "library"


@pytest.fixture
def library(folder: Path) -> Iterator[Library]:
    with Library.open(folder) as opened:
        yield opened


def test_the_more_urgent_is_taken_first_and_only_what_waits_can_become_more_urgent(
    library: Library,
) -> None:
    first, second = ask_for(library, BIAS), ask_for(library, DARK)
    set_priority(library, second.id, 80)

    assert [r.id for r in requests_of(library)] == [second.id, first.id]
    cancel(library, first.id)
    with pytest.raises(UsageError, match="is cancelled, so it cannot be given another priority"):
        set_priority(library, first.id, 90)
    with pytest.raises(UsageError, match="from 0 to 100"):
        set_priority(library, second.id, 101)


def test_a_lost_database_has_every_request_again(library: Library, folder: Path) -> None:
    ask_for(library, BIAS)
    dark = ask_for(library, DARK, 70, policy="darks", item="300", night=date(2026, 4, 17))
    flat = ask_for(library, RequestWish(FrameKind.FLAT, 32, filter="Hα"))
    failed, running = ask_for(library, BIAS), ask_for(library, BIAS, 10)
    move(library, dark, RequestState.QUEUED, RequestState.RUNNING)
    move(library, dark, RequestState.RUNNING, RequestState.DONE, "20 good frames.", "/n/s.jsonl")
    cancel(library, flat.id)
    move(library, failed, RequestState.QUEUED, RequestState.RUNNING)
    move(library, failed, RequestState.RUNNING, RequestState.ERROR, "The camera is gone.")
    set_priority(library, running.id, 90)
    move(library, running, RequestState.QUEUED, RequestState.RUNNING)
    before = requests_of(library)
    library.close()
    (folder / "library.sqlite").unlink()

    rebuild(JobContext(), folder)

    with Library.open(folder) as again:
        after = requests_of(again)
        assert ask_for(again, BIAS).id == max(r.id for r in before) + 1
    known = {r.id: r for r in before}
    assert {r.id for r in after} == set(known)
    for request in after:
        was = known[request.id]
        # What was running when the computer was lost waits again.
        lost = was.state is RequestState.RUNNING
        assert request.state is (RequestState.QUEUED if lost else was.state)
        assert (request.wish, request.priority, request.policy, request.item, request.night) == (
            was.wish, was.priority, was.policy, was.item, was.night
        )  # fmt: skip
        assert (request.reason, request.sequence) == (was.reason, was.sequence)


def test_rebuilding_a_sound_library_leaves_the_queue_as_it_is(
    library: Library, folder: Path
) -> None:
    request = ask_for(library, BIAS)
    move(library, request, RequestState.QUEUED, RequestState.RUNNING)
    before = requests_of(library)

    rebuild(JobContext(), folder)

    assert requests_of(library) == before


def test_a_request_that_the_journal_cannot_take_does_not_count(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_more: object) -> None:
        raise WriteProblemError("The disk is full.", hint="Free some space.")

    kept = ask_for(library, BIAS)
    monkeypatch.setattr(library.journal, "append", full)

    for act in (
        lambda: ask_for(library, DARK),
        lambda: cancel(library, kept.id),
        lambda: set_priority(library, kept.id, 99),
    ):
        with pytest.raises(WriteProblemError):
            act()
    assert requests_of(library) == (kept,)


def test_what_a_killed_program_left_waits_again_and_says_so(library: Library) -> None:
    request = ask_for(library, BIAS)
    move(library, request, RequestState.QUEUED, RequestState.RUNNING)

    with carrying_out(library):
        (left,) = requests_of(library)

    assert (left.state, left.reason) == (RequestState.QUEUED, "It was cut off.")
    cancel(library, left.id)
    assert give_back(library, left.id).state is RequestState.QUEUED


def test_policies_say_what_they_bring_and_when_they_were_carried_out(library: Library) -> None:
    file = library.folder / "policies.yaml"
    file.write_text(
        "calibstudio: 1\nlights: .\npolicies:\n"
        "  - {name: biases, take: bias, frames: 10, every: night}\n"
        "  - {name: flats, take: flat, frames: 32, every: 7 days, filters: used}\n"
        "  - {name: darks, take: dark, every: 30 days, exposures: [60, 300]}\n"
    )
    policies = read_policies(file)
    for _ in range(2):
        done = ask_for(library, BIAS, policy="biases", night=date(2026, 4, 17))
        move(library, done, RequestState.QUEUED, RequestState.DONE)
    ask_for(library, DARK, policy="darks", item="300")

    last = last_carried_out(library, policies)

    assert [p.words for p in policies.policies] == [
        "10 × Bias, every night",
        "32 × Flat, filters of the lights, every 7 days",
        "20 × Dark, 60\u202fs, 300\u202fs, every 30 days",
    ]
    assert last["flats"] is None and last["darks"] is None
    assert last["biases"] is not None and last["biases"].id == 2
