from __future__ import annotations

import json

import numpy as np
import pytest

from rnnlab.config import Config
from rnnlab.config_changes import Change
from rnnlab.dashboard.caches import CurveCache
from rnnlab.dashboard.charts.curve_data import (
    EMPTY_CURVE,
    MAX_POINTS_DRAWN,
    downsample,
    moving_average,
)
from rnnlab.dashboard.charts.training_curve import (
    curve_lines,
    describe_change,
    describe_end,
    training_curve_figure,
    training_curve_json,
)
from rnnlab.presets import config_from
from rnnlab.runs import AccuracyPoint, Run, RunState, TestPoint
from rnnlab.store.store import Store


def fill(store: Store, points: int) -> str:
    run = store.create_run(Config(iterations=200_000))
    store.reports.claim()
    for index in range(points):
        store.reports.add_point(run.id, AccuracyPoint(index * 20, (index % 7) / 7, 1.0, index * 0.5))
    return run.id


def test_a_smoothed_value_is_the_mean_of_the_last_readings() -> None:
    values = np.array([1.0, 2, 3, 4, 10])
    np.testing.assert_allclose(moving_average(values, 3), [1, 1.5, 2, 3, 17 / 3])
    np.testing.assert_allclose(moving_average(values, 1), values)
    np.testing.assert_allclose(moving_average(values, 50), [1, 1.5, 2, 2.5, 4])
    assert moving_average(np.empty(0), 5).shape == (0,)


def test_smoothing_leaves_the_readings_as_they_were() -> None:
    values = np.arange(10.0)
    moving_average(values, 3)
    np.testing.assert_array_equal(values, np.arange(10.0))


@pytest.mark.parametrize("count", [0, 1, 2, MAX_POINTS_DRAWN, MAX_POINTS_DRAWN + 1, 1201, 10_000])
def test_a_thinned_line_is_bounded_and_keeps_its_ends(count: int) -> None:
    kept = downsample(np.random.default_rng(0).random(count))
    assert len(kept) <= MAX_POINTS_DRAWN + 4
    assert (np.diff(kept) > 0).all()
    if count:
        assert (kept[0], kept[-1]) == (0, count - 1)


def test_a_thinned_line_keeps_its_peaks_and_dips() -> None:
    values = np.full(10_000, 0.5)
    values[[1234, 7777]] = 0.0, 1.0
    assert {1234, 7777} <= set(downsample(values).tolist())


def test_what_was_drawn_stays_drawn_while_a_line_grows() -> None:
    values = np.random.default_rng(1).random(2_000)
    earlier, later = downsample(values[:1_500]), downsample(values[:1_600])
    assert set(earlier[earlier < 1_472].tolist()) <= set(later.tolist())


def test_new_points_are_added_to_a_cached_curve_and_none_is_doubled(store: Store) -> None:
    cache = CurveCache(store)
    run_id = fill(store, 5)
    assert cache.curve(run_id).steps.tolist() == [0, 20, 40, 60, 80]
    assert cache.curve(run_id).steps.tolist() == [0, 20, 40, 60, 80]
    store.reports.add_point(run_id, AccuracyPoint(100, 0.5, 1.0, 3.5))
    assert cache.curve(run_id).steps.tolist() == [0, 20, 40, 60, 80, 100]


def test_points_that_are_forgotten_leave_the_cached_curve(store: Store) -> None:
    run, cache = store.create_run(Config(), claimed=True), CurveCache(store)
    for step in (0, 20, 40, 60):
        store.reports.add_point(run.id, AccuracyPoint(step, 0.5, 1.0, float(step)))
        store.reports.add_test(run.id, TestPoint(step + 1, 0.5))
    assert cache.curve(run.id).steps.tolist() == [0, 20, 40, 60]
    store.reports.end_run(
        run.id, RunState.STOPPED, step=21
    )  # resumed from a checkpoint and stopped soon after
    assert cache.curve(run.id).steps.tolist() == [0, 20]
    assert [test.step for test in store.tests(run.id)] == [1, 21]


def test_speed_is_steps_by_training_time(store: Store) -> None:
    cache = CurveCache(store)
    assert cache.curve(fill(store, 1)).steps_per_second() is None
    assert cache.curve(fill(store, 50)).steps_per_second() == pytest.approx(40)


def test_the_drawn_lines_are_what_the_points_say(store: Store) -> None:
    curve = CurveCache(store).curve(fill(store, 10))
    lines = curve_lines(curve, [TestPoint(100, 0.9)], window=2)
    np.testing.assert_allclose(lines.batch.y, curve.accuracy, atol=1e-4)
    assert lines.smoothed.y[1] == pytest.approx(1 / 14, abs=1e-4)
    assert lines.test.x.tolist() == [100]
    assert lines.test.y.tolist() == pytest.approx([0.9])


