"""A run that a rule ends, with a real worker in a real browser: from its address to the mark on its curve."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rnnlab.model.architecture import Architecture
from rnnlab.store.store import Store
from tests import dashboard
from tests.waiting import wait_for
from tests.weights import random_weights_of
from tests.workers import workers_of

pytestmark = pytest.mark.slow

SETTINGS = "dataset=digits&neurons=8&batch_size=1024&learning_rate=1.0&optimizer=sgd&iterations=20000"
"""A test comes after every 120 steps of these, and after some tests the run gets no better."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with dashboard.dashboard({"RNNLAB_HOME": str(home), "RNNLAB_WORKER_IDLE_SECONDS": "100"}) as (address, _):
        yield address
    for worker in workers_of(home):
        worker.kill()


def mark(page: Page) -> dict[str, object]:
    """Return the words beside the last line across the curve, and where both are."""
    found: dict[str, object] = page.evaluate(
        "() => { const l = document.querySelector('.rnnlab-plot')?.layout ?? {};"
        " const line = l.shapes?.at(-1), words = l.annotations?.at(-1);"
        " return line ? {at: line.x0, words: words.text, beside: words.x} : {} }"
    )
    return found


def test_a_run_ends_by_the_rule_in_its_address_and_its_curve_says_so(
    page: Page, url: str, home: Path
) -> None:
    dashboard.ready(page, f"{url}/?{SETTINGS}&minutes=0.02&stop_at=1")
    dashboard.start_button(page).click()
    expect(page.locator(".st-key-status")).to_contain_text("finished")
    expect(page.locator(".st-key-lab_messages")).to_contain_text("it has trained for 0.02 minutes")
    wait_for(lambda: mark(page), "the mark on the curve")
    with Store(home) as store:
        run = store.runs()[0]
    assert run.ended_by == "minutes"
    assert mark(page) == {"at": run.step, "words": "ended: 0.02 minutes of training", "beside": run.step}
    page.get_by_role("button", name="Train further").click()
    expect(page.get_by_text("no longer counts then")).to_be_visible()
    more = page.get_by_test_id("stPopoverBody").get_by_label("more iterations (steps)")
    more.fill("40")
    more.press("Enter")
    page.get_by_role("button", name="Go on").click()
    with Store(home) as store:
        wait_for(lambda: store.run(run.id).step == run.step + 40, "the further steps")
        assert store.run(run.id).ended_by == ""
    wait_for(
        lambda: mark(page).get("words") == f"iterations {run.step + 40:,}, minutes of training off", "it"
    )


def test_the_switch_under_the_drawing_reads_with_the_best_weights(page: Page, url: str, home: Path) -> None:
    run = dashboard.add_ended_run(home)
    with Store(home) as store:
        store.files(run).best.save(random_weights_of(Architecture(neurons=16), scale=2.0), 10)
    dashboard.ready(page, f"{url}/?run={run}")
    dashboard.draw(page, "0")
    note = page.locator(".panel")
    expect(note).to_contain_text("Read with the weights of step 20")
    before = page.locator(".st-key-canvas").bounding_box()
    page.get_by_text("Best weights: step 10").click()
    expect(note).to_contain_text("Read with the weights of step 10")
    assert page.locator(".st-key-canvas").bounding_box() == before
