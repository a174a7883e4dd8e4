"""``workings train`` with the recipe for tables, beside the estimators and the plain network."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from workings import Dense, Network
from workings.checks.known_training import KnownTraining
from workings.checks.suggested_code import SuggestedCode
from workings.cli.commands import app, seconds_of
from workings.cli.table_phrasing import TableTerms
from workings.cli.table_plan import Plan, TableSource
from workings.cli.table_training import prepare
from workings.ensemble import Ensemble
from workings.errors import InputError
from workings.optimizers import Adam
from workings.tables import read_table
from workings.tables.columns import NumberColumn
from workings.tables.scaling import ROBUST
from workings.training.callbacks import Callback

N = 60


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A table of numbers and words, without gaps; the current folder is its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    rng = np.random.default_rng(0)
    size, width = rng.normal(5, 2, N).round(3), np.exp(rng.normal(size=N)).round(3)
    colour = rng.choice(["red", "blue", "green"], N)
    kind = np.where((size > 5) ^ (colour == "red"), "yes", "no")
    price = (100 * size + 50 * (colour == "red") + width).round(2)
    rows = [",".join(map(str, row)) for row in zip(size, width, colour, kind, price, strict=True)]
    (tmp_path / "t.csv").write_text("size,width,colour,kind,price\n" + "\n".join(rows) + "\n")
    return tmp_path / "t.csv"


def said(*arguments: object) -> str:
    """What a command prints, which must succeed."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return str(done.stdout)


