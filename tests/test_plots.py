"""Plots: each shows its input, raises an error for input it cannot show, and leaves no figure open."""

from __future__ import annotations

import base64
import functools
import io
import itertools
import json
import os
import re
import sys
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from workings import (
    SGD,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    CrossEntropy,
    Dense,
    Dropout,
    Network,
    Signals,
    Snapshots,
    SquaredError,
    plots,
)
from workings.datasets import moons
from workings.errors import FileError, InputError, MissingExtraError

PNG = b"\x89PNG\r\n\x1a\n"
X = np.array([[-1.0, 0.0], [-1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = np.array([0, 0, 1, 1])
HISTORY = {"loss": [0.9, 0.5, 0.4], "val_loss": [0.95, None, 0.6], "val_accuracy": [0.5, 0.7, 0.8], "lr": [0.1] * 3}


def two_classes(points):
    p = 1 / (1 + np.exp(-3 * points[:, 0]))
    return np.column_stack([1 - p, p])


def three_classes(points):
    scores = np.exp(points @ np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 2.0]]))
    return scores / scores.sum(axis=1, keepdims=True)


MODEL = SimpleNamespace(predict_proba=two_classes)
ALONG = np.linspace(-1, 1, 15)
BOWL = 0.1 + ALONG[:, None] ** 2 + 2 * ALONG**2

XM, YM = moons(60, 0.2, seed=0)


@functools.cache
def trained():
    """A small network, with what was recorded of its training: not to be changed."""
    snapshots, recorded = Snapshots(count=6), Signals(XM, YM, every=10)
    net = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    net.fit(XM, YM, optimizer=SGD(0.5), epochs=60, batch_size=None, callbacks=[snapshots, recorded])
    return net, snapshots, recorded


PICTURES = {
    "units": lambda: plots.units(trained()[0], XM, YM, steps=20),
    "units without classes": lambda: plots.units(trained()[0], XM, layer=2, steps=20),
    "signals": lambda: plots.signals(trained()[2]),
    "activations": lambda: plots.activations(trained()[2], "a1"),
    "gradients": lambda: plots.gradients(trained()[2]),
    "steps": lambda: plots.steps(trained()[2], ["b1"]),
    "shut": lambda: plots.shut(trained()[2]),
    "landscape of a network": lambda: plots.landscape_of(trained()[0], XM, YM, trained()[1], steps=7),
    "landscape in random directions": lambda: plots.landscape_of(trained()[0], XM, YM, steps=7),
    "a network by itself": lambda: plots.network(trained()[0], inputs=["length", "width"]),
    "weights of a network": lambda: plots.weights(trained()[0]),
    "curves": lambda: plots.curves(HISTORY),
    "curves, logarithmic": lambda: plots.curves(HISTORY, list(HISTORY), log=True),
    "orbit": lambda: plots.orbit([0.9, *[0.5, 0.7] * 40]),
    "orbit that settled": lambda: plots.orbit(np.full(30, 0.25)),
    "orbit at zero": lambda: plots.orbit(np.zeros(30)),
    "boundary": lambda: plots.boundary(MODEL, X, Y, steps=30),
    "boundaries": lambda: plots.boundaries({"a": MODEL, "b": MODEL}, X, Y, steps=20),
    "images": lambda: plots.images(np.eye(16)),
    "weights": lambda: plots.weights(np.eye(16)),
    "weights that are all zero": lambda: plots.weights(np.zeros((16, 2))),
    "weights as a heat map": lambda: plots.weights(np.ones((3, 2))),
    "confusion": lambda: plots.confusion([0, 1, 1], [0, 1, 0]),
    "network": lambda: plots.network([784, 32, 10]),
    "network with weights": lambda: plots.network([2, 1], [np.array([[1.0], [-1.0]])]),
    "landscape": lambda: plots.landscape(BOWL, ALONG, ALONG, path=[[1, 1], [0.1, 0]]),
    "landscape below zero": lambda: plots.landscape(BOWL - 1, ALONG, ALONG),
    "flat landscape": lambda: plots.landscape(np.ones((3, 4)), [0, 1, 2], [0, 1, 2, 3]),
    "bars": lambda: plots.bars(["a", "b"], [0.9, 0.95], [0.01, 0.02], baseline="a"),
    "bars without spreads": lambda: plots.bars(["a", "b"], [3, 4], baseline=3.5, xlabel="epochs"),
}


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_axes_or_a_figure_and_can_be_written_again_and_again_with_the_same_bytes(name):
    picture = PICTURES[name]()
    assert isinstance(picture, (Axes, Figure))
    content = plots.png(picture)
    assert content.startswith(PNG)
    assert content == plots.png(PICTURES[name]())


