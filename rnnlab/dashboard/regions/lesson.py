"""What a network has learned from labelled drawings: whose child it is, and what was read right before it."""

from __future__ import annotations

import streamlit as st

from rnnlab.dashboard.app_state import app_state
from rnnlab.dashboard.caches import Lesson, lesson_of
from rnnlab.dashboard.text import percent, plain
from rnnlab.runs import Run


def in_lines(run: Run) -> str:
    """Return it in two or three short lines; empty if the run was not taught, or nothing can be said yet."""
    lesson = lesson_of(app_state().store, run)
    if lesson is None:
        return ""
    if lesson.right_now is None:
        lines = [
            f"Child of {lesson.parent}, which read right:",
            f"{lesson.right_before} of the {_drawings(lesson)} that this one learns from",
        ]
    else:
        lines = [
            f"Child of {lesson.parent}. Right before → now:",
            f"{lesson.right_before} → {lesson.right_now} of the {_drawings(lesson)} it learned from",
        ]
    if tests := _tests(lesson, run, 1):
        lines.append(f"{' → '.join(tests)} of the test digits ({run.data.partition(',')[0]})")
    return "\n".join(lines)


def render(run: Run) -> None:
    """Render it in a sentence or two, if there is anything to say."""
    lesson = lesson_of(app_state().store, run)
    if lesson is None:
        return
    before, now = lesson.right_before, lesson.right_now
    words = f"It learns from {_drawings(lesson)}; before, {before} of them were read right."
    if now is not None:
        words = (
            f"Of the {_drawings(lesson)} that it learned from, {before} were read right before, {now} now."
        )
    if tests := _tests(lesson, run, 2):
        shares = [f"{test} {when}" for test, when in zip(tests, ("before", "now"), strict=False)]
        words += f" Of the test digits, which it does not learn from, {', '.join(shares)}."
    st.markdown(plain(words))


def _tests(lesson: Lesson, run: Run, digits: int) -> list[str]:
    """Return the accuracy on the test set before and, unless it trains, now; none if it is not known."""
    before = lesson.test_before
    if before is None:
        return []
    # A parent that trains on was tested some steps before its weights were taken.
    when = f" (step {before.step:,})" if before.step != lesson.start else ""
    tests = [percent(before.accuracy, digits) + when]
    return tests if lesson.right_now is None else [*tests, percent(run.test_accuracy, digits)]


def _drawings(lesson: Lesson) -> str:
    """Return how many drawings there are, with the word for it."""
    return f"{lesson.drawings} drawing{'s' if lesson.drawings != 1 else ''}"