def refused(*arguments: object) -> str:
    """What a command says that is refused, on one line."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 2, done.output
    return " ".join(done.stderr.split())


def plan_of(**changes: Any) -> Plan:
    """The plan of a short training of the recipe."""
    usual: dict[str, Any] = {
        "hidden": "32,16", "activation": "relu", "loss": "auto", "optimizer": "adam", "lr": None, "epochs": 2,
        "batch_size": 32, "validation": 0.2, "patience": 20, "l2": 0.0, "dropout": 0.0, "balanced": False, "seed": 0,
        "engine": "reference", "recipe": True,
    }  # fmt: skip
    return Plan(**{**usual, **changes})


@pytest.mark.parametrize("target", ["kind", "price"])
@pytest.mark.parametrize(("seed", "gaps"), [(0, False), (3, False), (1, True)])
def test_the_command_and_the_estimator_train_the_same_network(table: Path, target: str, seed: int, gaps: bool) -> None:
    if gaps:  # in numbers and in words
        head, *lines = [line.split(",") for line in table.read_text().splitlines()]
        for number, line in enumerate(lines):
            line[0], line[2] = "" if number % 7 == 0 else line[0], "" if number % 5 == 0 else line[2]
        table.write_text("\n".join(",".join(line) for line in [head, *lines]) + "\n")
    sklearn = pytest.importorskip("workings.sklearn")
    recipes = pytest.importorskip("workings.table_recipe")
    other = {"kind": "price", "price": "kind"}[target]
    options = ("--epochs", 3, "--seed", seed, "--drop", other, "--engine", "reference", "--out", "m")
    told = said("train", table, "-t", target, *options)
    assert "Recipe for tables, 4 networks merged into one: 3 epochs, the best epoch on validation rows is kept" in told
    frame = read_table(table)
    kind, recipe = (
        (sklearn.TableClassifier, recipes.CLASSIFICATION)
        if target == "kind"
        else (sklearn.TableRegressor, recipes.REGRESSION)
    )
    short = recipes.replace(recipe, epochs=3, missing="indicate", own_validation=False)
    model = kind(recipe=short, random_state=seed, engine="reference")
    model.fit(frame.drop(target, other), frame[target].to_numpy())
    network = Network.load("m/model.safetensors")
    assert network.dtype == np.float32
    assert len(model.networks_) == 4
    for name, value in model.network_.parameters.items():
        np.testing.assert_array_equal(network.parameters[name], value, err_msg=name)


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ((), "SmoothClip"), (("--balanced",), "SmoothClip"), (("--plain",), "Dense"),
        (("--hidden", "32,16"), "Dense"), (("--lr", 0.01), "Dense"), (("--dropout", 0.0), "Dense"),
        (("--batch-size", 16), "Dense"), (("--loss", "auto"), "Dense"),
    ],
)  # fmt: skip
def test_an_option_of_the_plain_network_takes_it(table: Path, options: tuple[object, ...], first: str) -> None:
    short = () if "--epochs" in options else ("--epochs", 1)
    said("train", table, "-t", "kind", "--drop", "price", "--out", "m", *short, *options)
    network = Network.load("m/model.safetensors")
    assert type(network.layers[0]).__name__ == first
    scalings = {column["scaling"] for column in network.preprocessing["columns"] if "scaling" in column}
    assert scalings == ({ROBUST} if first == "SmoothClip" else set())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--plain", "--time", "5s"), "--time works only with the recipe for tables, but --plain"),
        (("--hidden", "8", "--ensemble", 2), "but --hidden trains a plain network"),
        (("--lr", "0.1", "--time", "1m", "--ensemble", 2), "--time and --ensemble work only"),
        (("--time", "soon"), "such as 60s, 5m or 1h"),
        (("--time", "-3"), "a time above 0"),
        (("--ensemble", 2, "--script", "s.py"), "leave out --ensemble"),
        (("--validation", "1.5"), "--validation is a fraction from 0 to below 1"),
        (("--group", "kind"), "column 'kind' is the target, by which rows are not split"),
        (("--time-order", "kind"), "column 'kind' is the target, by which rows are not split"),
        (("--seed", 2**32), "Input should be less than or equal to 4294967295"),
        (("--plain", "--seed", 10**30), "Input should be less than or equal to 4294967295"),
        (("--plain", "--hidden", 10**14), "would have more than"),
    ],
)
def test_what_does_not_go_with_the_other_is_refused(table: Path, options: tuple[object, ...], words: str) -> None:
    assert words in refused("train", table, "-t", "kind", "--out", "m", *options)
    assert not Path("m").exists()


@pytest.mark.parametrize("command", ["train", "predict", "doctor", "sweep", "summary", "script"])
def test_a_name_that_the_system_refuses_is_one_line(table: Path, command: str) -> None:
    options = {"train": ("-t", "y"), "sweep": ("-t", "y"), "doctor": ("-t", "y"), "predict": ("t.csv",)}
    for name in ("x" * 300 + ".csv", "x" * 300 + ".safetensors", "/".join(["x" * 100] * 60)):
        assert refused(command, name, *options.get(command, ()))


@pytest.mark.parametrize("option", [("--data", "t.csv"), ("--fetch",)])
@pytest.mark.parametrize("experiment", ["xor", "moons", "digits"])
def test_an_option_of_mnist_is_refused_elsewhere(table: Path, experiment: str, option: tuple[str, ...]) -> None:
    words = refused("run", experiment, *option)
    assert words == f"error: {option[0]} is only for mnist, not for {experiment}: leave it out."
    assert not Path("workings-runs").exists()


def test_times_have_units() -> None:
    assert [seconds_of(text) for text in ("2", "2s", "0.5m", "1h")] == [2, 2, 30, 3600]
    for text in ("", "s", "nan", "inf", "0", "5 d"):
        with pytest.raises(InputError, match="--time"):
            seconds_of(text)


@pytest.mark.parametrize("target", ["kind", "price"])
def test_the_script_of_the_recipe_trains_the_same(table: Path, target: str) -> None:
    options = ("--epochs", 3, "--engine", "reference", "--out", "m", "--script", "run.py", "--seed", 2)
    said("train", "t.csv", "-t", target, *options)
    found, network = runpy.run_path("run.py"), Network.load("m/model.safetensors")
    for name, value in network.parameters.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize("target", ["kind", "price"])
def test_several_networks_are_one_file_that_is_scored_and_predicts(table: Path, target: str) -> None:
    told = said("train", table, "-t", target, "--ensemble", 2, "--epochs", 2, "--out", "m")
    assert "2 networks merged into one" in told
    assert "validation       12 rows" in told, "no network was trained on them"
    network, frame = Network.load("m/model.safetensors"), read_table(table)
    assert [layer.units for layer in network.layers[1:4]] == [128, 128, 128]
    assert network.predict({name: frame[name] for name in frame.columns}).shape == (N,)
    assert len(said("predict", "m/model.safetensors", table).splitlines()) == N + 1
    if target == "price":
        intervals = said("predict", "m/model.safetensors", table, "--intervals", 0.8).splitlines()
        assert intervals[0] == "prediction,lower,upper"
    assert "Dense" in said("summary", "m/model.safetensors")
    for suffix in (".json", ".py"):
        said("export", "m/model.safetensors", f"m/model{suffix}")


def test_a_list_of_networks_still_predicts(table: Path) -> None:
    said("train", table, "-t", "kind", "--ensemble", 1, "--epochs", 2, "--out", "m")
    network, frame = Network.load("m/model.safetensors"), read_table(table)
    path = Ensemble([network, Network.load("m/model.safetensors")]).save("e") / "ensemble.json"
    lines = said("predict", path, table).splitlines()
    assert len(lines) == frame.height + 1
    assert "Dense(128, 'selu')" in said("summary", path)
    said("export", path, "e.json")
    assert len(said("predict", "e.json", table).splitlines()) == frame.height + 1


def test_folds_groups_times_and_less_time_work_with_the_recipe(table: Path) -> None:
    short = ("--epochs", 2, "--out", "m")
    assert "mean ± spread of 2 folds" in said("train", table, "-t", "price", "--folds", 2, *short)
    assert read_table("m/out_of_fold.csv").height == N
    for option in ("--group", "--time-order"):
        column = {"--group": "colour", "--time-order": "width"}[option]
        told = said("train", table, "-t", "kind", option, column, *short)
        assert "validation" in told
        training = prepare(TableSource(table, "kind"), plan_of(**{option[2:].replace("-", "_"): column}))
        held, known = training.split.validation, training.split.training
        values = training.frame[column].to_numpy()
        if option == "--group":
            assert not set(values[held]) & set(values[known])
        else:
            assert values[held].min() >= values[known].max()
    training = prepare(TableSource(table, "price"), plan_of(epochs=None, time=0.01))
    assert training.recipe.epochs == 8


def test_scaling_is_learned_without_the_test_rows(table: Path) -> None:
    training = prepare(TableSource(table, "kind"), plan_of(test=0.5))
    (column,) = (each for each in training.preprocessing.columns if each.name == "size")
    assert isinstance(column, NumberColumn)
    assert column.scaling == ROBUST
    known = training.frame["size"].to_numpy()[training.split.known]
    assert column.mean == np.median(known)


def test_the_doctor_reads_the_recipe(table: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", str(table), "-t", "kind", "--drop", "price", "--epochs", "20"])
    assert done.exit_code in (0, 1), done.output
    assert "Checked:" in done.stdout
    assert "Traceback" not in done.output
    assert "not-finite" not in done.stdout


def test_what_the_doctor_advises_keeps_the_recipe_or_says_so() -> None:
    terms = TableTerms(TableSource(Path("t.csv"), "y"), plan_of(epochs=None))
    assert terms.trained({"class_weight": "balanced"}) == "workings train t.csv --target y --balanced"
    assert terms.more_epochs(44, before=64) == "workings train t.csv --target y --epochs 108"
    assert terms.trained({"callbacks": "[EarlyStopping(patience=10)]"}) == "workings train t.csv --target y"
    training = plan_of(epochs=None).recipe_for(classification=True)
    assert training is not None
    code = terms.trained({"optimizer": training.optimizer(60)})
    assert "replace(table_recipe.CLASSIFICATION, lr=0.04)" in code
    compile(code, "change", "exec")
    plain = TableTerms(TableSource(Path("t.csv"), "y"), plan_of(recipe=False, epochs=None))
    assert plain.command() == "workings train t.csv --target y --plain"
    assert plain.command(hidden="4") == "workings train t.csv --target y --hidden 4"


@pytest.mark.parametrize(("rows", "classification"), [(40, True), (9_000, True), (9_000, False), (90_000, True)])
def test_the_doctor_counts_further_epochs_from_those_of_the_training(rows: int, classification: bool) -> None:
    training = plan_of(epochs=None).recipe_for(classification=classification)
    assert training is not None
    recipe = training.training_recipe(rows, is_validated=True, classification=classification)
    terms = TableTerms(TableSource(Path("t.csv"), "y"), plan_of(epochs=None), classification)
    network = Network([Dense(1)], loss="squarederror", n_in=1, seed=0)
    code = SuggestedCode(network, KnownTraining(recipe, terms=terms), is_full_batch=False)
    assert code.more_epochs(44).endswith(f" --epochs {recipe.epochs + 44}")
    assert f"lr=0.02, epochs={recipe.epochs + 44})" in code.more_epochs_with(Adam(0.02), 44)
    continued = SuggestedCode(network, KnownTraining(recipe), is_full_batch=False)
    assert "epochs=44" in continued.more_epochs_with(Adam(0.02), 44)


def test_the_progress_of_each_network_is_shown(table: Path) -> None:
    seen: list[int] = []

    def progress(epochs: int) -> Callback:
        seen.append(epochs)
        return Callback()

    trained = prepare(TableSource(table, "price"), plan_of(ensemble=3)).train(progress, "reference")
    assert seen == [2, 2, 2]
    assert trained.networks == 3


@pytest.mark.parametrize("target", ["kind", "price"])
@pytest.mark.parametrize("ensemble", [1, 2])
def test_why_a_row_is_predicted_adds_up(table: Path, target: str, ensemble: int) -> None:
    model = "m/model.safetensors"
    said("train", table, "-t", target, "--epochs", 5, "--ensemble", ensemble, "--out", "m")
    lines = said("predict", model, table, "--why", 7).splitlines()
    frame, row = read_table(table), read_table(Path(said_to_file(model, table)))
    column = "p(yes)" if target == "kind" else "prediction"
    cells = {line.split()[0]: line.split() for line in lines[3:]}
    assert float(cells["sum"][-1]) == pytest.approx(row[column][6], rel=2e-3)
    assert set(cells) == {"column", "mean", "sum", *(name for name in frame.columns if name != target)}
    assert cells["colour"][1] == frame["colour"][6]
    total = float(cells["mean"][-1]) + sum(float(cells[name][-1]) for name in frame.columns if name != target)
    assert total == pytest.approx(float(cells["sum"][-1]), rel=1e-2)
    for wrong, words in ((N + 1, f"the table has {N} rows"), (0, "--why")):
        assert words in refused("predict", model, table, "--why", wrong)


def said_to_file(model: str, table: Path) -> str:
    """The file of a table's predictions."""
    said("predict", model, table, "--out", "p.csv")
    return "p.csv"


def test_drawn_rows_have_the_training_rows_distribution(table: Path) -> None:
    from workings.tables.training_rows import TrainingRows

    training = prepare(TableSource(table, "kind"), plan_of())
    columns, rng = training.preprocessing.table_columns, np.random.default_rng(0)
    known = TrainingRows.learn(columns, training.frame, N)
    numbers, codes = known.drawn(columns, 4000, rng)
    for x, name in zip(numbers.T, ("size", "width"), strict=False):
        values = training.frame[name].to_numpy()
        assert abs(np.median(x) - np.median(values)) < 0.15 * values.std()
    shares = np.bincount(codes[:, 0], minlength=3) / 4000
    np.testing.assert_allclose(shares, np.unique(training.frame["colour"], return_counts=True)[1] / N, atol=0.03)


def test_the_column_of_groups_is_said_to_be_left_out(table: Path) -> None:
    told = said("train", table, "-t", "kind", "--group", "colour", "--epochs", 1, "--out", "m")
    assert "colour: left out, because --group keeps its rows together; `--use colour` takes it" in told
    told = said("train", table, "-t", "kind", "--group", "colour", "--use", "colour", "--epochs", 1, "--out", "m")
    assert "left out, because --group" not in told
