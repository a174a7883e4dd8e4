"""The history: a dict of lists that can be read as a table, kept as JSON, and drawn."""

from __future__ import annotations

import json
import math
import re
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workings import FileError, History

names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
columns = st.dictionaries(names, st.lists(st.floats(), max_size=6), max_size=4)


def two_losses() -> History:
    """A history of three epochs."""
    history = History()
    for loss, val_loss in ((0.9, 1.0), (0.5, 0.7), (0.3, 0.8)):
        history.add(loss=loss, val_loss=val_loss, lr=0.1)
    return history


def test_it_is_a_dict_of_lists() -> None:
    history = two_losses()
    assert dict(history) == {"loss": [0.9, 0.5, 0.3], "val_loss": [1.0, 0.7, 0.8], "lr": [0.1, 0.1, 0.1]}
    assert list(history) == ["loss", "val_loss", "lr"]
    assert (len(history), history.epochs) == (3, 3)
    assert "loss" in history
    assert "accuracy" not in history
    assert history.get("accuracy") is None
    assert np.array(list(history.values())).shape == (3, 3)


def test_a_column_that_is_not_there_suggests_the_nearest() -> None:
    with pytest.raises(KeyError, match=r"val_los.*Did you mean 'val_loss'"):
        two_losses()["val_los"]


def test_it_keeps_lists_of_its_own() -> None:
    given_columns = {"loss": [1.0]}
    History(given_columns).add(loss=2.0)
    assert given_columns == {"loss": [1.0]}


def test_the_table_has_one_line_for_each_epoch() -> None:
    lines = two_losses().to_table().splitlines()
    assert lines[0].split() == ["epoch", "loss", "val_loss", "lr"]
    assert [line.split() for line in lines[1:]] == [
        ["0", "0.9", "1", "0.1"], ["1", "0.5", "0.7", "0.1"], ["2", "0.3", "0.8", "0.1"],
    ]  # fmt: skip
    assert len({len(line) for line in lines}) == 1


def test_the_table_can_skip_epochs_but_not_the_last() -> None:
    history = History({"loss": [float(e) for e in range(8)]})
    assert [line.split()[0] for line in history.to_table(every=3).splitlines()[1:]] == ["0", "3", "6", "7"]


def test_an_empty_history() -> None:
    history = History()
    assert history.epochs == 0
    assert history.to_table() == "epoch"
    assert "0 epochs" in repr(history)
    assert "<svg" not in history._repr_html_()
    assert dict(History.from_json(history.to_json())) == {}


@given(columns, st.text(), st.text(), st.floats(0, 1e9))
def test_json_there_and_back(found: dict[str, list[float]], engine: str, stopped: str, seconds: float) -> None:
    history = History(found)
    history.engine, history.stopped, history.seconds = engine, stopped, seconds
    again = History.from_json(history.to_json())
    assert again.columns.keys() == found.keys()
    for name, values in found.items():
        assert np.array_equal(again[name], values, equal_nan=True)
    assert (again.engine, again.stopped, again.seconds) == (engine, stopped, seconds)


def test_numbers_of_numpy_can_be_kept() -> None:
    history = History()
    history.add(loss=np.float64(0.5), mae=np.float32(0.25), right=np.int64(3))  # type: ignore[arg-type]
    assert dict(History.from_json(history.to_json())) == {"loss": [0.5], "mae": [0.25], "right": [3.0]}


BROKEN = ["", "[", "[]", "{}", "3", "null", '"text"', '{"columns": 3}', '{"columns": {"loss": 3}}', "[" * 100_000,
          '{"columns": {"loss": ["a"]}, "engine": "", "stopped": "", "seconds": 0}',
          '{"columns": {"loss": [1' + "0" * 400 + ']}, "engine": "", "stopped": "", "seconds": 0}']  # fmt: skip


@pytest.mark.parametrize("text", BROKEN, ids=[text[:30] for text in BROKEN])
def test_what_is_no_history_is_refused(text: str) -> None:
    with pytest.raises(FileError, match="not the JSON of a history"):
        History.from_json(text)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=5,
)  # fmt: skip