def test_an_update_at_10_000_points_is_under_60_kilobytes(store: Store) -> None:
    points = 10_000
    generator = np.random.default_rng(0)
    curve = (
        CurveCache(store)
        .curve(fill(store, 1))
        .extended(
            [
                AccuracyPoint(20 * i, float(a), 0.1, 0.5 * i)
                for i, a in enumerate(generator.random(points), start=1)
            ]
        )
    )
    tests = [TestPoint(120 * i, 0.98) for i in range(1667)]
    figure = training_curve_figure(curve_lines(curve, tests, 5), "some-run", with_loss=True, close_up=False)
    assert len(figure.to_json()) < 60_000


@pytest.mark.parametrize("with_loss", [False, True])
@pytest.mark.parametrize("close_up", [False, True])
@pytest.mark.parametrize(("points", "marks"), [(0, 0), (50, 3), (2000, 100)])
def test_the_quick_json_form_is_that_of_the_figure(
    store: Store, points: int, marks: int, with_loss: bool, close_up: bool
) -> None:
    curve = CurveCache(store).curve(fill(store, points))
    tests = tuple(TestPoint(120 * i, 0.98) for i in range(marks))
    quick = training_curve_json(curve, tests, "some-run", 7, with_loss=with_loss, close_up=close_up)
    drawn = training_curve_figure(
        curve_lines(curve, list(tests), 7), "some-run", with_loss=with_loss, close_up=close_up
    )
    assert json.loads(json.dumps(quick)) == json.loads(drawn.to_json())


def test_the_very_first_point_can_be_seen(store: Store) -> None:
    def modes(points: int) -> list[str]:
        curve = CurveCache(store).curve(fill(store, points))
        drawn = training_curve_json(curve, (), "some-run", 5, with_loss=True, close_up=False)["data"]
        return [trace["mode"] for trace in drawn if trace["name"] != "test set"]

    assert modes(1) == ["lines+markers"] * 3
    assert modes(2) == ["lines"] * 3


def test_viewers_of_the_same_curve_share_one_drawing(store: Store) -> None:
    cache, run_id = CurveCache(store), fill(store, 50)

    def drawing() -> object:
        return training_curve_json(cache.curve(run_id), (), run_id, 5, with_loss=False, close_up=False)

    first = drawing()
    assert drawing() is first
    store.reports.add_point(run_id, AccuracyPoint(1000, 0.5, 1.0, 60.0))
    assert drawing() is not first


def test_zoom_is_kept_while_the_run_stays_the_same(store: Store) -> None:
    cache, run_id = CurveCache(store), fill(store, 3)

    def revision(name: str) -> str:
        lines = curve_lines(cache.curve(run_id), [], 5)
        return str(training_curve_figure(lines, name, with_loss=False, close_up=False).layout.uirevision)

    before = revision(run_id)
    store.reports.add_point(run_id, AccuracyPoint(60, 0.5, 1.0, 3.5))
    assert revision(run_id) == before
    assert revision("another-run") != before


def test_the_loss_has_a_panel_of_its_own() -> None:
    lines = curve_lines(EMPTY_CURVE, [], 5)
    plain = training_curve_figure(lines, "r", with_loss=False, close_up=False)
    both = training_curve_figure(lines, "r", with_loss=True, close_up=False)
    assert [trace.name for trace in plain.data] == ["each batch", "mean of 5 readings", "test set"]
    assert both.data[-1].name == "loss, mean of 5 readings"
    assert both.data[-1].yaxis != both.data[0].yaxis


def test_the_step_at_which_a_rule_ended_a_run_is_marked_with_the_rule_and_unlike_a_change(
    store: Store,
) -> None:
    curve = CurveCache(store).curve(fill(store, 5))
    change = Change(41, "learning_rate", 0.01)
    drawn = training_curve_json(
        curve, (), "r", 5, with_loss=True, close_up=False, changes=(change,), end=(81, "ended: patience 3")
    )["layout"]
    assert [(line["x0"], line["x1"], line["line"]["dash"]) for line in drawn["shapes"]] == [
        (41, 41, "dot"),
        (81, 81, "dash"),
    ]
    assert [(words["x"], words["text"], words["xanchor"]) for words in drawn["annotations"]] == [
        (41, "learning rate 0.01", "left"),
        (81, "ended: patience 3", "right"),
    ]
    plain = training_curve_json(curve, (), "r", 5, with_loss=True, close_up=False)
    assert "shapes" not in plain["layout"]


@pytest.mark.parametrize(
    ("values", "rule", "said"),
    [
        ({"stop_at": 0.985}, "stop_at", "ended: stop at test accuracy 0.985"),
        ({"patience": 10}, "patience", "ended: patience 10"),
        ({"minutes": 2.5}, "minutes", "ended: 2.5 minutes of training"),
        ({"minutes": 5}, "", ""),
    ],
)
def test_the_mark_names_the_rule_and_its_value(values: dict[str, float], rule: str, said: str) -> None:
    run = Run("r", config_from(values), RunState.FINISHED, created=0.0, ended_by=rule)
    assert describe_end(run) == said


def test_a_rule_that_is_lifted_is_called_off() -> None:
    assert describe_change(Change(0, "patience", 0)) == "patience off"
    assert describe_change(Change(0, "minutes", 7.0)) == "7 minutes of training"
    assert describe_change(Change(0, "batch_size", 1024)) == "batch size 1,024"