def test_pyplot_is_not_touched():
    import matplotlib.pyplot

    for make in PICTURES.values():
        make()
    assert matplotlib.pyplot.get_fignums() == []


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.curves(HISTORY, ax=ax),
        lambda ax: plots.orbit([1.0, 2.0] * 5, ax),
        lambda ax: plots.boundary(MODEL, X, Y, steps=20, ax=ax),
        lambda ax: plots.confusion([0, 1], [0, 1], ax=ax),
        lambda ax: plots.network([2, 3, 2], ax=ax),
        lambda ax: plots.landscape(BOWL, ALONG, ALONG, ax=ax),
        lambda ax: plots.landscape_of(trained()[0], XM, YM, steps=5, ax=ax),
        lambda ax: plots.network(trained()[0], ax=ax),
        lambda ax: plots.activations(trained()[2], "a1", ax=ax),
        lambda ax: plots.gradients(trained()[2], ax=ax),
        lambda ax: plots.steps(trained()[2], ax=ax),
        lambda ax: plots.shut(trained()[2], ax=ax),
        lambda ax: plots.bars(["a"], [1.0], ax=ax),
    ],
)
def test_a_picture_can_be_drawn_into_axes_of_ones_own(draw):
    left, right = Figure().subplots(1, 2)
    assert draw(right) is right
    assert right.has_data()
    assert not left.has_data()


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[plots\]'"):
        plots.network([2, 3, 2])


# Training


def test_curves_draw_the_losses_and_skip_epochs_without_a_value():
    ax = plots.curves(HISTORY)
    training, validation = ax.lines
    assert training.get_xydata().tolist() == [[0, 0.9], [1, 0.5], [2, 0.4]]
    assert validation.get_xydata().tolist() == [[1, 0.95], [3, 0.6]]
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert texts(ax) == ["training", "validation"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("epoch", "loss", "linear")


def test_curves_of_different_quantities_are_named_in_full():
    ax = plots.curves(HISTORY, ["loss", "val_accuracy", "lr"], log=True)
    assert sorted(texts(ax)) == ["learning rate", "loss", "validation accuracy"]
    assert ax.get_yscale() == "log"


def test_labels_of_curves_that_end_together_do_not_overlap():
    ax = plots.curves({"loss": [1.0, 0.5], "val_loss": [1.0, 0.5], "other_loss": [1.0, 0.501]})
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_curves_name_what_the_history_has():
    with pytest.raises(InputError, match=r"no 'accuracy'\. It has: loss"):
        plots.curves(HISTORY, ["accuracy"])
    with pytest.raises(InputError, match="no finite value"):
        plots.curves({"loss": [None, float("nan")]})


def test_an_orbit_names_its_two_values():
    ax = plots.orbit([2.0, 1.5, *[0.125, 0.25] * 100], last=20)
    assert sorted(texts(ax)) == ["0.125", "0.25"]
    assert ax.lines[0].get_xdata().tolist() == list(range(182, 202))
    assert [len(points.get_offsets()) for points in ax.collections] == [10, 10]
    assert texts(plots.orbit([0.5] * 10)) == ["converged to 0.5"]


def test_two_values_that_are_close_are_written_with_digits_that_tell_them_apart():
    assert len(set(texts(plots.orbit([0.123456, 0.123457] * 10)))) == 2


def test_an_orbit_needs_two_values():
    with pytest.raises(InputError, match="at least two values"):
        plots.orbit([1.0])


# Boundaries


def test_a_boundary_lies_where_both_classes_are_equally_likely():
    ax = plots.boundary(MODEL, X, Y, steps=101, title="a line")
    line = next(part for part in ax.collections if type(part).__name__.endswith("ContourSet"))
    np.testing.assert_allclose(line.get_paths()[0].vertices[:, 0], 0, atol=1e-9)
    assert ax.get_title(loc="left") == "a line"
    assert len(ax.images) == 1
    assert ax.get_legend_handles_labels()[1] == ["class 0", "class 1"]
    assert [other.get_ylabel() for other in ax.figure.axes[1:]] == ["probability of class 1"]


def test_the_tint_is_white_on_the_line_and_deepest_where_the_model_is_sure():
    tint = plots.boundary(MODEL, X, Y, steps=101).images[0].get_array()
    np.testing.assert_allclose(tint[:, 50], 1, atol=1e-6)
    assert (tint[:, 0].sum(axis=1) < tint[:, 25].sum(axis=1)).all()
    assert not np.allclose(tint[0, 0], tint[0, -1])


def test_every_class_has_its_own_colour_and_marker():
    model = SimpleNamespace(predict_proba=three_classes)
    ax = plots.boundary(model, X[[0, 2, 1]], ["no", "perhaps", "yes"], steps=40)
    handles, names = ax.get_legend_handles_labels()
    assert names == ["class no", "class perhaps", "class yes"]
    assert len({tuple(handle.get_facecolor()[0]) for handle in handles}) == 3
    assert len({handle.get_paths()[0].vertices.tobytes() for handle in handles}) == 3
    assert len(ax.figure.axes) == 1  # no colour bar: there is no single probability


@pytest.mark.parametrize(
    "model",
    [
        SimpleNamespace(predict_proba=lambda points: two_classes(points)[:, 1]),
        SimpleNamespace(predict_proba=lambda points: two_classes(points)[:, 1:]),
        SimpleNamespace(predict=lambda points: (points[:, 0] > 0) * 1),
        SimpleNamespace(predict_proba=lambda points: np.full((len(points), 2), 0.5)),
    ],
)
def test_other_kinds_of_models_are_drawn_too(model):
    ax = plots.boundary(model, X.astype(np.float32), Y.astype(float), steps=20)
    assert ax.get_legend_handles_labels()[1] == ["class 0", "class 1"]


def test_float32_points_are_asked_about_in_float32():
    seen = []
    model = SimpleNamespace(predict=lambda points: seen.append(points.dtype) or (points[:, 0] > 0) * 1)
    plots.boundary(model, X.astype(np.float32), Y, steps=10)
    assert seen == [np.float32]


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.zeros((4, 3)), Y, "X has 3 columns"),
        (np.zeros(4), Y, r"shape \(n, 2\)"),
        (X, Y[:3], "4 values"),
        (X, np.eye(4), "one dimension"),
        (X, [0, 1, 2, 3], r"classes \[0, 1\], but y has \[0, 1, 2, 3\]"),
    ],
)
def test_a_boundary_says_what_does_not_fit(inputs, targets, message):
    with pytest.raises(InputError, match=message):
        plots.boundary(MODEL, inputs, targets, steps=10)


