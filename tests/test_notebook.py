"""Objects in Python's prompt and in a notebook: pictures appear, and nothing prints the fields of a dataclass."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import workings as w
from workings import files, plots
from workings.datasets import moons
from workings.museum.rooms import show
from workings.plots.canvas import ON_PAPER, family_with

ROOT = Path(__file__).resolve().parents[1]
CELLS = """
from workings import *
from workings import plots
from workings.datasets import moons
X, y = moons()
net = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
snapshots, signals = Snapshots(count=3), Signals(X[:50], y[:50])
net
---
net.fit(X, y, optimizer=SGD(1.0), epochs=20, callbacks=[snapshots, signals])
---
net
---
plots.boundary(net, X, y)
---
plots.signals(signals)
---
plots.replay(net, X, y, snapshots, "r.gif")
---
plots.replay(net, X, y, snapshots, "r.html")
---
plots.film(net, X, y, snapshots)
---
plots.loss_plane(net, X, y, steps=5)
---
net.program()
---
net.equations()
---
net.explain(X[:3], y[:3])
---
net.summary()
---
net.script()
---
net.translate("torch", optimizer=SGD(0.1))
---
net.check_gradients(X[:5], y[:5])
---
net.diagnose(X, y)
---
snapshots
---
signals
"""
EXPECTED = {  # the richest format of each cell
    "plots.boundary": "image/png", "plots.signals": "image/png", "plots.loss_plane": "image/png",
    "net.equations": "text/latex",
}  # fmt: skip


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything that a user may put on the last line of a cell."""
    X, y = moons()
    net = w.Network([w.Dense(3, "tanh"), w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    snapshots, signals = w.Snapshots(count=3), w.Signals(X[:50], y[:50])
    history = net.fit(X, y, optimizer=w.SGD(1.0), epochs=5, callbacks=[snapshots, signals])
    exhibit = show("softmax-axis", "moons", 0)
    folder = tmp_path_factory.mktemp("files")
    return {
        "network": net, "new network": w.Network([w.Dense(1)], loss=w.SquaredError()), "history": history,
        "snapshots": snapshots, "signals": signals, "program": net.program(), "step": net.program(w.SGD(0.1)),
        "statement": net.program().statements[0], "equations": net.equations(),
        "explanation": net.explain(X[:3], y[:3]), "influence": net.explain(X[:3], y[:3], why="W1[0,0]"),
        "gradients": net.check_gradients(X[:5], y[:5]), "diagnosis": net.diagnose(X, y, history),
        "finding": exhibit.wrong.diagnosis.findings[0], "translation": net.translate("sklearn", optimizer=w.SGD(0.1)),
        "script": net.script(), "summary": net.summary(), "exported": files.save(net, folder / "m.json"),
        "plane": plots.loss_plane(net, X, y, steps=3), "exhibit": exhibit, "run": exhibit.wrong,
        "mistake": exhibit.mistake, "film": plots.film(net, X, y, snapshots), "axes": plots.boundary(net, X, y),
        "figure": plots.signals(signals), "trace": net.trace(X[:3], y[:3]),
        "replay": plots.replay(net, X, y, snapshots, folder / "r.gif"),
        "page": plots.replay(net, X, y, snapshots, folder / "r.html"),
    }  # fmt: skip


def test_nothing_prints_the_fields_of_a_dataclass(objects):
    for name, thing in objects.items():
        text = repr(thing)
        assert " object at 0x" not in text, name
        if dataclasses.is_dataclass(thing):
            assert not text.startswith(f"{type(thing).__name__}("), name
        assert name == "script" or "array([" not in text, name


def test_every_object_has_a_notebook_format(objects):
    for name, thing in objects.items():
        methods = {m: getattr(thing, m)() for m in ("_repr_html_", "_repr_png_", "_repr_latex_") if hasattr(thing, m)}
        formats = [method for method, shown in methods.items() if shown is not None]
        assert len(formats) == 1, (name, formats)
        shown = methods[formats[0]]
        if formats[0] == "_repr_html_":
            assert "<" in shown, name
            assert not re.search(r"<script[^>]*src|<link|https?://(?!www\.w3\.org)", shown), name
        elif formats[0] == "_repr_png_":
            assert shown[0][:4] == b"\x89PNG", name
            assert set(shown[1]) == {"width", "height"}


def test_texts_are_the_same_strings_as_before(objects):
    assert isinstance(objects["summary"], str)
    assert objects["summary"] == str(objects["summary"])
    assert repr(objects["script"]) == objects["script"]


def test_the_diagram_of_a_network_can_be_read_on_a_dark_page(objects):
    page = objects["network"]._repr_html_()
    svg = ElementTree.fromstring(page[: page.index("</svg>") + 6])
    assert "background:#fff" in svg.attrib["style"]
    assert all(text.attrib["fill"] == "#1a1a1a" for text in svg.iter("text"))


def test_pictures_are_on_white_paper_in_a_dark_style():
    from io import BytesIO

    from matplotlib import rc_context, style
    from PIL import Image

    X, y = moons()
    net = w.Network([w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    net.fit(X, y, optimizer=w.SGD(1.0), epochs=2)
    usual = plots.png(plots.boundary(net, X, y))
    with rc_context(), style.context("dark_background"):
        dark = plots.png(plots.boundary(net, X, y))
    assert dark == usual
    assert Image.open(BytesIO(dark)).convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert ON_PAPER["figure.facecolor"] == "white"


@pytest.mark.parametrize("name", ["猫", "ねこ", "고양이", "قط", "แมว", "🐱"])
def test_characters_have_a_font_or_an_escape(name):
    if any(family_with(character) is None for character in name):
        with pytest.warns(w.WorkingsWarning, match="No installed font has"):
            axes = plots.confusion([0, 1], [1, 1], labels=[name, "dog"])
        plots.png(axes)
        assert axes.get_xticklabels()[0].get_text().startswith(("\\u", "\\U"))
    else:
        axes = plots.confusion([0, 1], [1, 1], labels=[name, "dog"])
        plots.png(axes)  # a missing glyph would be a warning, which is an error
        assert axes.get_xticklabels()[0].get_text() == name


def test_confusion_of_many_classes_and_of_numbers():
    rng = np.random.default_rng(0)
    axes = plots.confusion(rng.integers(0, 200, 1000), rng.integers(0, 200, 1000))
    assert not axes.texts
    assert len(axes.get_xticklabels()) <= 40
    for y in (rng.normal(size=200), np.array([0.5, 1.0]), np.array([np.nan, 1.0])):
        with pytest.raises(w.InputError, match="confusion compares classes"):
            plots.confusion(y, y)
    net = w.Network([w.Dense(2)], loss=w.CrossEntropy())
    with pytest.raises(w.InputError, match=r"confusion\(y, model\.predict\(X\)\)"):
        plots.confusion(net, [[1.0, 2.0]])


def test_units_and_boundary_of_a_regression_have_shades_and_no_legend():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    net = w.Network([w.Dense(3, "tanh"), w.Dense(1)], loss=w.SquaredError(), seed=0)
    net.fit(X, X[:, 0], optimizer=w.Adam(0.01), epochs=2)
    figure = plots.units(net, X, X[:, 0], steps=9)
    assert not figure.legends
    assert [ax.get_ylabel() for ax in figure.axes][-1] == "activation a1"
    assert "target y" in [ax.get_ylabel() for ax in figure.axes]
    axes = plots.boundary(net, X, X[:, 0], steps=9)
    assert axes.figure.axes[1].get_ylabel() == "prediction and target y"


def test_networks_with_one_input_are_drawn_as_curves():
    x = np.linspace(-1, 1, 30)[:, None]
    regression = w.Network([w.Dense(3, "tanh"), w.Dense(1)], loss=w.SquaredError(), seed=0)
    regression.fit(x, x[:, 0] ** 2, optimizer=w.Adam(0.01), epochs=2)
    classes = w.Network([w.Dense(3, "tanh"), w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    classes.fit(x, (x[:, 0] > 0) * 1, optimizer=w.Adam(0.01), epochs=2)
    for net, y in ((regression, x[:, 0] ** 2), (classes, (x[:, 0] > 0) * 1)):
        assert len(plots.units(net, x).axes[0].lines) == 3
        plots.png(plots.boundary(net, x, y))
        plots.png(plots.network(net))
        plots.png(plots.weights(net))
    assert plots.boundary(regression, x, x[:, 0] ** 2).get_ylabel() == "y"
    assert plots.boundary(classes, x, (x[:, 0] > 0) * 1).get_ylabel() == "probability"


@pytest.mark.slow
def test_pictures_appear_in_a_notebook(tmp_path):
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat, nbconvert and ipykernel")
    nbconvert = pytest.importorskip("nbconvert", reason="needs nbformat, nbconvert and ipykernel")
    pytest.importorskip("ipykernel", reason="needs nbformat, nbconvert and ipykernel")
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS.split("---")]
    setup = f"import sys, os; sys.path.insert(0, {str(ROOT)!r}); os.chdir({str(tmp_path)!r})"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(setup))
    from nbconvert.preprocessors import ExecutePreprocessor

    ExecutePreprocessor(timeout=300, kernel_name="python3").preprocess(notebook, {"metadata": {"path": str(tmp_path)}})
    for cell in notebook.cells[1:]:
        line = cell.source.splitlines()[-1]
        (output,) = [o for o in cell.outputs if o.output_type == "execute_result"]
        expected = next((kind for start, kind in EXPECTED.items() if line.startswith(start)), "text/html")
        assert expected in output.data, (line, list(output.data))
        assert " object at 0x" not in output.data["text/plain"], line
        if expected == "image/png":
            assert set(json.loads(json.dumps(output.metadata["image/png"]))) == {"width", "height"}
    page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    (tmp_path / "notebook.html").write_text(page, encoding="utf-8")
    assert page.count("data:image/png;base64") >= 3


@pytest.mark.parametrize(
    "names",
    [["cat", "dog"], ["猫", "犬", "ねこ"], ["大きい猫です", "犬"], ["False", "True"], ["setosa", "versicolor", "x"],
     ["x" * 14, "y"], [str(i) for i in range(10)], ["a", "b", "c", "d"]],
)  # fmt: skip
def test_no_label_of_a_confusion_matrix_is_cut_off(names):
    if any(family_with(character) is None for character in "".join(names)):
        pytest.skip("needs a font with these characters")
    axes = plots.confusion(np.arange(len(names)), np.arange(len(names))[::-1], labels=names)
    plots.png(axes)
    box, (width, height) = axes.figure.get_tightbbox(), axes.figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height