@given(json_values, json_values, json_values, json_values)
def test_json_of_anything_is_a_history_or_refused(a: object, b: object, c: object, d: object) -> None:
    text = json.dumps({"columns": a, "engine": b, "stopped": c, "seconds": d})
    try:
        history = History.from_json(text)
    except FileError:
        return
    assert history.epochs >= 0


def drawn(history: History) -> ElementTree.Element:
    """The picture for a notebook, read as XML: it must be well formed, and fetch and run nothing."""
    text = history._repr_html_()
    root = ElementTree.fromstring(f"<div>{text}</div>")
    for element in root.iter():
        tag = element.tag.split("}")[-1]
        assert tag not in ("script", "link", "image", "img", "iframe", "use", "foreignObject", "style")
        for key, value in element.attrib.items():
            assert key.split("}")[-1] not in ("href", "src")
            assert not key.startswith("on")
            assert "url(" not in value
    return root


def with_tag(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    """The elements of one kind, whatever their namespace."""
    return [element for element in root.iter() if element.tag.split("}")[-1] == tag]


def test_the_picture_has_both_curves() -> None:
    root = drawn(two_losses())
    (svg,) = with_tag(root, "svg")
    curves = with_tag(svg, "polyline")
    assert len(curves) == 2
    assert {"loss", "val_loss"} <= {text.text for text in with_tag(svg, "text")}
    points = [[tuple(map(float, p.split(","))) for p in c.attrib["points"].split()] for c in curves]
    assert [len(p) for p in points] == [3, 3]
    assert len({c.attrib["stroke"] for c in curves}) == 2
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    assert all(0 <= x <= width and 0 <= y <= height for curve in points for x, y in curve)
    names = [text for text in with_tag(svg, "text") if text.text in ("loss", "val_loss")]
    assert all(float(text.attrib["x"]) > max(x for x, _ in curve) for text in names for curve in points)
    assert points[0][0][1] < points[0][1][1] < points[0][2][1], "a loss that falls is drawn falling"
    assert "val_loss 0.8" in "".join(root.itertext())


LARGEST, SMALLEST = sys.float_info.max, math.ulp(0.0)


@settings(derandomize=True)
@given(st.lists(st.floats(), min_size=1, max_size=30), st.lists(st.floats(), max_size=30))
@example([1e308, -1e308], [])
@example([LARGEST, -LARGEST, 0.0], [LARGEST])
@example([0.0, SMALLEST, -SMALLEST], [])
@example([1.0, 1.0 + 2**-52], [math.nan, math.inf, -math.inf])
@example([LARGEST], [math.inf])
def test_the_picture_of_any_numbers_is_sound(loss: list[float], val_loss: list[float]) -> None:
    root = drawn(History({"loss": loss, "val_loss": val_loss}))
    for curve in with_tag(root, "polyline"):
        numbers = [float(x) for x in re.split(r"[ ,]+", curve.attrib["points"]) if x]
        assert all(0 <= x <= 480 for x in numbers[::2])
        assert all(10 <= y <= 140 for y in numbers[1::2])
    if all(map(math.isfinite, loss + val_loss)):
        assert not re.search(r"\b(nan|inf)", ElementTree.tostring(root, "unicode"))


def test_the_largest_loss_is_drawn_at_the_top_and_the_smallest_at_the_bottom() -> None:
    for low, high in ((0.0, 1.0), (-1e308, 1e308), (0.0, LARGEST), (1e-300, 3e-300)):
        (curve,) = with_tag(drawn(History({"loss": [low, high, low / 2 + high / 2]})), "polyline")
        assert [float(point.split(",")[1]) for point in curve.attrib["points"].split()] == [140.0, 10.0, 75.0]


def test_names_and_words_are_escaped() -> None:
    history = History({"loss <script>": [1.0, 2.0]})
    history.stopped = "<b>&"
    assert "loss <script>" in "".join(drawn(history).itertext())


def test_a_long_run_makes_a_small_picture() -> None:
    assert len(History({"loss": [1 / (1 + e) for e in range(100_000)]})._repr_html_()) < 50_000