def test_boundaries_have_a_panel_a_title_and_a_caption_for_each_model():
    names = [f"{n} hidden" for n in (1, 2, 3, 4, 5, 20, 50)]
    captions = {name: f"training accuracy 0.9{i}" for i, name in enumerate(names)}
    figure = plots.boundaries(dict.fromkeys(names, MODEL), X, Y, captions=captions, steps=12)
    drawn = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title(loc="left") for ax in drawn] == names
    assert [texts(ax) for ax in drawn] == [[caption] for caption in captions.values()]
    assert len(figure.legends) == 1
    figure.draw_without_rendering()
    assert all(ax.get_tightbbox().y1 <= figure.bbox.y1 for ax in drawn)


def test_a_caption_without_a_model_is_refused():
    with pytest.raises(InputError, match="model for each caption"):
        plots.boundaries({"a": MODEL}, X, Y, captions={"b": "no such model"})
    with pytest.raises(InputError, match="model"):
        plots.boundaries({}, X, Y)


# Images, weights, networks


def test_images_are_drawn_as_they_are_with_their_titles():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 784)).astype(np.uint8)
    figure = plots.images(pixels, titles=["true 4, pred. 9 (0.99)"] * 7, columns=4)
    drawn = [ax for ax in figure.axes if ax.images]
    assert len(drawn) == 7
    for ax, image in zip(drawn, pixels, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), image.reshape(28, 28))
        assert ax.get_title().split() == ["true", "4,", "pred.", "9", "(0.99)"]


def test_images_may_have_any_shape():
    assert plots.images(np.zeros((2, 3, 5))).axes[0].images[0].get_array().shape == (3, 5)
    assert plots.images(np.zeros((2, 6)), shape=(2, 3)).axes[0].images[0].get_array().shape == (2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 15)),), "15 pixels do not make 3×3"),
        ((np.zeros((2, 16)), (3, 5)), "3×5"),
        ((np.zeros(16),), r"shape \(16,\)"),
        ((np.zeros((401, 4)),), r"X\[:50\]"),
        ((np.zeros((2, 16)), None, ["one"]), "1 titles for 2 images"),
        ((np.array([["a", "b"]]),), "'?<U1"),
    ],
)
def test_images_say_what_does_not_fit(arguments, message):
    with pytest.raises(InputError, match=message):
        plots.images(*arguments)


def test_weights_share_one_scale_with_zero_in_the_middle():
    W = np.random.default_rng(0).normal(size=(784, 40))
    figure = plots.weights(W, limit=9)
    drawn = [ax for ax in figure.axes if ax.get_title()]
    assert len(drawn) == 9
    largest = np.abs(W[:, :9]).max()
    assert {ax.images[0].get_clim() for ax in drawn} == {(-largest, largest)}
    np.testing.assert_array_equal(drawn[3].images[0].get_array(), W[:, 3].reshape(28, 28))
    middle = np.array(drawn[0].images[0].get_cmap()(0.5)[:3])
    assert (middle > 0.95).all()
    assert figure.get_supxlabel() == "the first 9 of 40 units"


