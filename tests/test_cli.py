"""The command line: what people type, what they get, what is left on the disk, and the exit code."""

from __future__ import annotations

import datetime
import io
import json
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from workings import Network, __version__, files
from workings.cli.commands import app
from workings.cli.table_plan import Plan, TableSource
from workings.cli.table_splits import folds_of, split_rows
from workings.cli.table_training import load_table
from workings.cli.terminal import progress_columns
from workings.tables import read_table
from workings.tables.screening import ColumnChoices

FLOWERS = Path(__file__).parents[1] / "examples" / "flowers.csv"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flowers")
    done = CliRunner().invoke(
        app, ["train", str(FLOWERS), "--target", "species", "--plain", "--out", str(folder), "--epochs", "60"]
    )
    assert done.exit_code == 0, done.output
    return folder


def test_help_names_every_command(command):
    done = command("--help")
    assert done.exit_code == 0
    for name in (
        "run",
        "train",
        "sweep",
        "predict",
        "summary",
        "script",
        "explain",
        "doctor",
        "museum",
        "translate",
        "export",
    ):
        assert name in done.stdout
        assert command(name, "--help").exit_code == 0
        assert command(name, "-h").stdout == command(name, "--help").stdout
    assert command("-h").stdout == done.stdout


def test_version(command):
    assert __version__ in command("--version").stdout


def test_the_module_is_the_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "workings", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert __version__ in done.stdout


def test_without_typer_the_extra_is_named(tmp_path):
    hide = "import sys; sys.modules['typer'] = None; from workings.cli.main import run; run()"
    done = subprocess.run([sys.executable, "-c", hide], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install '.[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_xor_writes_everything_and_agrees(command, tmp_path):
    done = command("run", "xor", "--out", "results")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "results" / "xor"
    names = {path.name for path in folder.iterdir()}
    assert {"report.html", "figures.json", "model.safetensors", "cost.png", "boundary.png"} <= names
    figures = json.loads((folder / "figures.json").read_text())
    assert [set(figure) for figure in figures] == [{"name", "published", "own_code", "measured", "agrees"}] * len(
        figures
    )
    assert all(figure["agrees"] for figure in figures)
    report = (folder / "report.html").read_text()
    assert "http:" not in report.replace("http://www.w3.org", "")
    assert "https:" not in report  # pictures in base64 have no colon
    assert report.count("data:image/png;base64,") == len([name for name in names if name.endswith(".png")])
    model = Network.load(folder / "model.safetensors")
    predictions = model.predict(np.array([[0, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1.0]]))
    np.testing.assert_allclose(predictions, [0.02039406, 0.96795662, 0.97199464, 0.02758648], atol=5e-9)


@pytest.mark.slow
def test_another_seed_has_nothing_to_compare_with(command, tmp_path):
    done = command("run", "xor", "--seed", "7")
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "workings-runs" / "xor" / "figures.json").read_text())
    assert {figure["agrees"] for figure in figures} == {None}


def test_a_figure_that_does_not_agree_is_exit_code_1(command, monkeypatch):
    monkeypatch.setattr("workings.experiments.xor.PREDICTIONS", (0.5, 0.5, 0.5, 0.5))
    done = command("run", "xor")
    assert done.exit_code == 1
    assert "DIFFERS" in done.stdout


def test_an_unknown_experiment_or_engine(command):
    assert command("run", "xnor").exit_code == 2
    done = command("run", "xor", "--engine", "steam")
    assert done.exit_code == 2
    assert "Unknown engine 'steam'" in done.stderr


def test_train_says_what_it_did(flowers):
    assert {path.name for path in flowers.iterdir()} >= {
        "model.safetensors",
        "report.html",
        "curves.png",
        "confusion.png",
    }
    assert "species" in (flowers / "report.html").read_text()
    assert not (flowers / "figures.json").exists()


def test_predict_gives_labels_and_probabilities(command, flowers, tmp_path):
    done = command("predict", flowers / "model.safetensors", FLOWERS)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "prediction,p(setosa),p(versicolor),p(virginica)"
    assert len(lines) == 151
    assert "accuracy" in done.stderr
    for name in ("out.csv", "out.parquet"):
        assert command("predict", flowers / "model.safetensors", FLOWERS, "--out", name).exit_code == 0
        frame = read_table(tmp_path / name)
        assert frame["prediction"].to_list() == [line.split(",")[0] for line in lines[1:]]
        np.testing.assert_allclose(frame.select(frame.columns[1:]).to_numpy().sum(axis=1), 1)


def test_predictions_are_those_of_the_model_in_python(flowers):
    network = Network.load(flowers / "model.safetensors")
    frame = read_table(FLOWERS)
    X = frame.drop("species").to_numpy()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    assert (network.predict(X) == frame["species"].to_numpy()).mean() > 0.93


def test_a_missing_column_is_named(command, flowers, tmp_path):
    (tmp_path / "short.csv").write_text("sepal_length,petal_width\n1,2\n")
    done = command("predict", flowers / "model.safetensors", "short.csv")
    assert done.exit_code == 2
    assert "sepal_width" in done.stderr
    assert "Traceback" not in done.output


def test_summary_tells_the_layers_the_classes_and_the_columns(command, flowers):
    done = command("summary", flowers / "model.safetensors", "--program")
    assert done.exit_code == 0
    for words in ("Dense(32, 'relu')", "setosa, versicolor, virginica", "4 numeric columns", "dW1 = X.T @ dz1"):
        assert words in done.stdout


def test_regression_is_recognized_and_undone(command, tmp_path):
    rng = np.random.default_rng(0)
    x, c = rng.uniform(0, 10, 300), rng.choice(["a", "b"], 300)
    rows = [f"{a:.4f},{b},{1000 + 50 * a + (20 if b == 'b' else 0):.4f}" for a, b in zip(x, c, strict=True)]
    (tmp_path / "prices.csv").write_text("size,kind,price\n" + "\n".join(rows) + "\n")
    done = command("train", "prices.csv", "--target", "price", "--plain", "--epochs", "100")
    assert done.exit_code == 0, done.output
    assert "regression" in done.stdout
    model = tmp_path / "workings-runs" / "prices-price" / "model.safetensors"
    assert command("predict", model, "prices.csv", "--out", "p.csv").exit_code == 0
    predicted = read_table(tmp_path / "p.csv")["prediction"].to_numpy()
    true = read_table(tmp_path / "prices.csv")["price"].to_numpy()
    assert np.abs(predicted - true).mean() < 10


def test_marks_for_gaps_are_imputed_in_training_and_in_predictions(command, tmp_path):
    rows = [
        f"{i if i % 9 else 'NA'},{'?' if i % 7 == 0 else 'ab'[i % 2]},{'yes' if i % 2 else 'no'}" for i in range(80)
    ]
    (tmp_path / "gaps.csv").write_text("n,c,y\n" + "\n".join(rows) + "\n")
    assert "Text 'NA' in row 1" in command("train", "gaps.csv", "--target", "y", "--missing", "refuse").stderr
    done = command("train", "gaps.csv", "--target", "y", "--impute", "--epochs", "3", "--out", "m")
    assert done.exit_code == 0, done.output
    assert "  n: number" in command("summary", "m/model.safetensors").stdout
    done = command("predict", "m/model.safetensors", "gaps.csv")
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 81


