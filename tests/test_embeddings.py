"""Embeddings of columns: ``PeriodicEmbedding``, ``GroupedDense`` and ``PiecewiseLinearEncoding``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from workings import (
    LBFGS,
    SGD,
    Adam,
    CrossEntropy,
    Dense,
    GroupedDense,
    InputError,
    Network,
    NTKDense,
    PeriodicEmbedding,
    PiecewiseLinearEncoding,
    RateFactors,
    Scale,
    SmoothClip,
    SquaredError,
    Workers,
    plots,
)
from workings.cli.commands import app
from workings.files import load, save
from workings.files.folding import folded
from workings.files.merging import merged
from workings.layers import Layer
from workings.optimizers import Chain
from workings.sklearn import TableRegressor
from workings.table_recipe import REGRESSION
from workings.tables.embedding import EMBEDDINGS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
CLASSES = np.arange(30) % 3
EDGES = [[-1.0, 0.0, 1.0], [], [0.0, 0.5, 0.7]]
STACKS: dict[str, list[Layer]] = {
    "PBLD": [
        SmoothClip(), PeriodicEmbedding(4, columns=[0, 2]), GroupedDense([(5, 2), (1, 1), (5, 2)]), Scale(),
        NTKDense(5, "tanh"),
    ],
    "PLR": [PeriodicEmbedding(4, phases="quarters"), GroupedDense([(5, 2)] * 3, "relu"), Dense(5, "tanh")],
    "cosines alone": [PeriodicEmbedding(4), Dense(5, "tanh")],
    "bins": [PiecewiseLinearEncoding(EDGES), Scale(), Dense(5, "tanh")],
    "bins in groups": [PiecewiseLinearEncoding(EDGES), GroupedDense([(2, 3), (1, 1), (2, 3)], "relu"), Scale()],
}  # fmt: skip


def network(stack: str, seed: int = 0, **settings: Any) -> Network:
    return Network([*STACKS[stack], Dense(3)], loss=CrossEntropy(), seed=seed, n_in=3, **settings)


def test_a_periodic_embedding_is_the_number_and_its_cosines() -> None:
    net = Network([PeriodicEmbedding(2, columns=[1]), Dense(4, weights=np.eye(4))], loss=SquaredError(), n_in=2)
    net.parameters["f1"] = [1.0, 1.0, 0.25, 0.5]
    net.parameters["phi1"] = [0.0, 0.0, 0.0, 0.25]
    found = net.predict([[7.0, 1.0], [8.0, 2.0]])
    np.testing.assert_allclose(found, [[7, 1, 0, 0], [8, 2, -1, 0]], atol=1e-15)


def test_a_periodic_embedding_starts_with_the_inputs_themselves() -> None:
    start = PeriodicEmbedding(200, columns=[2], std=0.3).start(np.random.default_rng(1), n_in=3)
    assert start["f"][:3].tolist() == [1, 1, 1]
    assert start["phi"][:3].tolist() == [0, 0, 0]
    assert start["f"][3:].std() == pytest.approx(0.3, rel=0.15)
    assert np.abs(start["phi"][3:]).max() <= 0.5
    assert start["S"].sum(axis=1).tolist() == [1, 1, 201]
    quarters = PeriodicEmbedding(3, phases="quarters").start(np.random.default_rng(1), n_in=2)
    assert quarters["phi"].tolist() == [0, 0, -0.25, 0, 0, 0, -0.25, 0]


def test_a_piecewise_linear_encoding_is_the_position_in_each_bin() -> None:
    layer = PiecewiseLinearEncoding([[0.0, 1.0, 3.0], []])
    net = Network([layer, Dense(3, weights=np.eye(3))], loss=SquaredError(), n_in=2)
    found = net.predict([[-1.0, 5.0], [0.5, 5.0], [2.0, 5.0], [5.0, 5.0]])
    np.testing.assert_allclose(found, [[-1, 0, 5], [0.5, 0, 5], [1, 0.5, 5], [1, 2, 5]])


def test_the_bins_of_a_column_are_its_quantiles() -> None:
    columns = np.column_stack([np.arange(101.0), np.full(101, 3.0), np.arange(101) % 2, np.arange(101.0)])
    layer = PiecewiseLinearEncoding.of(columns, bins=4, columns=[0, 1, 2])
    assert layer.edges == ((0, 25, 50, 75, 100), (), (0, 1), ())
    assert layer.width(4) == 4 + 1 + 1 + 1


def test_one_hot_columns_in_a_group_are_an_embedding_of_categories() -> None:
    torch = pytest.importorskip("torch")
    codes, one_hot = np.array([0, 2, 1, 2]), np.eye(3)[[0, 2, 1, 2]]
    net = Network([GroupedDense([(3, 2), (1, 1)])], loss=SquaredError(), n_in=4, seed=0)
    vectors = net.parameters["E1"][:3, :2]
    found = net.predict(np.column_stack([one_hot, [5.0, 6.0, 7.0, 8.0]]))
    of_torch = torch.nn.functional.embedding(torch.tensor(codes), torch.tensor(vectors)).numpy()
    np.testing.assert_array_equal(found[:, :2], of_torch)
    assert found[:, 2].tolist() == [5, 6, 7, 8]


def test_gradients_agree_with_pytorch() -> None:
    torch = pytest.importorskip("torch")
    net = network("PBLD")
    trace = net.trace(X, CLASSES)
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in net.parameters.items()}
    x = torch.tensor(X)
    x = x / (1 + (x / 3) ** 2) ** 0.5
    f, phi, E, c = (tensors[name] for name in ("f1", "phi1", "E1", "c1"))
    pieces = []
    for column, outputs in ((0, range(5)), (1, range(5, 6)), (2, range(6, 11))):
        own = [x[:, column] * f[i] + phi[i] for i in outputs]
        own = [own[0], *(torch.cos(2 * torch.pi * turns) for turns in own[1:])]
        units = {0: [0, 1], 1: [2], 2: [3, 4]}[column]
        weights = torch.stack([E[i, units] for i in outputs])
        pieces.append(torch.stack(own, dim=1) @ weights + c[units])
    x = torch.cat(pieces, dim=1) * tensors["s1"]
    x = torch.tanh(x @ tensors["W1"] / 5**0.5 + tensors["b1"])
    loss = torch.nn.functional.cross_entropy(x @ tensors["W2"] + tensors["b2"], torch.tensor(CLASSES))
    loss.backward()
    assert trace["J"] == pytest.approx(loss.item(), rel=1e-12)
    for name, tensor in tensors.items():
        np.testing.assert_allclose(trace[f"d{name}"], tensor.grad.numpy(), rtol=1e-9, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("stack", ["PBLD", "bins"])
def test_both_engines_train_to_the_same_weights(stack: str) -> None:
    found = []
    for engine in ("reference", "compiled"):
        net = network(stack)
        net.fit(X, CLASSES, optimizer=Adam(0.01), epochs=5, batch_size=10, engine=engine)
        found.append(net.theta)
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-12)


def test_jax_trains_to_the_same_weights() -> None:
    pytest.importorskip("jax")
    nets = [network("PBLD"), network("PBLD")]
    for net, engine in zip(nets, ("reference", "jax"), strict=True):
        net.fit(X, CLASSES, optimizer=SGD(0.1), epochs=2, batch_size=15, engine=engine)
    np.testing.assert_allclose(nets[0].theta, nets[1].theta, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("stack", STACKS)
def test_a_script_trains_to_the_same_bits(stack: str) -> None:
    net = network(stack)
    code = net.script(optimizer=Adam(0.01), epochs=2, batch_size=10, data=(X, CLASSES))
    names: dict[str, Any] = {}
    exec(compile(code, stack, "exec"), names)
    net.fit(X, CLASSES, optimizer=Adam(0.01), epochs=2, batch_size=10, engine="reference")
    for name, value in net.parameters.items():
        np.testing.assert_array_equal(names[name], value, err_msg=name)


def test_the_worked_step_shows_the_formulas_and_says_what_is_fixed() -> None:
    told = str(network("PBLD").explain(X[:2], CLASSES[:2]))
    assert "cos" in told
    assert "An array that the layer needs and training does not change." in told
    assert "\\cos" in network("PBLD").explain(X[:2], CLASSES[:2]).latex


def test_a_drawing_has_a_column_for_each_embedding() -> None:
    pytest.importorskip("matplotlib")
    drawn = [text.get_text() for text in plots.network(network("PBLD")).texts]
    assert [text.split("\n")[1] for text in drawn if "\n" in text] == ["3", "11", "5", "5 tanh", "3"]
    assert len(plots.network(network("bins")).texts) > 0


def test_a_learning_rate_of_embeddings_alone() -> None:
    nets = [network("PBLD"), network("PBLD")]
    start = nets[0].parameters["E1"].copy()
    for net, optimizer in zip(nets, (SGD(0.1), Chain(RateFactors(E=3, f=0.1), SGD(0.1))), strict=True):
        net.step(X, CLASSES, optimizer)
    moves = [net.parameters["E1"] - start for net in nets]
    np.testing.assert_allclose(moves[1], 3 * moves[0], rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(nets[0].parameters["W1"], nets[1].parameters["W1"])


def test_l_bfgs_and_workers_train_networks_with_fixed_arrays() -> None:
    net = network("PBLD")
    before = net.objective(X, CLASSES)
    net.fit(X, CLASSES, optimizer=LBFGS(), epochs=5, batch_size=None)
    assert net.objective(X, CLASSES) < before
    alone, shared = network("PBLD"), network("PBLD")
    alone.fit(X, CLASSES, optimizer=SGD(0.1), epochs=1, batch_size=10, engine="reference")
    with ThreadPoolExecutor(2) as executor:
        shared.fit(X, CLASSES, optimizer=SGD(0.1), epochs=1, batch_size=10, workers=Workers(executor))
    np.testing.assert_allclose(shared.theta, alone.theta, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("stack", STACKS)
def test_folded_and_merged_networks_predict_the_same(stack: str) -> None:
    nets = [network(stack, seed) for seed in range(3)]
    for net in nets:
        net.fit(X, CLASSES, optimizer=Adam(0.05), epochs=2)
        assert not any(isinstance(layer, GroupedDense) for layer in folded(net).layers)
        np.testing.assert_allclose(folded(net).predict_proba(X), net.predict_proba(X), rtol=1e-12)
    log_p = np.mean([np.log(net.predict_proba(X)) for net in nets], axis=0)
    mean = np.exp(log_p) / np.exp(log_p).sum(axis=1, keepdims=True)  # the softmax of the mean of the scores
    one = merged(nets)
    np.testing.assert_allclose(one.predict_proba(X), mean, rtol=1e-10)
    fresh = Network(one.layers, loss=CrossEntropy(), n_in=3, seed=0)
    for name, value in one.statistics.items():  # a merged network's layers give the same fixed arrays
        np.testing.assert_array_equal(fresh.statistics[name], value, err_msg=name)


def test_embeddings_after_weights_are_not_merged() -> None:
    nets = [Network([Dense(2), PeriodicEmbedding(2), Dense(1)], loss=SquaredError(), n_in=2) for _ in range(2)]
    with pytest.raises(InputError, match="before the first weights"):
        merged(nets)


@pytest.mark.parametrize("stack", ["PBLD", "bins"])
@pytest.mark.parametrize("suffix", [".onnx", ".c", ".py", ".json", ".safetensors"])
def test_embeddings_are_exported(stack: str, suffix: str, tmp_path: Path) -> None:
    if suffix == ".onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    net = network(stack)
    net.fit(X, CLASSES, optimizer=Adam(0.05), epochs=2)
    assert save(net, tmp_path / f"net{suffix}").paths
    if suffix in (".json", ".safetensors"):
        again = load(tmp_path / f"net{suffix}")
        assert again.layers == net.layers
        np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))


def table_of(n: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A table of numbers with gaps, of few and of many categories; the target waves with a number."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"job": rng.choice([f"job {i}" for i in range(10)], n), "size": rng.normal(size=n)})
    table["colour"] = rng.choice(["red", "blue"], n)
    y = np.sin(4 * table["size"].to_numpy())
    table.loc[::9, "size"] = np.nan
    return table, y


@pytest.mark.parametrize("embed", EMBEDDINGS)
def test_an_estimator_embeds_columns(embed: str, tmp_path: Path) -> None:
    table, y = table_of(80)
    recipe = replace(REGRESSION, epochs=3, networks=2)
    model = TableRegressor(embed=embed, recipe=recipe, random_state=0, engine="reference").fit(table, y)
    embedding = model.networks_[0].layers[1]
    if isinstance(embedding, PiecewiseLinearEncoding):
        assert [len(edges) for edges in embedding.edges] == [0] * 10 + [9, 0, 0]
        assert model.networks_[0].layers == model.networks_[1].layers  # the same edges
    else:
        assert embedding == PeriodicEmbedding(16, columns=[10])
    grouped = model.networks_[0].layers[2]
    assert isinstance(grouped, GroupedDense)
    assert grouped.groups[:2] == ((10, 8), (17, 4) if embed == "periodic" else (1, 1))
    mean = np.mean([net.predict(table) for net in model.networks_], axis=0)
    np.testing.assert_allclose(model.predict(table), mean, rtol=1e-4, atol=1e-4)
    saved = save(model, tmp_path / "model.safetensors").paths[0]
    np.testing.assert_allclose(load(saved).predict(table), model.predict(table), rtol=1e-4, atol=1e-4)
    save(model, tmp_path / "model.py")


def test_a_table_with_nothing_to_embed_is_trained_without() -> None:
    table, y = table_of(40)
    recipe = replace(REGRESSION, epochs=2, networks=1)
    model = TableRegressor(embed="periodic", recipe=recipe, random_state=0).fit(table[["colour"]], y)
    assert model.networks_[0].layers == model.network_.layers[:1] + model.networks_[0].layers[1:]
    assert not any(isinstance(layer, PeriodicEmbedding | GroupedDense) for layer in model.networks_[0].layers)


def test_an_unknown_embedding_is_refused() -> None:
    table, y = table_of(20)
    with pytest.raises(InputError, match="embedding 'cosine'"):
        TableRegressor(embed="cosine").fit(table, y)
    with pytest.raises(InputError, match="embedding 'cosine'"):
        replace(REGRESSION, embed="cosine")


def test_the_command_embeds_columns(tmp_path: Path) -> None:
    table, y = table_of(40)
    table.assign(y=y).to_csv(tmp_path / "table.csv", index=False)
    options = ["train", str(tmp_path / "table.csv"), "--target", "y", "--out", str(tmp_path / "out"), "--epochs", "2"]
    runner = CliRunner()
    found = runner.invoke(app, [*options, "--embed", "periodic", "--ensemble", "2"])
    assert found.exit_code == 0, found.output
    net = load(next((tmp_path / "out").glob("*.safetensors")))
    assert any(isinstance(layer, PeriodicEmbedding) for layer in net.layers)
    for more, words in ((["--embed", "wave"], "embedding 'wave'"), (["--embed", "periodic", "--plain"], "--embed")):
        refused = runner.invoke(app, [*options, *more])
        assert refused.exit_code == 2
        assert words in refused.output


REFUSED: dict[str, Any] = {
    "whole numbers of at least 0": lambda: PeriodicEmbedding(2, columns=[0.5]),
    "place 5, but there are 3 inputs": lambda: Network([PeriodicEmbedding(2, columns=[5])], loss="Poisson", n_in=3),
    "kind of phases": lambda: PeriodicEmbedding(2, phases="sines"),
    "pairs of whole numbers": lambda: GroupedDense([(1, 0)]),
    "not 3": lambda: GroupedDense(3),  # type: ignore[arg-type]
    "have 2 inputs, but there are 3": lambda: Network([GroupedDense([(2, 1)])], loss="Poisson", n_in=3),
    "activation": lambda: GroupedDense([(2, 1)], "wave"),
    "ascending finite numbers": lambda: PiecewiseLinearEncoding([[1.0, 0.0]]),
    "at least two or none": lambda: PiecewiseLinearEncoding([[1.0]]),
    "not \\[\\[1.0, inf\\]\\]": lambda: PiecewiseLinearEncoding([[1.0, float("inf")]]),
    "edges of 1 inputs": lambda: Network([PiecewiseLinearEncoding([[0, 1]]), Dense(1)], loss="Poisson", n_in=3),
}


@pytest.mark.parametrize("words", REFUSED)
def test_settings_that_are_refused(words: str) -> None:
    with pytest.raises(InputError, match=words):
        REFUSED[words]()