def test_weights_of_inputs_that_are_no_image_are_one_heat_map():
    W = np.array([[0.5, -1.0], [0.25, 0.0], [1.0, 2.0]])
    ax = plots.weights(W).axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), W)
    assert texts(ax) == ["0.50", "-1.00", "0.25", "0.00", "1.00", "2.00"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("unit", "input")
    with pytest.raises(InputError, match="n_in, units"):
        plots.weights([1.0, 2.0])


def test_confusion_counts_rows_of_true_and_columns_of_predicted_classes():
    ax = plots.confusion([0, 0, 0, 1, 2, 2], [0, 0, 1, 1, 0, 2])
    assert texts(ax) == ["2", "1", "0", "0", "1", "0", "1", "0", "1"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[2 / 3, 1 / 3, 0], [0, 1, 0], [0.5, 0, 0.5]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "1", "2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")


def test_confusion_knows_classes_that_only_one_side_has_and_takes_names():
    ax = plots.confusion(["cat", "cat"], ["cat", "dog"], labels=["a cat", "a dog"])
    assert texts(ax) == ["1", "1", "0", "0"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a cat", "a dog"]
    with pytest.raises(InputError, match="1 labels for 2 classes"):
        plots.confusion([0, 1], [0, 1], labels=["zero"])
    with pytest.raises(InputError, match="y_pred"):
        plots.confusion([0, 1], [0])


@pytest.mark.parametrize(
    ("sizes", "circles", "lines"), [([2, 3, 2], 7, 12), ([16, 1], 17, 16), ([17, 1], 11, 10), ([784, 32, 10], 30, 200)]
)
def test_networks_have_a_circle_for_each_unit_and_a_line_for_each_weight(sizes, circles, lines):
    ax = plots.network(sizes)
    assert len(ax.patches) == circles
    assert sum(len(part.get_segments()) for part in ax.collections) == lines
    assert texts(ax).count("⋮") == sum(size > 16 for size in sizes)


def test_weights_of_a_network_show_in_thickness_and_colour():
    ax = plots.network([2, 1, 1], [np.array([[-4.0], [1.0]]), np.array([[2.0]])], names=["in", "middle", "out"])
    first, second = ax.collections
    widths = dict(zip((segment[0][1] for segment in first.get_segments()), first.get_linewidths(), strict=True))
    assert widths[0.5] > second.get_linewidths()[0] > widths[-0.5]
    assert len({tuple(colour) for colour in first.get_colors()}) == 2
    assert texts(ax) == ["in\n2", "middle\n1", "out\n1"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["positive", "negative"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([3],), "two or more"),
        (([3, 0],), "above 0"),
        (([3, 2], [np.zeros((2, 3))]), r"\[\(2, 3\)\].*\[\(3, 2\)\]"),
        (([3, 2], []), "need"),
    ],
)
def test_networks_say_what_does_not_fit(arguments, message):
    with pytest.raises(InputError, match=message):
        plots.network(*arguments)
    with pytest.raises(InputError, match="1 names for 2 layers"):
        plots.network([3, 2], names=["in"])


# The landscape, and comparisons


def test_a_landscape_has_levels_in_equal_ratios_and_the_first_direction_to_the_right():
    alphas, betas = np.linspace(0, 3, 7), np.linspace(0, 1, 5)
    losses = np.exp(alphas)[:, None] * np.ones(5)
    ax = plots.landscape(losses, alphas, betas, path=[[0.5, 0.5], [1, 0.6], [2, 0.7]])
    levels = ax.collections[0].levels
    np.testing.assert_allclose(levels[1:] / levels[:-1], levels[1] / levels[0])
    assert (levels[0], levels[-1]) == (pytest.approx(1), pytest.approx(np.exp(3)))
    assert ax.get_xlim() == (0, 3)
    assert ax.get_ylim() == (0, 1)
    assert ax.lines[0].get_xydata().tolist() == [[0.5, 0.5], [1, 0.6], [2, 0.7]]
    assert texts(ax) == ["start", "end"]


def test_a_landscape_may_have_holes():
    losses = BOWL.copy()
    losses[0, 0], losses[3, 4] = np.nan, np.inf
    assert plots.png(plots.landscape(losses, ALONG, ALONG)).startswith(PNG)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((BOWL[:3], ALONG, ALONG), r"\(3, 15\).*need \(15, 15\)"),
        ((np.full((2, 2), np.nan), [0, 1], [0, 1]), "0 finite values"),
        ((BOWL, ALONG, ALONG, [[1, 2, 3]]), "two columns"),
        ((BOWL, ALONG, ALONG, [1, 2]), "path"),
    ],
)
def test_landscapes_say_what_does_not_fit(arguments, message):
    with pytest.raises(InputError, match=message):
        plots.landscape(*arguments)


