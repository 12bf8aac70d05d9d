"""The pages, run by Streamlit's own `AppTest`: what they show for what the store holds."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rnnlab.config import HYPERPARAMETERS, Config
from rnnlab.dashboard import app_state
from rnnlab.dashboard.regions.live import live_interval, page_is_outdated
from rnnlab.dashboard.regions.run_buttons import ADJUST_KEY
from rnnlab.dashboard.session import PEN_KEY, PEN_WIDTHS
from rnnlab.presets import config_from
from rnnlab.runs import RunState, TestPoint
from rnnlab.store.database import StoreError
from rnnlab.store.store import Store
from rnnlab.worker.launcher import LocalLauncher
from tests.pages import APP, add_run, address, component, key_now, lab, preset_box, shown, texts

pytestmark = pytest.mark.usefixtures("no_workers")


def test_before_any_run_the_page_says_so_and_offers_to_start_one(no_workers: list[str], store: Store) -> None:
    app = lab()
    assert "No network has been trained yet" in texts(app)
    app.button(key="start_first").click().run()
    shown(app)
    assert [run.config for run in store.runs()] == [Config()]
    assert no_workers
    assert address(app)["run"] == store.runs()[0].id


def test_a_read_only_page_without_a_run_offers_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNNLAB_READ_ONLY", "1")
    app = lab()
    assert "Watching only" in texts(app)
    assert not [button.key for button in app.button if str(button.key).startswith("start")]


def test_every_hyperparameter_has_a_control_with_its_bounds() -> None:
    app = lab()
    numbers = {number.label: (number.min, number.max, number.value) for number in app.number_input}
    assert numbers == {
        "batch size (images)": (8, 1024, 128),
        "neurons": (8, 512, 128),
        "layers": (1, 3, 1),
        "iterations (steps)": (20, 200_000, 20_000),
        "random seed": (0, 2**31 - 1, 0),
        "warm-up (steps)": (0, 10_000, 0),
        "weight averaging (steps)": (0, 10_000, 0),
        "stop at test accuracy": (0.0, 1.0, 0.0),
        "patience (tests)": (0, 1000, 0),
        "minutes of training": (0.0, 10_080.0, 0.0),
    }
    rates = [float(option) for option in app.select_slider(key="control_learning_rate").options]
    assert (rates[0], rates[-1]) == (1e-5, 1.0)


def test_start_takes_the_values_of_the_controls(store: Store) -> None:
    app = lab()
    app.number_input(key="control_neurons").set_value(32)
    app.select_slider(key="control_learning_rate").set_value(0.01)
    app.button(key="start").click().run()
    shown(app)
    assert store.runs()[0].config == config_from({"neurons": 32, "learning_rate": 0.01})


def test_a_preset_sets_the_controls_and_a_changed_control_makes_it_changed(store: Store) -> None:
    app = lab()
    preset_box(app).select("notebook").run()
    assert app.selectbox(key_now(app, "control_initializers")).value == "notebook"
    app.number_input(key="control_neurons").set_value(64).run()
    assert preset_box(shown(app)).value == "notebook, changed"
    app.button(key="start").click().run()
    assert store.runs()[0].config == config_from({"neurons": 64}, "notebook")


def test_hyperparameters_in_the_url_set_the_controls() -> None:
    app = lab(preset="notebook", learning_rate="0.0123", batch_size="64")
    assert app.select_slider(key="control_learning_rate").value == 0.0123
    assert app.number_input(key="control_batch_size").value == 64
    assert app.selectbox(key="control_initializers").value == "notebook"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("learning_rate", "fast", "learning rate must be a number from 1e-05 to 1"),
        ("batch_size", "1e9", "batch size must be a whole number from 8 to 1,024"),
        ("preset", "<script>", "preset must be one of default, quick, best, notebook"),
        ("run", "../../etc/passwd", "There is no run called"),
        ("run", "**bold** [a](http://x)", "There is no run called"),
    ],
)
def test_a_bad_value_in_the_url_gets_one_sentence_and_starts_nothing(
    store: Store, no_workers: list[str], name: str, value: str, said: str
) -> None:
    run = add_run(store)
    app = lab(**{name: value})
    assert len(app.warning) == 1
    assert said in app.warning[0].value.replace("\\", "")
    assert "](" not in app.warning[0].value
    assert run.id in texts(app).replace("\\", "")
    assert len(store.runs()) == 1
    assert no_workers == []
    assert list(app.run().warning) == []


def test_a_training_run_is_shown_with_its_step_speed_and_accuracies(store: Store) -> None:
    run = add_run(store)
    store.reports.add_test(run.id, TestPoint(40, 0.456))
    app = lab()
    assert "step 41 of 20,000, 20 steps/s, 16 min 38 s left" in texts(app)
    assert {metric.label: metric.value for metric in app.metric} == {
        "batch accuracy": "30.0 %",
        "test accuracy": "45.6 %",
    }
    lines = component(app, "curve")["figure"]["data"]
    assert [line["name"] for line in lines] == ["each batch", "mean of 5 readings", "test set"]


def test_the_run_in_the_url_is_shown_even_if_another_one_trains(store: Store) -> None:
    first = add_run(store)
    store.reports.end_run(first.id, RunState.FINISHED)
    add_run(store)
    app = lab(run=first.id)
    assert first.id in texts(app).replace("\\", "")
    assert "Watch live" in [button.label for button in app.button]


def test_another_visitor_sees_the_run_that_is_going_on(store: Store) -> None:
    run = add_run(store)
    assert address(lab())["run"] == address(lab())["run"] == run.id


def test_stop_asks_the_run_on_show_to_stop(store: Store) -> None:
    run = add_run(store)
    app = lab()
    app.button[[button.label for button in app.button].index("Stop")].click().run()
    shown(app)
    assert store.reports.pending_requests(run.id).stop


@pytest.mark.parametrize(
    ("state", "word"),
    [(RunState.FAILED, "failed"), (RunState.DIVERGED, "diverged"), (RunState.INTERRUPTED, "interrupted")],
)
def test_what_went_wrong_is_said_in_one_sentence(store: Store, state: RunState, word: str) -> None:
    run = add_run(store)
    store.reports.end_run(run.id, state, message="The <b>data</b> is damaged.")
    app = lab()
    assert word in texts(app)
    assert [error.value.replace("\\", "") for error in app.error] == ["The <b>data</b> is damaged."]
    assert "<b>" not in app.error[0].value


def test_a_change_on_the_way_is_marked_on_the_curve_and_told(store: Store) -> None:
    run = add_run(store)
    store.requests.change(run.id, {"learning_rate": 0.01})
    assert "requested: learning rate 0.01" in texts(lab())
    store.reports.take_changes(run.id, 41)
    curve = component(lab(), "curve")
    assert [shape["x0"] for shape in curve["figure"]["layout"]["shapes"]] == [41]
    assert [mark["text"] for mark in curve["figure"]["layout"]["annotations"]] == ["learning rate 0.01"]
    assert "From step 41 on: learning rate 0.01." in curve["description"]


def test_buttons_ask_what_they_say_of_the_run_on_show(store: Store) -> None:
    run = add_run(store)
    app = lab()
    app.button(key="run_pause").click().run()
    assert store.reports.pending_requests(run.id).pause_at == 0
    assert "pausing" in texts(shown(app))
    store.reports.set_paused(run.id)
    app = lab()
    app.button(key="run_step").click().run()
    assert "going on" in texts(app)
    assert store.reports.pending_requests(run.id).pause_at == store.run(run.id).step + 20
    lab().button(key="run_resume").click().run()
    assert store.reports.pending_requests(run.id).pause_at is None


def test_a_page_that_still_shows_another_run_than_its_visitor_started_is_outdated(store: Store) -> None:
    shown_run, started = add_run(store), store.create_run(Config())
    assert not page_is_outdated(shown_run, shown_run, shown_run.id)
    assert page_is_outdated(shown_run, shown_run, started.id)
    store.reports.end_run(shown_run.id, RunState.FINISHED)
    assert page_is_outdated(shown_run, store.run(shown_run.id), shown_run.id)
    assert page_is_outdated(None, started, None)
    assert not page_is_outdated(None, None, None)


def test_a_request_from_before_the_url_changed_does_not_bring_back_the_run_of_before(store: Store) -> None:
    first = add_run(store)
    app = lab(run=first.id)
    app.button(key="start").click().run()
    assert app.query_params["run"] == first.id  # the browser has not heard of the new one
    assert address(shown(app))["run"] == store.runs()[0].id != first.id
    assert address(app.run())["run"] == store.runs()[0].id


def test_the_more_is_watched_the_less_often_each_part_gets_an_update(store: Store) -> None:
    begun = add_run(store)
    waiting = store.create_run(Config())
    assert [live_interval(begun, regions) for regions in (1, 25, 26, 75, 76)] == [1, 1, 2, 3, 4]
    assert [live_interval(waiting, regions) for regions in (1, 2, 3, 7, 8, 26)] == [0.1, 0.1, 0.3, 0.3, 1, 2]
    waiting = replace(waiting, queued=time.time() - 60)
    assert [live_interval(waiting, regions) for regions in (1, 7, 8, 26)] == [0.3, 0.3, 1, 2]
    store.reports.end_run(begun.id, RunState.FINISHED)
    assert live_interval(store.run(begun.id), 50) is None


def test_a_click_that_the_store_cannot_follow_is_said_in_one_sentence(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StoreError("The runs cannot be read or written: the disk is full; free some space.")

    monkeypatch.setattr(Store, "create_run", full)
    app = lab()
    app.button(key="start").click()
    shown(app.run())
    assert any("the disk is full" in plain.value.replace("\\", "") for plain in app.warning)


def test_what_cannot_be_written_meanwhile_is_said_until_it_can(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise StoreError("The disk is full.")

    add_run(store)
    monkeypatch.setattr(LocalLauncher, "reap", full)
    monkeypatch.setattr(
        "rnnlab.dashboard.app_state.REAP_INTERVAL", 0.0
    )  # the workers are checked immediately
    assert any("disk is full" in error.value for error in lab().error)
    monkeypatch.setattr(LocalLauncher, "reap", lambda _: None)
    assert not lab().error


def test_the_controls_of_a_run_show_what_is_after_somebody_else_has_changed_it(store: Store) -> None:
    run = add_run(store)
    app = lab()
    store.requests.change(run.id, {"learning_rate": 0.01})
    store.reports.take_changes(run.id, 41)
    assert not [each for each in app.select_slider if str(each.key).startswith("adjust")]  # it is closed
    app.session_state[ADJUST_KEY] = {"is_shown": True}
    app.run()
    (rate,) = [each for each in app.select_slider if str(each.key).startswith("adjust_learning_rate")]
    assert rate.value == 0.01
    assert app.button(key="adjust_apply").disabled


def test_a_page_to_watch_on_starts_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    for name in ("wake", "reap"):
        monkeypatch.setattr(LocalLauncher, name, lambda _, name=name: started.append(name))
    monkeypatch.setenv("RNNLAB_READ_ONLY", "1")
    lab()
    assert started == []
    monkeypatch.delenv("RNNLAB_READ_ONLY")
    app_state._app_state_of.cache_clear()
    lab()
    assert "reap" in started


def test_fewer_steps_than_to_a_report_that_are_left_are_offered(store: Store) -> None:
    run = add_run(store)
    store.files(run.id).checkpoint.write_bytes(b"")
    store.reports.end_run(run.id, RunState.STOPPED, step=19_981)
    field = shown(lab()).number_input(key=f"further_{run.id}_19981")
    assert (field.min, field.value) == (19, 19)


def test_more_iterations_than_a_run_may_have_are_not_offered(store: Store) -> None:
    run = add_run(store)
    store.files(run.id).checkpoint.write_bytes(b"")
    store.reports.end_run(run.id, RunState.FINISHED, step=199_900)
    app = lab()
    field = app.number_input(key=f"further_{run.id}_199900")
    assert (field.min, field.max) == (20, 100)


def test_which_data_is_in_use_is_visible(store: Store) -> None:
    run = add_run(store)
    store.reports.set_data(run.id, "digits", "bundled digits, 1,797 digits", "MNIST could not be downloaded.")
    app = lab()
    assert "bundled digits" in texts(app)
    assert any("could not be downloaded" in warning.value for warning in app.warning)


def test_the_runs_page_lists_every_run_with_its_hyperparameters(store: Store) -> None:
    def page() -> None:
        from rnnlab.dashboard.pages import runs_page

        runs_page.render()

    assert "no run yet" in texts(shown(AppTest.from_function(page).run()))
    for _ in range(3):
        add_run(store)
    table = shown(AppTest.from_function(page).run()).dataframe[0].value
    assert list(table["run"]) == [run.id for run in store.runs()]
    assert {"state", "test accuracy", "batch accuracy", "learning rate", "neurons", "training time"} <= set(
        table.columns
    )


def test_the_guide_explains_every_setting() -> None:
    def page() -> None:
        from rnnlab.dashboard.pages import guide_page

        guide_page.render()

    words = texts(shown(AppTest.from_function(page).run()))
    assert "forget gate" in words
    assert "learning rate" in words


def test_a_home_that_cannot_be_opened_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    monkeypatch.setenv("RNNLAB_HOME", str(file))
    app = lab()
    assert len(app.error) == 1
    assert "cannot be opened" in app.error[0].value


@pytest.mark.slow
def test_the_dashboard_never_loads_tensorflow(store: Store) -> None:
    """Not even while it shows a run, reads a drawing, lists the history, and evaluates."""
    store.reports.end_run(add_run(store, config_from({"dataset": "digits"})).id, RunState.FINISHED)
    code = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "from tests.pages import component, drawn\n"
        f"app = AppTest.from_file({str(APP)!r}, default_timeout=30)\n"
        "app.session_state['rnnlab_session'] = drawn()\n"
        "assert 'beliefs' in component(app.run(), 'belief') and not app.exception\n"
        "page = 'from rnnlab.dashboard.pages import {0}; {0}.render()'\n"
        "history = AppTest.from_string(page.format('runs_page')).run()\n"
        "assert history.dataframe and not history.exception\n"
        "evaluated = AppTest.from_string(page.format('evaluation_page'), default_timeout=30).run()\n"
        "assert evaluated.metric and not evaluated.exception\n"
        "print(*(name for name in ('tensorflow', 'keras', 'sklearn') if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=APP.parent
    )
    assert done.stdout.split() == []


def test_one_thread_reads_and_one_renders_for_a_visitor_and_no_garbage_is_collected_after_updates() -> None:
    code = (
        "from streamlit.testing.v1 import AppTest\n"
        "from streamlit import config\n"
        "from threadpoolctl import threadpool_info\n"
        f"assert not AppTest.from_file({str(APP)!r}, default_timeout=30).run().exception\n"
        "print({each['num_threads'] for each in threadpool_info() if each['user_api'] == 'blas'})\n"
        "config.get_config_options(force_reparse=True)\n"
        "print(config.get_option('runner.postScriptGC'), config.get_option('runner.fastReruns'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=APP.parent
    )
    assert done.stdout.splitlines() == ["{1}", "False False"]


def test_every_rendering_tells_the_browser_the_values_of_all_controls() -> None:
    """If only the first did, and the browser never got that one, it would show and send values of its own."""
    app = lab(neurons="72", learning_rate="0.0003", shift="1.5", dataset="digits")
    app.run()
    assert not app.exception
    assert app.number_input("control_neurons").proto.default == 72
    assert app.slider("control_shift").proto.default == [1.5]
    assert app.text_input("control_learning_rate_typed").proto.default == "0.0003"
    rate = app.select_slider("control_learning_rate").proto
    assert rate.options[int(rate.default[0])] == "0.0003"
    dataset = app.selectbox("control_dataset").proto
    assert dataset.default == list(HYPERPARAMETERS["dataset"].choices).index("digits")
    assert app.slider(PEN_KEY).proto.default == [PEN_WIDTHS[1]]