def taken_over(last, table, y, folder, end):
    """A pipeline of scikit-learn, fitted, and the model file of it."""
    compose, preprocessing = pytest.importorskip("sklearn.compose"), pytest.importorskip("sklearn.preprocessing")
    words = [name for name in table if name != "a"]
    columns = compose.ColumnTransformer(
        [("n", preprocessing.StandardScaler(), ["a"]), ("w", preprocessing.OneHotEncoder(), words)]
    )
    pipeline = pytest.importorskip("sklearn.pipeline").make_pipeline(columns, last)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few steps are enough
        pipeline.fit(table, y)
    files.save(Network.from_sklearn(pipeline), folder / f"m.{end}")
    table.to_csv(folder / "rows.csv", index=False)
    return pipeline


def a_table(categories, n=2500):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(1)
    words = [f"c{number:05}" for number in rng.permutation(n) % categories]
    return pandas.DataFrame({"a": rng.normal(5, 3, n), "code": words})


@pytest.mark.parametrize("end", ["safetensors", "onnx", "json"])
def test_a_pipeline_with_more_categories_than_are_learned_here_predicts(command, tmp_path, end):
    if end == "onnx":
        pytest.importorskip("onnx")
    neural = pytest.importorskip("sklearn.neural_network")
    table = a_table(1500)
    y = np.where(table.a > 5, "high", "low")
    pipeline = taken_over(neural.MLPClassifier((4,), max_iter=3, random_state=0), table, y, tmp_path, end)
    done = command("predict", f"m.{end}", "rows.csv", "--out", "p.csv")
    assert done.exit_code == 0, done.output
    frame = read_table("p.csv")
    assert frame["prediction"].to_list() == pipeline.predict(table).tolist()
    found = np.stack([frame[f"p({label})"] for label in ("high", "low")], axis=1)
    np.testing.assert_allclose(found, pipeline.predict_proba(table), rtol=1e-9)
    assert "1500 categories: c00000, c00001" in command("summary", f"m.{end}").stdout
    Path("new.csv").write_text("a,code\n1,c99999\n")
    refused = command("predict", f"m.{end}", "new.csv")
    assert refused.exit_code == 2
    assert "'c99999' in row 1" in " ".join(refused.stderr.split())
    assert len(refused.stderr) < 600
    assert command("predict", f"m.{end}", "new.csv", "--unknown", "ignore").exit_code == 0


@pytest.mark.parametrize("end", ["safetensors", "onnx", "json"])
def test_several_labels_a_row_are_predicted_each_in_its_column(command, tmp_path, end):
    if end == "onnx":
        pytest.importorskip("onnx")
    neural = pytest.importorskip("sklearn.neural_network")
    table = a_table(3, 400)
    y = np.stack([table.a > 5, table.code == "c00001", table.a < 3], axis=1).astype(int)
    pipeline = taken_over(neural.MLPClassifier((9,), max_iter=60, random_state=0), table, y, tmp_path, end)
    done = command("predict", f"m.{end}", "rows.csv", "--out", "p.csv")
    assert done.exit_code == 0, done.output
    frame = read_table("p.csv")
    assert frame.columns == [*(f"prediction({i})" for i in range(3)), *(f"p({i})" for i in range(3))]
    np.testing.assert_array_equal(frame.to_numpy()[:, :3], pipeline.predict(table))
    assert set(map(tuple, pipeline.predict(table))) > {(1, 0, 0)}
    np.testing.assert_allclose(frame.to_numpy()[:, 3:], pipeline.predict_proba(table), rtol=1e-9)
    assert "3 labels (0, 1, 2), each yes or no" in command("summary", f"m.{end}").stdout
    table.assign(target=1).to_csv("known.csv", index=False)  # one column is no target of three labels
    assert command("predict", f"m.{end}", "known.csv").stdout == command("predict", f"m.{end}", "rows.csv").stdout
    refused = command("doctor", f"m.{end}", "known.csv")
    assert refused.exit_code == 2
    assert "predicts 3 labels for each row" in " ".join(refused.output.split())