def test_bars_stand_in_order_with_their_numbers_beside_them():
    ax = plots.bars(["plain", "L2", "Adam"], [0.951, 0.957, 0.97], [0.004, 0.003, 0.01], baseline="plain")
    assert texts(ax) == ["0.951 ± 0.004", "0.957 ± 0.003", "0.970 ± 0.010"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["plain", "L2", "Adam"]
    assert ax.yaxis_inverted()
    assert ax.lines[0].get_xdata() == [0.951, 0.951]
    segments = ax.collections[0].get_segments()
    np.testing.assert_allclose([segment[:, 0] for segment in segments], [[0.947, 0.955], [0.954, 0.96], [0.96, 0.98]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], [1.0, 2.0]), "means"),
        ((["a"], [1.0], [-1.0]), "spreads"),
        ((["a"], [1.0], [np.nan]), "spreads"),
        ((["a"], [1.0], [0.1], "b"), "baseline 'b'"),
    ],
)
def test_bars_say_what_does_not_fit(arguments, message):
    with pytest.raises(InputError, match=message):
        plots.bars(*arguments)


# What the units of a network see


def axes_of(figure):
    return [ax for ax in figure.axes if ax.images and ax.get_title()]


def points_of(ax, steps):
    left, right, low, high = ax.images[0].get_extent()
    return np.column_stack(
        [a.ravel() for a in np.meshgrid(np.linspace(left, right, steps), np.linspace(low, high, steps))]
    )


@pytest.mark.parametrize(("layer", "name"), [(1, "a1"), (2, "z2"), ("z1", "z1"), ("p", "p")])
def test_units_are_drawn_as_the_trace_has_them(layer, name):
    net, steps = trained()[0], 25
    axes = axes_of(plots.units(net, XM, YM, layer=layer, steps=steps))
    points = points_of(axes[0], steps)
    expected = net.trace(points, np.resize(YM, len(points)))[name]
    assert len(axes) == expected.shape[1]
    for unit, ax in enumerate(axes):
        np.testing.assert_allclose(ax.images[0].get_array().ravel(), expected[:, unit], rtol=1e-12)
        assert ax.get_title() == f"unit {unit}"
        drawn = [part.get_offsets() for part in ax.collections if len(part.get_offsets()) in np.bincount(YM)]
        np.testing.assert_array_equal(np.concatenate(drawn), np.concatenate([XM[YM == 0], XM[YM == 1]]))
    assert len({ax.images[0].get_clim() for ax in axes}) == 1


def test_the_line_of_a_unit_is_where_its_weighted_sum_is_zero():
    net = trained()[0]
    for unit, ax in enumerate(axes_of(plots.units(net, XM, YM))):
        line = next(part for part in ax.collections if type(part).__name__.endswith("ContourSet"))
        points = np.concatenate([path.vertices for path in line.get_paths()])
        sums = net.trace(points, np.resize(YM, len(points)))["z1"][:, unit]
        np.testing.assert_allclose(sums, 0, atol=1e-9)  # a straight line in the first layer


def test_units_are_asked_as_in_a_prediction_with_running_statistics_and_nothing_dropped():
    layers = [Dense(4, "relu"), BatchNorm("relu"), Dropout(0.5), Dense(2)]
    net = Network(layers, loss=CrossEntropy(), seed=0)
    net.fit(XM, YM, optimizer=Adam(0.01), epochs=5)
    assert len(axes_of(plots.units(net, XM, YM, layer="a1_norm", steps=15))) == 4
    axes = axes_of(plots.units(net, XM, YM, layer="p", steps=15))
    expected = net.predict_proba(points_of(axes[0], 15))
    np.testing.assert_allclose(axes[1].images[0].get_array().ravel(), expected[:, 1], rtol=1e-12)


def test_units_with_many_inputs_are_shown_by_their_weights():
    net = Network([Dense(3), Dense(2)], loss=CrossEntropy(), seed=0, n_in=16)
    figure = plots.units(net, np.zeros((2, 16)))
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), net.parameters["W1"][:, 1].reshape(4, 4))
    with pytest.raises(InputError, match="the network takes 16"):
        plots.units(net, np.zeros((2, 16)), layer=2)


