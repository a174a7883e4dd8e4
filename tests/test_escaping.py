"""Names from data are text in every output: plots, pages, LaTeX, C, Python and the terminal."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tokenize
import warnings
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

import workings as w
from workings import plots
from workings.cli import terminal
from workings.cli.commands import app
from workings.cli.console import PlainConsole, output
from workings.errors import InputError, ReportError
from workings.experiments.report import Report
from workings.readings.diagram import diagram
from workings.support.escaping import in_comment, in_html, in_latex, in_plot, visible, visible_lines

HOSTILE = {
    "dollars": "$50k-$100k",
    "formula": r"$\foo$",
    "one dollar": "$5",
    "escaped dollar": r"a\$b$",
    "braces": "{x} %d \\frac",
    "markup": "[red]on[/]",
    "link": "[link=x]y[/link] :smile:",
    "tag": "</script><b>bold & \"quoted\" 'too'",
    "escape sequence": "a\x1b[31mb\x1b[0m",
    "bell": "a\x07b",
    "null": "a\x00b",
    "new line": "a\nb",
    "line separator": "a\u2028b\x85c",
    "direction": "a\u202egpj.exe\u202c",
    "marks": "\u200fa\u2066b\u2069",
    "invisible": "a\u200bb\ufeff",
    "comment end": "*/ int x; /* ??/ //",
    "backslash": "a\\",
    "quotes": "'\"\"\"'''",
    "underscore": "_hidden",
}
NAMES = list(HOSTILE.values())
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)

hostile = pytest.mark.parametrize("name", NAMES, ids=list(HOSTILE))


@given(st.text())
def test_visible_text_has_no_character_that_a_terminal_or_an_editor_obeys(text):
    assert not UNSEEN.search(visible(text))
    assert "\n" not in visible(text)
    assert not UNSEEN.search(visible_lines(text))
    visible(text).encode()  # no lone surrogate is left
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize("text", ["Größe", "大きい", "цена", "می\u200cخواهم", "👩\u200d🚀", "a b", "é", "x₁", "½"])
def test_words_of_all_languages_stay_as_they_are(text):
    assert visible(text) == text


def test_a_name_of_a_file_that_is_not_utf8_can_be_shown():
    assert visible(b"caf\xe9.csv".decode(errors="surrogateescape")) == r"caf\udce9.csv"


# -- plots ----------------------------------------------------------------------------------


def texts_of(figure) -> list[str]:
    """All texts of a figure, as Matplotlib draws them, and whether each is mathematics."""
    from matplotlib.text import Text

    return [text._preprocess_math(text.get_text()) for text in figure.findobj(Text)]


def draws(drawing, *names: str) -> None:
    """Check that a plot can be drawn, and that the names are in it as they are."""
    figure = drawing if hasattr(drawing, "savefig") else drawing.figure
    plots.png(figure)
    shown = [text for text, is_mathematics in texts_of(figure) if not is_mathematics]
    for name in names:
        assert any(visible(name) in text for text in shown), (name, shown)


X = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])


@hostile
def test_names_in_plots_are_drawn_as_they_are(name):
    classes = np.array([name, "b", name, "b"])
    net = w.Network([w.Dense(2, "tanh"), w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    net.fit(X, classes, optimizer=w.SGD(0.1), epochs=1)
    draws(plots.confusion(classes, classes), name)
    draws(plots.confusion([0, 1], [1, 1], labels=[name, "b"]), name)
    draws(plots.boundary(net, X, classes, steps=5, title=name), f"class {name}")
    draws(plots.boundaries({name: net}, X, classes, steps=5, captions={name: name}), visible(name)[:18])
    draws(plots.units(net, X, classes, steps=5), f"class {name}")
    draws(plots.network(net, inputs=[name, "b"], names=[name, "h", "o"]), name)
    draws(plots.network([1, 1], outputs=[name]), name)
    draws(plots.bars([name, "b"], [1.0, 2.0], baseline=name, xlabel=name), name)
    draws(plots.curves({"loss": [1.0, 0.5], f"loss {name}": [1.0, 0.4]}), f"loss {name}".replace("_", " "))
    draws(plots.images(np.eye(4), titles=[name, *"bcd"], columns=2))


def test_names_in_axes_of_the_user_are_drawn_as_they_are():
    from matplotlib.figure import Figure

    for name in NAMES:
        ax = Figure().subplots()
        draws(plots.confusion([0, 1], [1, 1], labels=[name, "b"], ax=ax), name)


def test_names_in_a_replay_are_drawn_as_they_are():
    classes = np.array(NAMES[:2] * 2)
    net, snapshots = w.Network([w.Dense(2)], loss=w.CrossEntropy(), seed=0), w.Snapshots(count=2)
    net.fit(X, classes, optimizer=w.SGD(0.1), epochs=2, callbacks=[snapshots])
    for show in ("boundary", "confusion"):
        assert plots.film(net, X, classes, snapshots, show=show).pictures


# -- pages ----------------------------------------------------------------------------------


@hostile
def test_names_in_html_are_text(name):
    element = ElementTree.fromstring(f'<p title="{in_html(name)}">{in_html(name)}</p>')
    assert element.text == visible_lines(name)


@hostile
def test_names_in_a_report_and_a_drawing_are_text(name, tmp_path):
    net = w.Network([w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    net.fit(X, np.array([name, "b", name, "b"]), optimizer=w.SGD(0.1), epochs=1)
    report = Report(name, name, tmp_path)
    with report.of(net):
        report.heading(name)
        report.text(name)
        report.code(name)
        report.table([name], [[name]])
        report.draw_plot(lambda: plots.confusion([0], [0], labels=[name]), "confusion", name)
    page = report.page.read_text(encoding="utf-8")
    assert not FORBIDDEN.search(page)
    assert in_html(name) in page
    ElementTree.fromstring(diagram(net))
    if "<" in name:
        assert name not in page


# -- LaTeX, C and Python --------------------------------------------------------------------


@hostile
def test_names_in_latex_have_no_command_of_their_own(name):
    text = in_latex(name)
    for own in (r"\textbackslash{}", r"\^{}", r"\~{}", "$<$", "$>$", "$|$", *(f"\\{c}" for c in "&%$#_{}")):
        text = text.replace(own, "")
    assert not set(text) & set("\\$&%#_{}^~")


@given(st.text(alphabet="*/?\\ \na") | st.text())
def test_no_text_ends_a_comment(text):
    words = in_comment(text)
    assert not {"*/", "/*", "??"} & {words[i : i + 2] for i in range(len(words))}
    assert "\n" not in words
    assert not words.endswith("\\")


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> tuple[Path, Path]:
    """A table whose file, columns, categories and classes have hostile names, and a model trained on it."""
    import polars as pl

    folder = tmp_path_factory.mktemp("hostile")
    kept = [name for name in NAMES if name.strip() == name and "\0" not in name]  # C refuses the character \\0
    rows = 4 * len(kept)
    columns = {name: np.arange(rows) % (7 + i) + 0.5 for i, name in enumerate(kept[:6])}
    columns |= {name: np.array(kept * 4) for name in kept[6:8]}
    path = folder / "[bold]$x$ <b>.csv"
    pl.DataFrame({**columns, "$y$ [red]\x1b[31m": np.repeat(kept, 4)}).write_csv(path)
    done = CliRunner().invoke(
        app, ["train", str(path), "-t", "$y$ [red]\x1b[31m", "--epochs", "2", "--out", str(folder / "m"),
              "--script", str(folder / "own.py")]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert "[red]" in done.output
    return path, folder


def test_a_table_with_hostile_names_is_trained_reported_and_predicted(table, monkeypatch):
    path, folder = table
    page = (folder / "m" / "report.html").read_text(encoding="utf-8")
    assert not FORBIDDEN.search(page)
    assert "incomplete" not in page
    model = str(folder / "m" / "model.safetensors")
    for arguments in (["summary", model, "--program"], ["predict", model, str(path), "--out", str(folder / "p.csv")],
                      ["doctor", model, str(path)], ["explain", model, str(path)]):  # fmt: skip
        done = CliRunner().invoke(app, arguments)
        assert not isinstance(done.exception, Exception) or isinstance(done.exception, SystemExit), arguments
        assert not FORBIDDEN.search(done.output), arguments
    done = CliRunner().invoke(app, ["summary", str(folder / "[blue]\x1b[31mno.safetensors")])
    assert done.exit_code == 2
    assert "[blue]\\x1b[31mno" in re.sub(r"\n", "", done.output)


def test_predictions_keep_the_names_in_a_file_and_show_them_in_a_terminal(table, monkeypatch, capsys):
    path, folder = table
    done = CliRunner().invoke(app, ["predict", str(folder / "m" / "model.safetensors"), str(path)])
    assert HOSTILE["escape sequence"] in done.stdout  # to a pipe: the data
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    terminal.write_out("a\x1b[31m\n")
    assert capsys.readouterr().out == "a\\x1b[31m\n"


def test_the_script_of_a_table_with_hostile_names_is_python_that_runs(table, tmp_path):
    _path, folder = table
    text = (folder / "own.py").read_text(encoding="utf-8")
    ast.parse(text)
    comments = [t.string for t in tokenize.generate_tokens(StringIO(text).readline) if t.type == tokenize.COMMENT]
    assert comments
    assert not any(FORBIDDEN.search(comment) for comment in comments)
    assert not FORBIDDEN.search(text)  # string literals have escapes too: an editor shows what runs


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_the_c_code_of_a_table_with_hostile_names_compiles_and_agrees(table, tmp_path):
    _, folder = table
    done = CliRunner().invoke(app, ["export", str(folder / "m" / "model.safetensors"), str(tmp_path / "m.c")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "m.c").read_text(encoding="utf-8")
    assert not FORBIDDEN.search(text)
    strict = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Wcomment", "-Wtrigraphs", "-Werror", "-pedantic", "-c"]
    subprocess.run([*strict, "m.c", "-o", "m.o"], cwd=tmp_path, check=True)


@pytest.mark.parametrize("end", ["py", "json", "onnx"])
def test_exports_of_a_table_with_hostile_names_agree(table, tmp_path, end):
    _, folder = table
    done = CliRunner().invoke(app, ["export", str(folder / "m" / "model.safetensors"), str(tmp_path / f"m.{end}")])
    assert done.exit_code == 0, done.output


# -- the terminal ---------------------------------------------------------------------------


@hostile
def test_the_console_takes_no_name_for_a_command(name, capsys):
    from rich.table import Table

    table = Table("name")
    table.add_row(name)
    for printed in (name, table):
        with output.capture() as captured:
            output.print(printed)
        assert not FORBIDDEN.search(captured.get())
        assert [part for part in visible_lines(name).split() if part not in captured.get()] == []


def test_no_console_of_the_command_line_is_another_one():
    from workings.cli import commands, main

    for module in (commands, main, terminal):
        consoles = [value for value in vars(module).values() if isinstance(value, Console)]
        assert all(isinstance(console, PlainConsole) for console in consoles)


@hostile
def test_messages_of_errors_have_only_visible_characters(name):
    assert not FORBIDDEN.search(str(InputError(f"The column {name} is missing.")))


# -- a report never costs the model ---------------------------------------------------------


def fails(*arguments, **settings):
    raise ValueError("$\\foo$ [red]\x1b[31m")


@pytest.mark.parametrize("failing", ["confusion", "curves"])
def test_a_picture_that_fails_leaves_the_model_and_the_rest_of_the_report(failing, monkeypatch, tmp_path):
    monkeypatch.setattr(plots, failing, fails)
    table = Path(__file__).parents[1] / "examples" / "flowers.csv"
    done = CliRunner().invoke(app, ["train", str(table), "-t", "species", "--epochs", "2", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert f"The plot {failing} could not be drawn" in (tmp_path / "report.html").read_text(encoding="utf-8")
    errors = [line for line in done.stderr.splitlines() if "incomplete" in line]
    assert len(errors) == 1
    assert "ValueError" in errors[0]
    assert "\x1b" not in errors[0]
    assert w.Network.load(tmp_path / "model.safetensors").classes is not None
    assert "Traceback" not in done.output


def test_a_report_that_cannot_be_written_leaves_the_model(monkeypatch, tmp_path):
    (tmp_path / "report.html").mkdir()
    table = Path(__file__).parents[1] / "examples" / "flowers.csv"
    done = CliRunner().invoke(app, ["train", str(table), "-t", "species", "--epochs", "2", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "incomplete" in done.stderr
    assert w.Network.load(tmp_path / "model.safetensors").n_in


def test_an_experiment_whose_report_fails_leaves_the_model_and_the_other_experiments(monkeypatch, tmp_path):
    from workings.experiments import xor

    monkeypatch.setattr(xor, "report_costs", fails)
    done = CliRunner().invoke(app, ["run", "xor", "--out", str(tmp_path)])
    assert done.exit_code == 1, done.output
    assert "Traceback" not in done.output
    assert "incomplete" in done.stderr
    assert w.Network.load(tmp_path / "xor" / "model.safetensors").n_in == 3
    page = (tmp_path / "xor" / "report.html").read_text(encoding="utf-8")
    assert "This report is incomplete" in page
    assert "<h2>Predictions</h2>" in page


def test_ctrl_c_in_a_report_is_not_an_error_of_the_report(tmp_path):
    net = w.Network([w.Dense(1)], loss=w.SquaredError(), seed=0, n_in=1)
    report = Report("t", "l", tmp_path)
    with pytest.raises(KeyboardInterrupt), report.of(net):
        raise KeyboardInterrupt
    assert report.model.exists()


def test_the_error_of_a_report_names_report_reason_and_model(tmp_path):
    net = w.Network([w.Dense(1)], loss=w.SquaredError(), seed=0, n_in=1)
    report = Report("t", "l", tmp_path)
    message = r"report.html is incomplete: ValueError: .*written first: .*safetensors"
    with pytest.raises(ReportError, match=message), report.of(net):
        fails()


def test_a_callback_that_fails_at_the_end_leaves_the_network_and_the_other_callbacks():
    ended = []

    class Fails(w.Callback):
        def on_train_end(self, training):
            fails()

    class Ends(w.Callback):
        def on_train_end(self, training):
            ended.append(training.history.epochs)

    net = w.Network([w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    with pytest.raises(ValueError):
        net.fit(X, [0, 1, 0, 1], optimizer=w.SGD(0.1), epochs=3, callbacks=[Fails(), Ends()])
    assert ended == [3]
    assert net.history.epochs == 3
    other = w.Network([w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    other.fit(X, [0, 1, 0, 1], optimizer=w.SGD(0.1), epochs=3)
    np.testing.assert_array_equal(net.theta, other.theta)


def test_dollars_are_escaped_once():
    assert in_plot("$a$") == r"\$a\$"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draws(plots.bars(["a$b$c"], [1.0]), "a$b$c")