@pytest.mark.parametrize("end", ["safetensors", "onnx", "json"])
def test_several_numbers_a_row_are_predicted_each_in_its_column(command, tmp_path, end):
    if end == "onnx":
        pytest.importorskip("onnx")
    neural = pytest.importorskip("sklearn.neural_network")
    table = a_table(3, 200)
    y = np.stack([table.a, 2 - table.a], axis=1)
    pipeline = taken_over(
        neural.MLPRegressor(hidden_layer_sizes=(9,), max_iter=20, random_state=0), table, y, tmp_path, end
    )
    assert command("predict", f"m.{end}", "rows.csv", "--out", "p.csv").exit_code == 0
    frame = read_table("p.csv")
    assert frame.columns == ["prediction(0)", "prediction(1)"]
    np.testing.assert_allclose(frame.to_numpy(), pipeline.predict(table), rtol=1e-9)
    bare = neural.MLPRegressor(max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bare.fit(table[["a"]], y[:, 0])
    files.save(bare, f"bare.{end}")  # of which nothing is standardized
    told = command("summary", f"bare.{end}").stdout
    assert "1 numeric column not standardized; target 'target': regression, not standardized" in told
    assert "  a: number, not standardized" in told
    assert command("predict", f"bare.{end}", "rows.csv", "--out", "bare.csv").exit_code == 0
    np.testing.assert_allclose(read_table("bare.csv")["prediction"], bare.predict(table[["a"]]), rtol=1e-9)


def test_decimal_commas_beside_marks_for_gaps_are_numbers_in_training_predicting_and_the_script(command, tmp_path):
    values = [f"{i / 4}".replace(".", ",") if i % 9 else "NA" for i in range(80)]
    rows = [f"{value};{'ab'[i % 2]};{'yes' if i % 2 else 'no'}" for i, value in enumerate(values)]
    (tmp_path / "gaps.csv").write_text("n;c;y\n" + "\n".join(rows) + "\n")
    assert "Text 'NA' in row 1" in command("train", "gaps.csv", "--target", "y", "--missing", "refuse").stderr
    options = ("--target", "y", "--impute", "--epochs", "3", "--out", "m", "--script", "own.py")
    assert command("train", "gaps.csv", *options).exit_code == 0
    assert "  n: number" in command("summary", "m/model.safetensors").stdout
    done = command("predict", "m/model.safetensors", "gaps.csv")
    assert len(done.stdout.splitlines()) == 81
    points = (tmp_path / "gaps.csv").read_text().replace(",", ".").replace(";", ",")
    (tmp_path / "points.csv").write_text(points)
    assert command("predict", "m/model.safetensors", "points.csv").stdout == done.stdout
    subprocess.run([sys.executable, "own.py"], cwd=tmp_path, check=True, capture_output=True)


def trained_on(command, text: str, *options: str) -> str:
    """What `workings train` says of a table with the target y, whose model is then in the folder m."""
    Path("t.csv").write_text(text)
    done = command("train", "t.csv", "--target", "y", "--plain", "--out", "m", "--epochs", "60", *options)
    assert done.exit_code == 0, done.output
    return str(done.stdout)


def predicted(command, text: str) -> list[str]:
    """The lines that `workings predict` writes for a table."""
    Path("new.csv").write_text(text)
    done = command("predict", "m/model.safetensors", "new.csv")
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()[1:]


def test_a_code_is_the_same_word_in_every_file(command):
    rows = [("007", "x"), ("7", "z"), ("A", "x")] * 20
    trained_on(command, "code,y\n" + "".join(f"{code},{y}\n" for code, y in rows))
    together = predicted(command, "code\n007\n7\nA\n")
    assert [line.split(",")[0] for line in together] == ["x", "z", "x"]
    for code, line in zip(("007", "7", "A"), together, strict=True):
        label, *expected = line.split(",")
        for count in (1, 2):
            for alone in predicted(command, "code\n" + f"{code}\n" * count):
                assert alone.split(",")[0] == label
                np.testing.assert_allclose(np.array(alone.split(",")[1:], float), np.array(expected, float), rtol=1e-12)
        assert Network.load("m/model.safetensors").predict(read_table("new.csv")).tolist() == [label] * 2
    Path("new.csv").write_text("code\n0007\n")
    refused = command("predict", "m/model.safetensors", "new.csv")
    assert refused.exit_code == 2
    assert "'0007' in row 1" in " ".join(refused.stderr.split())


def test_true_and_false_without_unknown_are_the_words_that_were_trained(command):
    rows = [("true", "x"), ("false", "z"), ("unknown", "x")] * 20
    trained_on(command, "smoker,y\n" + "".join(f"{smoker},{y}\n" for smoker, y in rows))
    lines = predicted(command, "smoker\ntrue\nfalse\n")
    network = Network.load("m/model.safetensors")
    for table in (read_table("new.csv"), {"smoker": [True, False]}, {"smoker": ["true", "false"]}):
        assert network.predict(table).tolist() == [line.split(",")[0] for line in lines] == ["x", "z"]


def test_labels_keep_their_zeros_in_predictions_and_in_the_script(command):
    rows = [f"{i % 3},{('01', '02', '10')[i % 3]}" for i in range(60)]
    told = trained_on(command, "\n".join(["a,y", *rows]) + "\n", "--script", "own.py")
    assert "text with 3 values: classification" in told
    for cells in ("0", "2", "0\n1\n2"):
        labels = [("01", "02", "10")[int(cell)] for cell in cells.split("\n")]
        assert [line.split(",")[0] for line in predicted(command, f"a\n{cells}\n")] == labels
    assert "p(01),p(02),p(10)" in command("predict", "m/model.safetensors", "t.csv").stdout
    assert "accuracy 1.0000" in command("predict", "m/model.safetensors", "t.csv").stderr
    Path("own.py").write_text(Path("own.py").read_text() + "\nprint(sorted(set(predict(table).tolist())))\n")
    done = subprocess.run([sys.executable, "own.py"], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "['01', '02', '10']"


@pytest.mark.parametrize("head", ["", "Unnamed: 0"])
def test_pandas_index_is_left_out_of_a_training_and_a_line_says_so(command, head):
    noise = np.random.default_rng(0).normal(size=200)
    rows = "".join(f"{i},{value:.3f},{'no' if i < 100 else 'yes'}\n" for i, value in enumerate(noise))
    told = trained_on(command, f"{head},a,y\n{rows}")
    assert len([line for line in told.splitlines() if "left out: 'Unnamed: 0', pandas' index" in line]) == 1
    assert "left out: &#x27;Unnamed: 0&#x27;" in Path("m/report.html").read_text()
    assert float(re.search(r"validation +\d+ rows +accuracy ([\d.]+)", told)[1]) < 0.8
    assert "a: number" in (summary := command("summary", "m/model.safetensors").stdout)
    assert "Unnamed" not in summary
    assert predicted(command, f"{head},a\n5,0.25\n") == predicted(command, "a\n0.25\n")


def test_a_class_that_is_only_in_the_validation_rows_is_known(command, tmp_path):
    rows = [f"{i},{'rare' if i == 5 else 'xz'[i % 2]}" for i in range(60)]
    (tmp_path / "rare.csv").write_text("a,y\n" + "\n".join(rows) + "\n")
    for seed in range(6):
        done = command("train", "rare.csv", "--target", "y", "--epochs", "1", "--seed", seed)
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "specis"], "Did you mean 'species'?"),
        (["--target", "species", "--activation", "rellu"], "Did you mean 'relu'?"),
        (["--target", "species", "--hidden", "32;16"], "whole numbers separated by commas"),
        (["--target", "species", "--hidden", "3,,4"], "whole numbers separated by commas"),
        (["--target", "species", "--hidden", "3,"], "whole numbers separated by commas"),
        (["--target", "species", "--hidden", ","], "whole numbers separated by commas"),
        (["--target", "species", "--optimizer", "adm"], "Did you mean 'adam'?"),
        (["--target", "species", "--loss", "SquaredError"], "does not suit classification"),
        (["--target", "species", "--validation", "1.5"], "a fraction from 0 to below 1"),
        (["--target", "species", "--optimizer", "sgd", "--lr", "1e200"], "diverged"),
    ],
)
def test_what_cannot_be_is_one_message(command, tmp_path, arguments, words):
    done = command("train", FLOWERS, *arguments)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.output
    assert not list(tmp_path.rglob("model.safetensors"))