def test_of_many_units_the_first_are_drawn():
    net = Network([Dense(40, "relu"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    figure = plots.units(net, XM, YM, limit=9, steps=8)
    assert len(axes_of(figure)) == 9
    assert figure.get_suptitle() == "the first 9 of 40 units"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": 3}, "no layer 3. The layers with weights are 1, 2"),
        ({"layer": 0}, "no layer 0"),
        ({"layer": True}, "no layer True"),
        ({"layer": "a7"}, "a7"),
        ({"layer": "W1"}, r"W1 has the shape \(2, 3\)"),
        ({"y": YM[:3]}, "60 values"),
    ],
)
def test_units_say_what_does_not_fit(arguments, message):
    with pytest.raises(InputError, match=message):
        plots.units(trained()[0], XM, **arguments)
    with pytest.raises(InputError, match="no parameters yet"):
        plots.units(Network([Dense(2)], loss=CrossEntropy()), XM)


# What went through the layers


def test_signals_are_drawn_as_they_were_recorded():
    recorded = trained()[2]
    ax = plots.gradients(recorded)
    assert sorted(texts(ax)) == ["dW1", "dW2"]
    assert ax.get_yscale() == "log"
    for line, name in zip(ax.lines, ["W1", "W2"], strict=True):
        expected = np.column_stack([recorded.epochs, recorded.parameters[name]["gradient"]])
        np.testing.assert_array_equal(line.get_xydata(), expected)
    ax = plots.activations(recorded, "a1")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), recorded.activations["a1"]["50 %"])
    outer = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert outer.min() == min(recorded.activations["a1"]["5 %"])
    assert outer.max() == max(recorded.activations["a1"]["95 %"])
    assert [line.get_ydata()[-1] for line in plots.steps(recorded, ["b2"]).lines] == [
        recorded.parameters["b2"]["ratio"][-1]
    ]


def test_epochs_that_lie_ever_further_apart_have_a_logarithmic_scale_from_zero():
    recorded = Signals(XM, YM, count=10)
    net = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    net.fit(XM, YM, optimizer=SGD(0.5), epochs=500, batch_size=None, callbacks=[recorded])
    ax = plots.gradients(recorded)
    assert ax.get_xscale() == "symlog"
    assert ax.get_xticks().tolist() == [0, 1, 10, 100]
    assert plots.gradients(trained()[2]).get_xscale() == "linear"


def test_of_a_deep_network_some_layers_are_drawn_and_no_names_overlap():
    layers = [Dense(4, "relu") for _ in range(12)]
    recorded, net = Signals(XM, YM, every=1), Network([*layers, Dense(2)], loss=CrossEntropy(), seed=0)
    net.fit(XM, YM, optimizer=Adam(0.01), epochs=4, callbacks=[recorded])
    figure = plots.signals(recorded)
    figure.draw_without_rendering()
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[0] == "activations a1"
    assert titles[3] == "scores z13"
    for ax in figure.axes:
        boxes = [text.get_window_extent() for text in ax.texts]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_signals_say_what_does_not_fit():
    with pytest.raises(InputError, match="Nothing has been recorded"):
        plots.signals(Signals(XM, YM))
    with pytest.raises(InputError, match="W7"):
        plots.gradients(trained()[2], ["W7"])
    with pytest.raises(InputError, match="a9"):
        plots.activations(trained()[2], "a9")


# A network by itself


def test_a_network_brings_its_sizes_weights_activations_and_classes():
    net = Network([Dense(4, "relu"), BatchNorm("tanh"), Dropout(0.5), Dense(3)], loss=CrossEntropy(), seed=0)
    net.fit(np.eye(6), ["cat", "dog", "owl"] * 2, optimizer=SGD(0.1), epochs=1)
    ax = plots.network(net, inputs=list("abcdef"))
    assert texts(ax) == [*"abcdef", "cat", "dog", "owl", "input\n6", "hidden\n4 tanh", "output\n3"]
    same = plots.network([6, 4, 3], [net.parameters["W1"], net.parameters["W2"]])
    for one, other in zip(ax.collections, same.collections, strict=True):
        np.testing.assert_array_equal(one.get_linewidths(), other.get_linewidths())
        np.testing.assert_array_equal(one.get_segments(), other.get_segments())


def test_a_network_says_what_does_not_fit():
    net = trained()[0]
    with pytest.raises(InputError, match="1 names for 2 inputs"):
        plots.network(net, inputs=["length"])
    with pytest.raises(InputError, match="3 names for 2 outputs"):
        plots.network(net, outputs=list("abc"))
    with pytest.raises(InputError, match="has its own weights"):
        plots.network(net, [net.parameters["W1"]])
    with pytest.raises(InputError, match="no parameters yet"):
        plots.network(Network([Dense(2)], loss=CrossEntropy()))


def test_of_a_network_the_weights_are_those_of_its_first_layer():
    net = trained()[0]
    ax = plots.weights(net).axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), net.parameters["W1"])


# The landscape of a network


def test_the_landscape_ends_at_the_objective_of_the_network_and_leaves_it_as_it_was():
    net, snapshots, _ = trained()
    theta = net.theta.copy()
    found = plots.loss_plane(net, XM, YM, snapshots, steps=8)
    at = int(np.flatnonzero(found.alphas == 0)[0]), int(np.flatnonzero(found.betas == 0)[0])
    assert found.losses[at] == net.objective(XM, YM)
    np.testing.assert_array_equal(found.path[-1], [0, 0])
    assert (found.path[0] <= 0).all()  # it is read from left to right
    assert len(found.path) == len(snapshots.epochs)
    np.testing.assert_array_equal(net.theta, theta)
    with pytest.raises(InputError):
        plots.loss_plane(net, XM[:, :1], YM, snapshots)
    np.testing.assert_array_equal(net.theta, theta)


