"""The operator's hand on a running sequence."""

from __future__ import annotations

import threading
import time

from calibstudio.domain.capture import Answer, Question, QuestionKind, SequenceControl

QUESTION = Question(1, QuestionKind.COVER, "Is the telescope covered?")


def test_an_answer_is_taken_once_and_only_for_its_question() -> None:
    control = SequenceControl()

    control.answer(QUESTION, Answer.YES)

    assert control.take_answer(Question(2, QuestionKind.COVER, "Another")) is None
    assert control.take_answer(QUESTION) is Answer.YES
    assert control.take_answer(QUESTION) is None


def test_pause_stop_and_skip_can_be_taken_back_or_are_taken_once() -> None:
    control = SequenceControl()

    control.pause()
    control.stop_after_frame()
    control.skip_wait()

    assert control.paused and control.stopping
    control.resume()
    control.go_on()
    assert not control.paused and not control.stopping
    assert control.take_skip() and not control.take_skip()


def test_reviews_arrive_in_order_and_once() -> None:
    control = SequenceControl()

    control.accept(9)
    control.reject(7)

    assert control.take_reviews() == [(9, True), (7, False)]
    assert control.take_reviews() == []


def test_a_waiting_sequence_wakes_when_something_is_asked_for() -> None:
    control = SequenceControl()
    started = time.monotonic()

    threading.Timer(0.05, control.resume).start()
    control.wait_for_change(20.0)

    assert time.monotonic() - started < 10.0


def test_answers_can_be_given_beforehand_for_sequences_without_a_screen() -> None:
    control = SequenceControl(answers={QuestionKind.COVER: Answer.YES})

    assert control.standing_answer(QuestionKind.COVER) is Answer.YES
    assert control.standing_answer(QuestionKind.FAILURE) is None