def test_a_folder_that_cannot_be_written(command, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = command("train", FLOWERS, "--target", "species", "--epochs", "1", "--out", "file/inside")
    assert done.exit_code == 2
    assert "Cannot write to" in done.stderr


def test_every_optimizer_and_option_trains(command):
    for options in (
        "--optimizer lbfgs",
        "--optimizer nesterov --dropout 0.1 --l2 0.001",
        "--hidden= --balanced --validation 0",
        "--batch-size 0 --drop sepal_width",
    ):
        done = command("train", FLOWERS, "--target", "species", "--epochs", "5", *options.split())
        assert done.exit_code == 0, done.output


def test_explain_works_a_step_of_an_experiment(command):
    done = command("explain", "xor", "--row", 1, "--html", "xor.html", "--tex", "xor.tex")
    assert done.exit_code == 0, done.output
    assert "the step uses rows 0 to 3 of 4" in done.output
    assert "<math" in Path("xor.html").read_text(encoding="utf-8")
    assert r"\documentclass" in Path("xor.tex").read_text(encoding="utf-8")
    assert "J before the step" in command("explain", "digits", "--row", 5).output
    assert "How W1[0,2] affects J" in command("explain", "xor", "--why", "W1[0,2]").output


def test_explain_works_a_step_of_a_model_with_rows_of_a_table(command, flowers):
    model = flowers / "model.safetensors"
    done = command("explain", model, FLOWERS, "--optimizer", "adam", "--row", 20)
    assert done.exit_code == 0, done.output
    assert "the step uses rows 16 to 23" in done.output
    spread = command("explain", model, FLOWERS).output
    assert "the step uses rows 0, 21, 43" in spread  # of all classes
    assert "columns of X: 0: sepal_length, 1: sepal_width" in spread
    assert "class of each output: 0: setosa, 1: versicolor, 2: virginica" in spread
    assert "Adam(lr=0.001" in done.output
    network = Network.load(model)
    np.savez("rows.npz", X=np.zeros((2, network.n_in)), y=network.classes[[0, 1]])
    assert "J after the step" in command("explain", model, "rows.npz").output


def test_explain_says_what_it_lacks(command, flowers, tmp_path):
    model = flowers / "model.safetensors"
    Path("no.npz").write_text("no")
    for arguments, words in (
        ((model,), "Rows are missing"), ((model, "nowhere.npz"), "does not exist"),
        ((model, "no.npz"), "not an .npz file"),
        (("xor", "--row", 9), "no row 9"), (("xor", "--why", "Q1[0]"), "Q1"), (("xor", "--html", "x.pdf"), ".html"),
        (("xor", FLOWERS), "has its own rows"), (("moon",), "Did you mean 'moons'?"),
        ((FLOWERS,), "train a model first"), (("xor", "--lr", "-1"), "not -1.0"),
    ):  # fmt: skip
        done = command("explain", *arguments)
        assert done.exit_code == 2, done.output
        assert words in " ".join(done.output.split())


def test_explain_takes_the_rate_that_it_is_given(command):
    assert "SGD(lr=5.0)" in command("explain", "moons", "--lr", "5").output
    assert "lr (η) = 5" in command("explain", "moons", "--lr", "5").output


def test_the_doctor_sees_the_columns_of_a_table(command):
    rows = [f"{'red' if i % 2 else 'blue'},{i % 7},7,{i}" for i in range(60)]
    Path("constant.csv").write_text("\n".join(["colour,size,always,id", *rows]))
    done = command("doctor", "constant.csv", "--target", "colour", "--plain", "--epochs", "5", "--drop", "id")
    assert "always: left out, the same value in every row; `--use always` takes it" in done.output
    assert "validation" in done.output
    done = command(
        "doctor", "constant.csv", "--target", "colour", "--plain", "--epochs", "5", "--drop", "id", "--use", "always"
    )
    assert "always: the same number in every row" in done.output
    for arguments, words in (
        (("moon",), "Did you mean 'moons'?"), (("moons", FLOWERS), "has its own rows"),
        (("model.safetensors", "--target", "x"), "stores its target"),
    ):  # fmt: skip
        done = command("doctor", *arguments)
        assert done.exit_code == 2, done.output
        assert words in " ".join(done.output.split())


def changes_in(told: str) -> list[str]:
    """The changes that a diagnosis advises."""
    return [re.sub(r"(?m)^ {15}", "", block) for block in re.findall(r"    change:\n((?: {15}.*\n)+)", told)]


@pytest.mark.parametrize(
    ("options", "finding", "advised"),
    [
        ("--lr 1e-8 --hidden 16", "learning-rate-too-small", "--hidden 16 --lr 0.01"),
        ("--optimizer sgd --lr 30", "learning-rate-too-large", "--optimizer sgd --lr 0.3"),
        ("--epochs 2 --seed 3", "still-falling", "--seed 3"),
        pytest.param(
            "--hidden 8,8,8,8,8,8,8,8 --activation sigmoid",
            "vanishing-gradient",
            "--hidden 8,8,8,8,8,8,8,8",
            marks=pytest.mark.slow,
        ),
        ("--activation identity", "no-bend", "--target species"),
    ],
)
def test_what_the_doctor_says_of_a_table_can_be_typed(command, options, finding, advised):
    done = command("doctor", FLOWERS, "--target", "species", "--plain", *options.split())
    assert finding in done.stdout
    for change in changes_in(done.stdout):
        words = shlex.split(change)
        assert words[:2] == ["workings", "train"]
        assert command(*words[1:]).exit_code == 0
    assert advised in changes_in(done.stdout)[0]
    assert finding not in command("doctor", *without_train(changes_in(done.stdout)[0])).stdout


def without_train(change: str) -> list[str]:
    """The same options for another command."""
    return shlex.split(change)[2:]


def test_what_the_doctor_says_of_a_tutorial_runs_as_it_stands(command):
    told = command("doctor", "xor")
    assert told.exit_code == 0
    (change,) = changes_in(told.stdout)
    names: dict[str, object] = {}
    exec(change, names)
    assert np.shape(names["X"]) == (4, 2)
    assert names["net"].loss is not None


# -- tables with text, and messages ------------------------------------------------------------


def written(name: str, *lines: str, encoding: str = "utf-8") -> str:
    """A file with these lines."""
    Path(name).write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return name


def said(done) -> str:
    """What stands on standard error, on one line."""
    assert "Traceback" not in done.output
    return " ".join(done.stderr.split())


MONEY = [f"{row},${row * 50:,}.00,{'ab'[row % 2]}" if row < 20 else f'{row},"${row * 50:,}.00",{"ab"[row % 2]}'
         for row in range(1, 41)]  # fmt: skip


def test_prices_are_read_as_money_and_the_same_in_every_later_file(command):
    table = written("prices.csv", "area,price,kind", *MONEY)
    done = command("train", table, "--target", "price", "--epochs", 3, "--out", "m", "--script", "run.py")
    assert done.exit_code == 0, done.output
    assert "the target 'price' is money ($), thousands separator ',': regression" in done.stdout
    done = command("predict", "m/model.safetensors", table)
    assert "score on the target column 'price': R²" in said(done)
    ran = subprocess.run([sys.executable, "run.py"], capture_output=True, text=True, check=True)
    network = Network.load("m/model.safetensors")
    for loss in (network.history["loss"][0], network.history["loss"][-1]):
        assert f"{loss:.6g}" in ran.stdout
    done = command("train", table, "--target", "kind", "--epochs", 3, "--out", "k")
    assert "price: read as money ($), thousands separator ','" in done.stdout
    assert "price: money ($), thousands separator ',', median" in command("summary", "k/model.safetensors").stdout
    whole = command("predict", "k/model.safetensors", table).stdout.splitlines()
    alone = written("one.csv", "area,price,kind", MONEY[30])
    label, *p = command("predict", "k/model.safetensors", alone).stdout.splitlines()[1].split(",")
    assert label == whole[31].split(",")[0]
    assert [float(each) for each in p] == pytest.approx([float(each) for each in whole[31].split(",")[1:]])
    other = written("other.csv", "area,price,kind", "1,50.00,a")
    assert "Text '50.00' in row 1" in said(command("predict", "k/model.safetensors", other))


def test_options_settle_what_a_file_leaves_open(command):
    rows = [f"{row}.{row}00|{'äb'[row % 2]}" for row in range(1, 10)]
    table = written("t.csv", "a|y", *rows, encoding="cp1252")
    assert "--encoding" in said(command("train", table, "--target", "y"))
    options = ["--encoding", "cp1252", "--delimiter", "|"]
    done = command("train", table, "--target", "y", "--epochs", 2, "--out", "m", *options, "--decimal", ",")
    assert done.exit_code == 0, done.output
    assert "a: read as numbers, decimal sign ',', thousands separator '.'" in done.stdout
    assert done.stdout.strip().endswith("--decimal , --delimiter '|' --encoding cp1252")
    assert Network.load("m/model.safetensors").preprocessing["columns"][0]["mean"] > 1000
    assert command("predict", "m/model.safetensors", table, *options).exit_code == 0
    assert "Text" not in said(
        command("doctor", table, "--target", "y", "--plain", "--epochs", 2, *options, "--decimal", ",")
    )
    assert "--script reads files in UTF-8" in said(command("train", table, "-t", "y", "--script", "s.py", *options))


def test_a_number_with_two_readings_names_the_option(command):
    table = written("t.csv", "a;y", *(f"{row}.{row}00;{'ab'[row % 2]}" for row in range(1, 10)))
    done = command("train", table, "--target", "y")
    assert "'1.100' in column 'a' can be read as 1.1 or as 1100" in said(done)
    assert "--decimal . or" in said(done).replace("`", "")
    for sign, mean in ((".", 5.5), (",", 5500)):
        assert command("train", table, "-t", "y", "--epochs", 1, "--decimal", sign, "--out", "m").exit_code == 0
        assert Network.load("m/model.safetensors").preprocessing["columns"][0]["mean"] == pytest.approx(mean, rel=0.3)


def test_a_mark_that_is_read_as_a_category_is_said(command):
    table = written(
        "t.csv", "work,y", *(f"{work},{'ab'[row % 2]}" for row, work in enumerate(["x", "?", "NA", "z"] * 3))
    )
    done = command("train", table, "--target", "y", "--epochs", 1)
    assert "work: '?' and 'NA' are read as categories; with `--impute`" in done.stdout
    assert "are read as" not in command("train", table, "--target", "y", "--epochs", 1, "--impute").stdout


def test_all_problems_of_a_table_are_one_message(command):
    rows = ["1,2,x,1", ",3,y,1", "3,4,x,1", "4,abc,y,1", "5,6,x,inf", "6,7,y,1"]
    done = command("train", written("t.csv", "a,b,y,c", *rows), "--target", "y", "--missing", "refuse")
    assert "3 problems:" in said(done)
    for part in ("no value in row 2", "'abc' in row 4", "inf in row 5", "'a'", "'b'", "'c'"):
        assert part in said(done)
    good = written("good.csv", "a,b,y", *(f"{row},{'rg'[row % 2]},{'xy'[row % 2]}" for row in range(10)))
    assert command("train", good, "--target", "y", "--epochs", 1, "--out", "m").exit_code == 0
    done = command("predict", "m/model.safetensors", written("new.csv", "a,b", ",r", "1,blue", "2,"))
    assert "2 problems:" in said(done)
    for part in ("Missing in all: 2 (a: 1, b: 1)", "'blue' in row 2"):
        assert part in said(done)


def test_gaps_identifiers_and_rare_categories_are_handled_and_said(command):
    rows = [f"{i},{'' if i % 5 == 0 else i % 7},{'' if i % 6 == 0 else 'rg'[i % 2]},{'ab'[i % 2]}" for i in range(60)]
    table = written("t.csv", "id,size,colour,y", *rows)
    done = command("train", table, "-t", "y", "--epochs", 3, "--out", "m", "--script", "own.py")
    assert done.exit_code == 0, done.output
    for words in (
        "id: left out, whole numbers that only number the rows, such as 0, 1, 2; `--use id` takes it",
        "size: 12 missing values filled with the median",
        "colour: 10 missing values read as a category of their own, '(missing)'",
    ):
        assert words in done.stdout
        assert words.replace("'", "&#x27;") in Path("m/report.html").read_text()
    ran = subprocess.run([sys.executable, "own.py"], capture_output=True, text=True, check=True)
    assert f"{Network.load('m/model.safetensors').history['loss'][-1]:.6g}" in ran.stdout
    whole = command("predict", "m/model.safetensors", table).stdout.splitlines()
    later = written("new.csv", "size,colour", ",", "3,NA", "n/a,r")
    lines = command("predict", "m/model.safetensors", later).stdout.splitlines()
    assert [float(p) for p in lines[1].split(",")[1:]] == pytest.approx([float(p) for p in whole[1].split(",")[1:]])
    assert "size: number, median" in (summary := command("summary", "m/model.safetensors").stdout)
    assert "missing values are replaced by" in summary
    done = command("train", table, "-t", "y", "--epochs", 1, "--use", "id", "--max-categories", 1, "--missing", "fill")
    assert "colour: the 1 most frequent of 2 categories are kept" in done.stdout
    assert "left out" not in done.stdout
    for options, words in (
        (("--missing", "drop"), "Known: indicate, fill, refuse"),
        (("--missing", "refuse", "--impute"), "Leave out one of the two"),
        (("--use", "idd"), "Did you mean 'id'?"),
        (("--use", "id", "--drop", "id"), "Name it in one of the two"),
    ):
        done = command("train", table, "-t", "y", *options)
        assert done.exit_code == 2
        assert words in said(done)


def test_dates_are_taken_apart_in_training_predictions_scripts_and_exports(command):
    days = [datetime.datetime(2023, 1, 1) + datetime.timedelta(days=5 * i, hours=i % 7) for i in range(60)]
    rows = [
        f"{'' if i % 11 == 3 else day.strftime('%d.%m.%Y %H:%M')},{day.date()},{'hot' if 5 < day.month < 9 else 'cold'}"
        for i, day in enumerate(days)
    ]
    table = written("t.csv", "when,iso,y", *rows)
    done = command("train", table, "-t", "y", "--epochs", 3, "--out", "m", "--script", "own.py")
    assert "when: dates, taken apart into month, day, weekday, hour" in done.stdout
    assert "when: 6 missing values filled with the median of each part, and marked in a column" in done.stdout
    ran = subprocess.run([sys.executable, "own.py"], capture_output=True, text=True, check=True)
    assert f"{Network.load('m/model.safetensors').history['loss'][-1]:.6g}" in ran.stdout
    whole = command("predict", "m/model.safetensors", table).stdout.splitlines()
    alone = command("predict", "m/model.safetensors", written("new.csv", "when,iso", rows[7].rsplit(",", 1)[0]))
    assert alone.stdout.splitlines()[1].split(",")[0] == whole[8].split(",")[0]
    assert "agrees with the network" in command("export", "m/model.safetensors", "m.py").stdout
    done = command("export", "m/model.safetensors", "m.json")
    assert "agrees with the network" in done.stdout
    both = written("both.csv", "when,y", *(f"0{1 + i % 9}/02/2024,{'ab'[i % 2]}" for i in range(20)))
    assert "`--dates day-first` or `--dates month-first`" in said(command("train", both, "-t", "y"))
    done = command("train", both, "-t", "y", "--epochs", 1, "--dates", "month-first", "--out", "b")
    assert "when: dates, taken apart into month, weekday" in done.stdout


def rows_of_patients(count: int = 60) -> str:
    rng = np.random.default_rng(0)
    rows = [
        f"p{i // 5:02},{datetime.date(2023, 1, 1) + datetime.timedelta(days=int(day))},{rng.normal():.3f},{i % 3}"
        for i, day in enumerate(rng.permutation(count))
    ]
    rows = [f"{row},{'high' if float(row.split(',')[2]) > 0 else 'low'}" for row in rows]
    return written("patients.csv", "patient,day,a,b,y", *rows)


def test_test_rows_are_scored_and_nothing_else(command):
    table = rows_of_patients()
    done = command("train", table, "-t", "y", "--test", 0.25, "--epochs", 30, "--out", "m")
    assert done.exit_code == 0, done.output
    assert re.search(r"training +36 rows .*\nvalidation +9 rows .*\ntest +15 rows +accuracy", done.stdout)
    lines = Path(table).read_text().splitlines()
    changed = read_table(table)  # the features of the test rows change nothing in the training
    source, plan = TableSource(Path(table), "y"), plan_of(test=0.25)
    loaded = load_table(source, plan)
    split = split_rows(loaded.kinds, plan)
    assert sorted([*split.training, *split.validation, *split.test]) == list(range(60))
    values = changed["a"].to_numpy().copy()
    values[split.test] *= -3
    rows = [row.split(",") for row in lines[1:]]
    other = [",".join([*row[:2], str(value), *row[3:]]) for row, value in zip(rows, values, strict=True)]
    done = command(
        "train", written("other.csv", lines[0], *other), "-t", "y", "--test", 0.25, "--epochs", 30, "--out", "n"
    )
    assert done.exit_code == 0
    first, second = (Network.load(f"{folder}/model.safetensors") for folder in "mn")
    assert first.theta.tobytes() == second.theta.tobytes()
    for share, words in ((1.5, "--test is a fraction"), (0.001, "gives 0 test rows")):
        assert words in said(command("train", table, "-t", "y", "--test", share))


def plan_of(**changes: object) -> Plan:
    usual = {"hidden": "4", "activation": "relu", "loss": "auto", "optimizer": "adam", "lr": None, "epochs": 2,
             "batch_size": 32, "validation": 0.2, "patience": 5, "l2": 0.0, "dropout": 0.0, "balanced": False,
             "seed": 0, "engine": "reference"}  # fmt: skip
    return Plan(**{**usual, **changes})  # type: ignore[arg-type]


def test_groups_stay_together_and_later_rows_are_held_out(command):
    table = Path(rows_of_patients())
    frame = read_table(table)
    for seed in range(5):
        plan = plan_of(group="patient", test=0.2, seed=seed)
        loaded = load_table(TableSource(table, "y"), plan)
        assert [column.source for column in loaded.whole.columns][-2:] == ["a", "b"]
        assert "patient" not in [column.source for column in loaded.whole.columns]
        split = split_rows(loaded.kinds, plan)
        sets = [set(frame["patient"].gather(rows).to_list()) for rows in (split.training, split.validation, split.test)]
        assert all(sets)
        assert sum(map(len, sets)) == len(set.union(*sets))
        folds = folds_of(loaded.kinds, 4, seed)
        assert sorted(np.concatenate([held for _, held in folds])) == list(range(60))
        for known, held in folds:
            assert not set(frame["patient"].gather(known)) & set(frame["patient"].gather(held))
    plan = plan_of(time_order="day", test=0.2)
    loaded = load_table(TableSource(table, "y"), plan)
    split, days = split_rows(loaded.kinds, plan), frame["day"].to_numpy()
    assert days[split.training].max() < days[split.validation].min()
    assert days[split.validation].max() < days[split.test].min()
    texts = frame.with_columns(frame["day"].dt.strftime("%d/%m/%y"))  # dates with two readings
    texts.write_csv("texts.csv")
    source = TableSource(Path("texts.csv"), "y", choices=ColumnChoices(dates="day-first"))
    assert (split_rows(load_table(source, plan).kinds, plan).test == split.test).all()
    for known, held in folds_of(loaded.kinds, 4, 0):
        assert days[known].max() < days[held].min()
    for options, words in (
        (("--group", "patients"), "Did you mean 'patient'?"), (("--time-order", "y"), "is the target"),
        (("--time-order", "patient"), "neither numbers nor dates"),
        (("--group", "patient", "--time-order", "day"), "two ways to split"), (("--folds", 1), "at least 2"),
        (("--folds", 50), "at least two rows"), (("--folds", 13, "--group", "patient"), "needs at least 13 groups"),
        (("--folds", 3, "--test", 0.2, "--script", "s.py"), "leave out --test and --folds"),
    ):  # fmt: skip
        done = command("train", table, "-t", "y", "--epochs", 1, *options)
        assert done.exit_code == 2, done.output
        assert words in said(done)


@pytest.mark.parametrize("target", ["y", "a"])
def test_folds_write_a_prediction_for_each_row(command, target):
    table = rows_of_patients()
    done = command("train", table, "-t", target, "--folds", 3, "--epochs", 5, "--out", "m")
    assert done.exit_code == 0, done.output
    assert re.search(r"folds +60 rows +(accuracy|R²) -?[\d.]+ ± [\d.]+", done.stdout)
    assert "(mean ± spread of 3 folds)" in done.stdout
    found, frame = read_table("m/out_of_fold.csv"), read_table(table)
    assert found["row"].to_list() == list(range(1, 61))
    assert found["true"].to_list() == (frame["y"].to_list() if target == "y" else pytest.approx(frame["a"].to_list()))
    assert sorted(set(found["fold"].to_list())) == [1, 2, 3]
    expected = ["row", "fold", "true", "prediction", *(["p(high)", "p(low)"] if target == "y" else [])]
    assert found.columns == expected
    plain = command("train", table, "-t", target, "--epochs", 5, "--out", "n")
    assert plain.exit_code == 0
    first, second = (Network.load(f"{folder}/model.safetensors") for folder in "mn")
    assert first.theta.tobytes() == second.theta.tobytes()  # folds leave the model as it is


def test_chosen_columns_and_intervals_go_with_the_predictions(command):
    rng = np.random.default_rng(0)
    a = rng.normal(size=300)
    rows = [f"00{i},n{i},{a[i]:.3f},{100 + 5 * a[i] + rng.normal():.3f}" for i in range(300)]
    table = written("t.csv", "code,name,a,price", *rows)
    done = command("train", table, "-t", "price", "--epochs", 30, "--out", "m", "--validation", 0.3)
    assert "name: left out, text that names the rows" in done.stdout
    done = command(
        "predict", "m/model.safetensors", table, "--keep", "code,price", "--intervals", 0.9, "--out", "p.csv"
    )
    assert done.exit_code == 0, done.output
    lines = Path("p.csv").read_text().splitlines()
    assert lines[0] == "code,price,prediction,lower,upper"
    assert lines[1].startswith("000,")
    frame = read_table("p.csv")
    inside = ((frame["price"] >= frame["lower"]) & (frame["price"] <= frame["upper"])).mean()
    assert 0.8 < inside < 0.98
    assert (frame["upper"] - frame["lower"]).round(6).n_unique() == 1
    for options, words in (
        (("--keep", "nam"), "Did you mean 'name'?"), (("--intervals", 0.999), "need at least 999 held-out rows"),
        (("--intervals", 90), "above 0 and below 1, not 90"),
    ):  # fmt: skip
        assert words in said(command("predict", "m/model.safetensors", table, *options))
    bare = command("predict", "m/model.safetensors", written("one.csv", "a", "0.5"))
    assert len(bare.stdout.splitlines()) == 2


def test_intervals_of_classes_and_of_models_without_errors_are_refused(command, flowers):
    model = flowers / "model.safetensors"
    assert "probability of each class already" in said(command("predict", model, FLOWERS, "--intervals", 0.9))
    network = Network.load(model)
    stored = dict(network.preprocessing)
    network.preprocessing = {key: value for key, value in stored.items() if key != "training"}  # as older models
    network.save("old.safetensors")
    assert command("predict", "old.safetensors", FLOWERS).stdout == command("predict", model, FLOWERS).stdout
    network.preprocessing = {**stored, "training": {"rows": 0}}
    network.save("damaged.safetensors")
    assert "preprocessing is damaged" in said(command("predict", "damaged.safetensors", FLOWERS))


def test_drift_from_the_training_table_is_said(command, flowers):
    model = flowers / "model.safetensors"
    assert "drift" not in said(command("predict", model, FLOWERS))
    lines = FLOWERS.read_text().splitlines()
    moved = [line.split(",") for line in lines[1:]]
    place = lines[0].split(",").index("petal_width")
    rows = [",".join([*row[:place], str(float(row[place]) + 2), *row[place + 1 :]]) for row in moved]
    table = written("moved.csv", lines[0], *rows)
    done = command("predict", model, table)
    assert re.search(
        r"drift: column 'petal_width': \d+ % of the values are at most [\d.]+; in training \d+ %", said(done)
    )
    assert said(done).count("drift:") == 1
    assert "drift (likely)" in command("doctor", model, table).stdout
    only = written("virginica.csv", lines[0], *(line for line in lines[1:] if "virginica" in line))
    assert "drift: column 'petal_length'" in said(command("predict", model, only))
    assert "drift" not in said(command("predict", model, written("few.csv", lines[0], *rows[:19])))


def test_a_leak_is_a_problem_that_names_the_option(command):
    rng = np.random.default_rng(0)
    a, y = rng.normal(size=200), rng.choice(["no", "yes"], 200)
    table = written("t.csv", "a,b,status,paid,y", *(
        f"{a[i]:.3f},{i % 4},{'closed' if y[i] == 'yes' else 'open'},{5 * (y[i] == 'yes') + abs(a[i]):.2f},{y[i]}"
        for i in range(200)
    ))  # fmt: skip
    done = command("train", table, "-t", "y", "--epochs", 2)
    for name in ("status", "paid"):
        assert f"problem: {name} alone gives the target of held-out rows" in done.stdout
        assert f"`--drop {name}`" in done.stdout
    assert "problem: a" not in done.stdout
    done = command("doctor", table, "-t", "y", "--plain", "--epochs", 20)
    assert done.exit_code == 1
    assert "problem: target-leak" in done.stdout
    assert any(change.strip().endswith("--drop status,paid") for change in changes_in(done.stdout))
    price = np.exp(2 * a)
    tax = written("tax.csv", "a,tax,price", *(f"{rng.normal():.3f},{p * 0.19:.4f},{p:.4f}" for p in price))
    assert "problem: tax alone gives the target" in command("train", tax, "-t", "price", "--epochs", 2).stdout
    assert "problem:" not in command("train", FLOWERS, "-t", "species", "--epochs", 2).stdout


def test_the_doctor_writes_what_it_advises_for_a_skewed_target_and_a_code(command):
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    skewed = [f"{x:.3f},{np.exp(8 + 1.5 * x + rng.normal()):.2f}" for x in a]
    done = command("doctor", written("skew.csv", "a,price", *skewed), "-t", "price", "--plain", "--epochs", 3)
    assert "skewed-targets" in done.stdout
    (change,) = (change for change in changes_in(done.stdout) if "logarithm" in change)
    exec(change, {})
    np.testing.assert_allclose(read_table("skew-log.csv")["price"], np.log1p(read_table("skew.csv")["price"]))
    assert "workings train skew-log.csv --target price" in change
    ages = [f"{x:.3f},{-999 if i % 20 == 0 else 20 + i % 50},{'ab'[int(x > 0)]}" for i, x in enumerate(a)]
    done = command("doctor", written("code.csv", "x,age,y", *ages), "-t", "y", "--plain", "--epochs", 3)
    assert "column 'age' is -999 in" in done.stdout
    (change,) = (change for change in changes_in(done.stdout) if "-999" in change)
    exec(change, {})
    assert read_table("code-gaps.csv")["age"].null_count() == 10


def test_a_refused_training_leaves_nothing_behind(command, tmp_path):
    table = written("t.csv", "a,y", "1,x", ",y", "3,x")
    for options in (("--missing", "refuse"), ("--missing", "refuse", "--out", "deep/in/here")):
        done = command("train", table, "--target", "y", *options)
        assert done.exit_code == 2
        assert done.stderr.startswith("error: ")
    done = command("train", FLOWERS, "--target", "species", "--optimizer", "sgd", "--lr", "1e200", "--out", "deep/in")
    assert "diverged" in said(done)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(("arguments", "words"), [
    (["--optimizer", "lbfgs", "--lr", "0.1"], "--lr is 0.1, but L-BFGS chooses"),
    (["--optimizer", "lbfgs", "--batch-size", "8"], "--batch-size is 8, but each step of L-BFGS"),
    (["--decimal", "x"], "The decimal sign is '.' or ',', not 'x'"),
    (["--delimiter", "::"], "not one character"),
    (["--encoding", "klingon"], "Unknown encoding 'klingon'"),
])  # fmt: skip
def test_options_without_effect_are_refused(command, arguments, words):
    assert words in said(command("train", FLOWERS, "--target", "species", "--epochs", 1, *arguments))


def test_a_seed_for_a_model_is_refused(command, flowers):
    model = flowers / "model.safetensors"
    for arguments in (("script", model), ("explain", model, FLOWERS), ("doctor", model, FLOWERS)):
        done = command(*arguments, "--seed", 3)
        assert done.exit_code == 2
        assert "--seed is 3, but a model file has its weights already" in said(done)


def test_a_label_that_is_not_known_leaves_out_the_score_and_says_why(command, flowers):
    lines = FLOWERS.read_text().splitlines()
    strange = lines[1].rsplit(",", 1)[0] + ",tulip"
    done = command("predict", flowers / "model.safetensors", written("new.csv", lines[0], strange))
    assert done.exit_code == 0
    assert "no score on the target column 'species': The label 'tulip' in row 1" in said(done)


def test_yes_in_a_column_of_true_and_false_says_what_is_expected(command):
    rows = [f"{'true' if row % 2 else 'false'},{row},{'ab'[row % 2]}" for row in range(10)]
    table = written("t.csv", "flag,b,y", *rows)
    assert command("train", table, "--target", "y", "--epochs", 1, "--out", "m").exit_code == 0
    done = command("predict", "m/model.safetensors", written("new.csv", "flag,b", "yes,1"))
    assert "'yes' in row 1" in said(done)
    assert "'flag': this column must hold numbers, or true and false" in said(done)


def test_the_doctor_of_a_model_names_the_columns_of_the_table(command, flowers):
    lines = FLOWERS.read_text().splitlines()
    place = lines[0].split(",").index("petal_width")
    rows = [line.split(",") for line in lines[1:]]
    scaled = [",".join([*row[:place], str(float(row[place]) * 1000), *row[place + 1 :]]) for row in rows]
    done = command("doctor", flowers / "model.safetensors", written("mm.csv", lines[0], *scaled))
    assert "column 'petal_width' has mean" in done.stdout
    assert "in training it was" in done.stdout
    assert " of X" not in done.stdout
    assert "standard(X" not in done.stdout
    done = command("doctor", flowers / "model.safetensors", written("same.csv", lines[0], *[lines[1]] * 20))
    assert "constant-column" not in done.stdout


def test_run_without_a_terminal_reports_each_experiment_as_it_ends(command):
    done = command("run", "xor")
    assert re.search(r"^xor: done in [\d.]+ s, \d+ of \d+ compared figures agree$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_a_progress_bar_shows_bar_and_epoch_at_any_width(width):
    screen = Console(width=width, file=io.StringIO())
    progress = Progress(*progress_columns(width), console=screen)
    metrics = "loss 0.1234  val_loss 0.2345  val_accuracy 0.9333"
    progress.add_task("a-table-with-a-long-name.csv: training", total=20_000, completed=9_000, metrics=metrics)
    screen.print(progress.get_renderable())
    (line,) = screen.file.getvalue().splitlines()
    assert "9,000/20,000" in line
    assert "━━━" in line
    assert ("loss 0.1234" in line) == (width >= 80)


def test_a_report_shows_a_statement_above_its_meaning_on_a_narrow_screen(command, flowers):
    page = (flowers / "report.html").read_text(encoding="utf-8")
    narrow = page[page.index("@media (max-width: 40rem)") : page.index("@media print")]
    assert re.search(r"\.program td \{ display: block; \}", narrow)
    assert "min-width: 0" in narrow


def test_make_help_lists_every_target_whatever_its_text(tmp_path):
    lines = (Path(__file__).parents[1] / "Makefile").read_text() + "\nv2.x: help  ## Build: with a colon, version 2.x\n"
    (tmp_path / "Makefile").write_text(lines)
    done = subprocess.run(["make", "help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    listed = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert listed["v2.x"] == "Build: with a colon, version 2.x"
    assert {"run", "test", "fuzz", "test-slow", "help"} <= set(listed)


def test_sweep_ranks_networks_and_trains_the_best_again(command, tmp_path):
    options = ("-t", "species", "--hidden", "4,8x4", "--lr", "1e-2..1e-1", "--samples", "4", "--epochs", "5")
    done = command("sweep", FLOWERS, *options, "--out", "sweep")
    assert done.exit_code == 0, done.output
    assert "4 of 4 fits; best val_loss" in done.output
    assert len(list((tmp_path / "sweep" / "fits").iterdir())) == 4
    assert (tmp_path / "sweep" / "sweep.png").exists()
    best = float(done.stdout.splitlines()[1].split()[0])
    rows = [json.loads(path.read_text()) for path in (tmp_path / "sweep" / "fits").iterdir()]
    assert best == pytest.approx(min(row["val_loss"] for row in rows), rel=1e-4)
    assert {row["settings"]["hidden"] for row in rows} <= {"4", "8,4"}
    assert "recipe for tables, on the same validation rows: accuracy" in done.stdout
    assert "The recipe is better. `workings train" in done.stdout  # five epochs of plain networks learn little
    again = command("sweep", FLOWERS, *options, "--out", "sweep", "--no-recipe")
    assert "of 4 fits" not in again.output  # all results were read
    assert "recipe for tables" not in again.stdout
    for name in ("model", "recipe"):
        assert command("predict", f"sweep/{name}.safetensors", FLOWERS).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "", "-t", "y"),
        ("sweep", "", "-t", "y"),
        ("predict", "", "t.csv"),
        ("predict", "m", ""),
        ("summary", ""),
    ],
)
def test_an_empty_name_of_a_file_is_not_the_current_folder(command, arguments):
    done = command(*arguments)
    assert done.exit_code == 2
    assert "it is empty; name a file" in " ".join(done.output.split())


def test_a_sweep_of_a_folder_is_refused(command, tmp_path):
    (tmp_path / "parts").mkdir()
    done = command("sweep", tmp_path / "parts", "-t", "species", "--hidden", "4")
    assert done.exit_code == 2
    assert "is a folder, but a sweep reads one file" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--hidden", "4,a"), "--hidden takes whole numbers"),
        (("--lr", "0.1,x"), "--lr takes numbers, not 'x'"),
        (("--lr", "1..0"), "the lower one first"),
        (("--batch-size", "1.5"), "--batch-size takes whole numbers"),
        (("--seeds", "a"), "--seeds takes whole numbers"),
        (("--hidden", ","), "--hidden needs values"),
        (("--lr", "0.1,,0.2"), "--lr needs values"),
        (("--hidden", "8,"), "--hidden needs values"),
        (("--validation", "0"), "give --validation a fraction above 0"),
        (("--hidden", "8..4"), "the lower one first"),
        (("--hidden", "0..4"), "units must be a whole number of at least 1"),
        (("--hidden", "1.5..4"), "--hidden takes whole numbers"),
        (("--activation", "relu,reLUU"), "Unknown activation"),
        (("--optimizer", "adam..sgd"), "--optimizer takes names"),
        (("--lr=-1",), "learning rate must be"),
        (("--seeds", "3..1"), "--seeds needs the lower number first"),
    ],
)
def test_options_of_a_sweep_are_checked(command, options, message):
    done = command("sweep", FLOWERS, "-t", "species", *options)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