def test_the_directions_are_those_in_which_training_moved_most():
    net, snapshots, _ = trained()
    found = plots.loss_plane(net, XM, YM, snapshots, steps=3)
    moved = snapshots.thetas - snapshots.thetas[-1]
    values = np.sort(np.linalg.eigvalsh(moved.T @ moved))[::-1]
    np.testing.assert_allclose(found.shares, values[:2] / values.sum(), rtol=1e-9)
    np.testing.assert_allclose((found.path**2).sum(axis=0), values[:2], rtol=1e-6)


def test_with_two_parameters_the_plane_is_the_whole_space():
    net, snapshots = Network([Dense(1)], loss=SquaredError(), seed=0), Snapshots(every=2)
    x, y = np.array([[0.0], [1.0], [3.0]]), np.array([1.0, 2.0, 0.5])
    net.fit(x, y, optimizer=SGD(0.05), epochs=10, batch_size=None, callbacks=[snapshots])
    found = plots.loss_plane(net, x, y, snapshots, steps=7)
    assert sum(found.shares) == pytest.approx(1)

    def powers(a, b):
        return np.column_stack([a * 0 + 1, a, b, a * a, a * b, b * b])

    alphas, betas = (grid.ravel() for grid in np.meshgrid(found.alphas, found.betas, indexing="ij"))
    bowl = np.linalg.lstsq(powers(alphas, betas), found.losses.ravel(), rcond=None)[0]
    for point, theta in zip(found.path, snapshots.thetas, strict=True):  # a squared error of a line is one bowl
        other = Network([Dense(1)], loss=SquaredError(), n_in=1)
        other.theta[...] = theta
        assert (powers(*point[:, None]) @ bowl).item() == pytest.approx(other.objective(x, y), rel=1e-9)


def test_a_straight_way_has_a_plane_too_and_one_that_went_nowhere_has_none():
    net, snapshots = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0), Snapshots(count=2)
    net.fit(XM, YM, optimizer=SGD(0.5), epochs=20, batch_size=None, callbacks=[snapshots])
    found = plots.loss_plane(net, XM, YM, snapshots, steps=5)
    assert found.shares == (pytest.approx(1), pytest.approx(0, abs=1e-12))
    assert np.ptp(found.betas) > 0
    snapshots.values[0] = snapshots.values[1]
    with pytest.raises(InputError, match="All snapshots are equal"):
        plots.loss_plane(net, XM, YM, snapshots)


def test_random_directions_are_as_long_as_each_units_weights():
    """Li et al. 2018, section 4: at a distance of 1 from a network whose weights are 0, nothing has moved."""
    net = Network([Dense(3, "tanh", weights="zeros"), Dense(2, weights="zeros")], loss=CrossEntropy(), n_in=2)
    losses = plots.loss_plane(net, XM, YM, steps=3).losses
    assert np.ptp(losses) == 0
    net = trained()[0]
    one, other = (plots.loss_plane(net, XM, YM, steps=3, seed=seed).losses for seed in (0, 1))
    assert one[1, 1] == other[1, 1] == net.objective(XM, YM)
    assert (one != other).sum() == 8


@pytest.mark.parametrize("steps", [2, 0])
def test_a_landscape_of_a_network_needs_three_steps(steps):
    with pytest.raises(InputError, match="three steps"):
        plots.landscape_of(trained()[0], XM, YM, steps=steps)


# Replays


def test_a_gif_has_a_picture_for_each_snapshot_and_leaves_the_network_as_it_was(tmp_path):
    net, snapshots, _ = trained()
    theta = net.theta.copy()
    path = plots.replay(net, XM, YM, snapshots, tmp_path / "new" / "moons.gif", milliseconds=90)
    with Image.open(path) as gif:
        assert gif.n_frames == len(snapshots.epochs) == 6
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == 90
        assert gif.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
        gif.seek(5)
        assert gif.info["duration"] == 2000
    np.testing.assert_array_equal(net.theta, theta)
    assert list(path.parent.iterdir()) == [path]


def test_a_page_asks_for_nothing_and_holds_every_picture(tmp_path):
    net, snapshots, _ = trained()
    text = plots.replay(net, XM, YM, snapshots, tmp_path / "moons.html").read_text()
    assert not re.search(r"https?:|<link|@import|src=\"(?!data:)", text)
    data = json.loads(re.search(r'class="film">(.*?)</script>', text)[1])
    assert data["titles"] == [f"epoch {epoch}" for epoch in snapshots.epochs]
    sizes = {Image.open(io.BytesIO(base64.b64decode(picture))).size for picture in data["pictures"]}
    assert len(data["pictures"]) == 6
    assert len(sizes) == 1
    for part in ('<button type="button">', '<input type="range"', "prefers-reduced-motion", "aria-valuetext", "alt="):
        assert part in text


def test_a_scene_of_ones_own_sees_each_snapshot():
    net, snapshots, _ = trained()
    seen = []
    made = plots.film(net, XM, YM, snapshots, show=lambda net, ax: seen.append(net.theta.copy()))
    np.testing.assert_array_equal(seen, snapshots.thetas)
    assert made.epochs == snapshots.epochs


def recorded_run(layers, loss, inputs, targets, **how):
    net, snapshots = Network(layers, loss=loss, seed=0), Snapshots(count=3)
    net.fit(inputs, targets, optimizer=SGD(0.01), epochs=4, callbacks=[snapshots], **how)
    return net, inputs, targets, snapshots


@pytest.mark.parametrize("show", ["auto", "boundary", "confusion", "weights", "predictions"])
def test_other_data_have_other_scenes(show):
    rng = np.random.default_rng(0)
    many, two, one = rng.normal(size=(30, 16)), rng.normal(size=(30, 2)), rng.normal(size=(30, 1))
    labels = np.arange(30) % 3
    runs = {
        "auto": recorded_run([Dense(3)], CrossEntropy(), many, labels, validation=0.3),
        "boundary": recorded_run([Dense(1)], BinaryCrossEntropy(), two, labels > 0),
        "confusion": recorded_run([Dense(3)], CrossEntropy(), two, np.array(["a", "b", "c"])[labels]),
        "weights": recorded_run([Dense(30), Dense(1)], SquaredError(), many, one[:, 0]),
        "predictions": recorded_run([Dense(1)], SquaredError(), one, two[:, 0]),
    }
    made = plots.film(*runs[show], show=show)
    assert made.gif().startswith(b"GIF89a")
    assert len(made.pictures) == 3
    assert made.words


def test_numbers_are_replayed_beside_the_true_ones():
    rng = np.random.default_rng(0)
    net, inputs, targets, snapshots = recorded_run([Dense(2)], SquaredError(), rng.normal(size=(9, 3)), np.ones((9, 2)))
    assert len(plots.film(net, inputs, targets, snapshots).pictures) == 3
    with pytest.raises(InputError, match="does not suit a network whose targets are numbers"):
        plots.film(net, inputs, targets, snapshots, show="confusion")


def test_replays_say_what_does_not_fit(tmp_path):
    net, snapshots, _ = trained()
    with pytest.raises(InputError, match=r"\.gif or \.html; it is 'moons.mp4'"):
        plots.replay(net, XM, YM, snapshots, tmp_path / "moons.mp4")
    with pytest.raises(InputError, match="There are 0 snapshots"):
        plots.replay(net, XM, YM, Snapshots(), tmp_path / "moons.gif")
    with pytest.raises(InputError, match="boundry"):
        plots.replay(net, XM, YM, snapshots, tmp_path / "moons.gif", show="boundry")
    with pytest.raises(InputError, match="20 or more"):
        plots.replay(net, XM, YM, snapshots, tmp_path / "moons.gif", milliseconds=1)
    other = Network([Dense(5), Dense(2)], loss=CrossEntropy(), n_in=2)
    with pytest.raises(InputError, match="The snapshots are of a network with"):
        plots.replay(other, XM, YM, snapshots, tmp_path / "moons.gif")
    assert list(tmp_path.iterdir()) == []


# Files


def test_pictures_are_saved_whole_with_150_dots_per_inch(tmp_path):
    ax = plots.network([2, 3, 2])
    path = plots.save(ax, tmp_path / "new" / "folder" / "network.png")
    assert [file.name for file in path.parent.iterdir()] == ["network.png"]
    width, height = ax.figure.get_size_inches() * 150
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[:2] == pytest.approx((height, width), abs=1)
    assert plots.save(ax.figure, path).read_bytes().startswith(PNG)


def test_a_save_that_fails_leaves_the_old_picture_and_nothing_else(tmp_path, monkeypatch):
    path = plots.save(plots.network([2, 2]), tmp_path / "a.png")
    before = path.read_bytes()

    def refuse(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(FileError, match="Permission denied"):
        plots.save(plots.network([5, 5]), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"Cannot write .*a\.png"):
        plots.save(plots.network([2, 2]), tmp_path / "file" / "a.png")
    with pytest.raises(InputError, match=r"must end in \.png"):
        plots.save(plots.network([2, 2]), tmp_path / "a.jpg")


def test_pictures_in_parts_of_a_figure_are_found():
    part = Figure().subfigures(1, 2)[0]
    assert plots.png(plots.network([2, 2], ax=part.subplots())).startswith(PNG)


def test_a_data_uri_holds_the_picture():
    figure = plots.images(np.eye(4))
    kind, content = plots.as_data_uri(figure).split(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(content) == plots.png(figure)
