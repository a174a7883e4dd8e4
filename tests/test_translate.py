"""The translator: the code that it prints is run in the other system, and the weights are compared after 100 steps.

PyTorch, Keras and scikit-learn are the oracles.  Where a system cannot do the same, the translation must say so, and
the weights must indeed differ: a sentence of caution that is not needed is a mistake too.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import warnings
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

os.environ.setdefault("KERAS_BACKEND", "torch")

from workings import (
    L1,
    L2,
    LBFGS,
    SGD,
    AbsoluteError,
    Activation,
    AdaGrad,
    Adam,
    AdamEpsilonHat,
    AdamW,
    BatchNorm,
    BinaryCrossEntropy,
    Chain,
    ClipByNorm,
    ClipByValue,
    ClipPredictions,
    CrossEntropy,
    Decay,
    Dense,
    Dropout,
    Exp,
    Freeze,
    GroupedDense,
    Huber,
    InputError,
    Interpolation,
    L2PerRow,
    Momentum,
    Nesterov,
    Network,
    NTKDense,
    PeriodicEmbedding,
    PiecewiseLinearEncoding,
    Poisson,
    RMSProp,
    Scale,
    SmoothClip,
    SquaredError,
)
from workings.activations import ACTIVATIONS
from workings.cli.commands import app
from workings.cli.model_description import parse_description
from workings.initializers import INITIALIZERS
from workings.layers import LAYERS
from workings.losses import LOSSES
from workings.optimizers import OPTIMIZERS
from workings.readings.translate import torch_writer as torch_translation
from workings.readings.translate.plan import TranslationPlan
from workings.readings.translate.systems import SYSTEMS
from workings.readings.translate.translation_writer import TranslationWriter
from workings.regularizers import REGULARIZERS
from workings.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    CosineLog,
    Exponential,
    FlatCosine,
    InverseScaling,
    OnPlateau,
    Step,
    WarmUp,
)
from workings.training.recipe import Recipe

ROWS, EPOCHS, BATCH = 60, 25, 15  # four steps in an epoch: 100 steps
EQUAL, APART = 1e-6, 1e-5

# One of each, with settings that are not the defaults.  A new row of a registry has to be written here.
OPTIMIZER_OF = {
    "SGD": SGD(0.2),
    "Momentum": Momentum(0.05, momentum=0.8),
    "Nesterov": Nesterov(0.05, momentum=0.8),
    "AdaGrad": AdaGrad(0.05),
    "RMSProp": RMSProp(0.004, rho=0.95, eps=1e-10),
    "Adam": Adam(0.01, beta1=0.8, beta2=0.99, eps=1e-10),
    "AdamEpsilonHat": AdamEpsilonHat(0.01, beta1=0.8, beta2=0.99, eps=1e-4),
    "AdamW": AdamW(0.01, weight_decay=0.1),
}
IN_SKLEARN = ("SGD", "Momentum", "Nesterov", "Adam", "AdamEpsilonHat")
SCHEDULE_OF = {
    "Constant": Constant(0.1),
    "Step": Step(0.2, every=30),
    "Exponential": Exponential(0.2, factor=0.98),
    "InverseScaling": InverseScaling(0.2, power=0.7, scale=10.0),
    "Cosine": Cosine(0.2, steps=60, end=0.01),
    "CosineLog": CosineLog(0.2, steps=100),
    "FlatCosine": FlatCosine(0.2, steps=100),
    "WarmUp": WarmUp(Cosine(0.2, steps=80), steps=12),
    "OnPlateau": OnPlateau(0.2, factor=0.5, patience=1, min_delta=0.03),
}
CHAINS = {
    "norm": Chain(ClipByNorm(0.05), SGD(0.3)),
    "value": Chain(ClipByValue(0.02), Momentum(0.1)),
    "decay": Chain(Decay(0.05), Momentum(0.1)),
    "decay and adam": Chain(Decay(0.05), Adam(0.01)),
    "norm, decay, adamw schedule": Chain(ClipByNorm(0.1), Decay(0.02), Nesterov(Cosine(0.1, steps=100))),
    "freeze": Chain(Freeze("W1", "b2"), ClipByNorm(0.05), Adam(0.01)),
}
PENALTIES = {"L2": L2(0.02), "L1": L1(0.003), "L2PerRow": L2PerRow(0.3)}
LOSS_OF = {
    "SquaredError": SquaredError(),
    "AbsoluteError": AbsoluteError(),
    "Huber": Huber(delta=0.3),
    "CrossEntropy": CrossEntropy(),
    "BinaryCrossEntropy": BinaryCrossEntropy(),
    "Poisson": Poisson(),
}
LAYER_OF = {
    "Dense": Dense(5, "tanh"),
    "NTKDense": NTKDense(5, "tanh"),
    "Scale": Scale(),
    "SmoothClip": SmoothClip(),
    "Exp": Exp(0.1),
    "Interpolation": Interpolation([0.0, 1.0], [0.0, 1.0]),
    "PeriodicEmbedding": PeriodicEmbedding(2),
    "GroupedDense": GroupedDense([(1, 2), (3, 1)]),
    "PiecewiseLinearEncoding": PiecewiseLinearEncoding([[0.0, 1.0]] * 4),
    "ClipPredictions": ClipPredictions(-1.0, 1.0),
    "Dropout": Dropout(0.2),
    "BatchNorm": BatchNorm(),
}


def data(loss: Any, n_out: int) -> tuple[Any, Any]:
    """Rows that a loss can use."""
    rng = np.random.default_rng(7)
    X = rng.standard_normal((ROWS, 4))
    if loss.target == "classes":
        return X, np.arange(ROWS) * 7 % n_out
    y = {
        "labels": (X[:, :n_out] + rng.standard_normal((ROWS, n_out)) > 0).astype(float),
        "counts": rng.poisson(np.exp(0.3 * X[:, :n_out])).astype(float),
        "numbers": np.sin(X[:, :n_out]) + 0.1 * rng.standard_normal((ROWS, n_out)),
    }[loss.target]
    return X, y[:, 0] if n_out == 1 else y


def network(loss: Any = None, n_out: int = 3, hidden: Any = None, regularizer: Any = None) -> Network:
    """A small network with first weights; biases are not 0, so that what acts on them shows."""
    hidden = [Dense(6, "tanh", biases="normal")] if hidden is None else hidden
    last = Dense(n_out, biases="normal")
    return Network([*hidden, last], loss=loss or CrossEntropy(), regularizer=regularizer, seed=3, n_in=4)


def arrays_of(system: str, net: Network, model: Any) -> dict[str, Any]:
    """The weights of a model of another system, under our names."""
    if system == "sklearn":
        names = sorted(name for name in net.parameters if name.startswith("W"))
        found = dict(zip(names, model.coefs_, strict=True))
        return found | dict(zip([f"b{name[1:]}" for name in names], model.intercepts_, strict=True))
    if system == "torch":
        arrays = [p.detach().numpy() for p in model.parameters()]
        return {n: a.T if n.startswith("W") else a for n, a in zip(net.parameters, arrays, strict=True)}
    variables = [v for layer in model.layers for v in layer.weights]
    arrays = [as_array(v) for v in variables if "moving" not in v.name and "seed" not in v.name]
    return dict(zip(net.parameters, arrays, strict=True))


def as_array(variable: Any) -> Any:
    """A variable of Keras."""
    return variable.value.detach().numpy()


def run_there(translation: Any, net: Network, X: Any, y: Any, more: Any = ()) -> Any:
    """Run the printed code from the network's weights; give the namespace that it leaves."""
    pytest.importorskip({"sklearn": "sklearn", "torch": "torch", "keras": "keras"}[translation.system])
    weights = {name: value.copy() for name, value in {**net.parameters, **net.statistics}.items()}
    names: dict[str, Any] = {"X": X, "y": y, "weights": weights, **dict(more)}
    with warnings.catch_warnings():
        if translation.system == "keras":  # which itself uses NumPy's old way to make arrays
            warnings.simplefilter("ignore", DeprecationWarning)
        exec(compile(str(translation), "<translation>", "exec"), names)
    return names


def apart(system: str, net: Network, optimizer: Any, *, batch_size: int | None = BATCH) -> tuple[Any, float]:
    """Train here and there from the same weights in the same order; how far the weights are apart."""
    X, y = data(net.loss, net.n_out)
    epochs = EPOCHS if batch_size else 100
    told = net.translate(
        system, optimizer=optimizer, epochs=epochs, batch_size=batch_size, rows=ROWS, shuffle=False, weights="given"
    )
    there = arrays_of(system, net, run_there(told, net, X, y)["model"])
    net.fit(X, y, optimizer=optimizer, epochs=epochs, batch_size=batch_size, shuffle=False, engine="reference")
    return told, max(float(np.abs(there[name] - value).max()) for name, value in net.parameters.items())


def check(told: Any, distance: float, equal: bool = True) -> None:
    """The weights are equal where the translation says so, and apart where it says that."""
    assert told.is_equal is equal, told.differences
    assert distance < EQUAL if equal else distance > APART, (distance, told.code)


@pytest.fixture(autouse=True, scope="module")
def as_it_was() -> Iterator[None]:
    """Small networks are slower on many threads; and Keras is left as it was found."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_floatx("float32")
        sys.modules["keras"].config.set_dtype_policy("float32")


# -- optimizers -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_optimizer(system: str, name: str) -> None:
    told, distance = apart(system, network(regularizer=L2(0.02)), OPTIMIZER_OF[name])
    check(told, distance, equal=system != "sklearn" or name in IN_SKLEARN)


@pytest.mark.parametrize("optimizer", [Adam(0.01, eps=1e-2), RMSProp(0.01, eps=1e-2), AdaGrad(0.05, eps=1e-2)], ids=str)
def test_an_epsilon_that_matters(optimizer: Any) -> None:
    is_adam = isinstance(optimizer, Adam)
    check(*apart("torch", network(), optimizer))
    check(*apart("keras", network(), optimizer), equal=is_adam)
    if is_adam:
        check(*apart("sklearn", network(), optimizer), equal=False)


@pytest.mark.parametrize(("system", "kind"), [("sklearn", Adam), ("keras", RMSProp)])
def test_the_usual_epsilon_shows_in_the_last_digits_and_that_is_said(system: str, kind: Any) -> None:
    told, distance = apart(system, network(), kind(0.01))
    assert not told.is_equal
    assert distance < 1e-4


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("system", ["torch", "keras"])
@pytest.mark.parametrize("regularizer", [None, L2(0.02)], ids=str)
def test_every_chain(system: str, name: str, regularizer: Any) -> None:
    check(*apart(system, network(regularizer=regularizer), CHAINS[name]))


@pytest.mark.parametrize("name", CHAINS)
def test_scikit_learn_has_no_chains(name: str) -> None:
    check(*apart("sklearn", network(), CHAINS[name]), equal=False)


@pytest.mark.parametrize(
    "optimizer",
    [
        Chain(ClipByNorm(0.1), ClipByValue(0.01), SGD(0.2)),
        Chain(Decay(0.3), AdamW(0.05, weight_decay=0.4)),
        Chain(ClipByNorm(0.05), Freeze("W1"), SGD(0.2)),
    ],
    ids=str,
)
def test_what_pytorch_can_and_keras_cannot(optimizer: Any) -> None:
    check(*apart("torch", network(), optimizer))
    check(*apart("keras", network(), optimizer), equal=False)


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_regularizer(system: str, name: str) -> None:
    for optimizer in (SGD(0.2), Adam(0.01, eps=1e-10)):
        check(
            *apart(system, network(regularizer=PENALTIES[name]), optimizer), equal=(system, name) != ("sklearn", "L1")
        )


@pytest.mark.parametrize("optimizer", [AdamW(0.01), Chain(Decay(0.1), Adam(0.01)), Nesterov(0.1)], ids=str)
@pytest.mark.parametrize("system", ["torch", "keras"])
def test_two_penalties_at_once(system: str, optimizer: Any) -> None:
    check(*apart(system, network(regularizer=[L2(0.02), L1(0.003), L2(0.01)]), optimizer))


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "loss",
    [SquaredError(half=True, reduction="mean of rows"), BinaryCrossEntropy(reduction="mean of rows")],
    ids=str,
)
def test_a_mean_of_rows_that_adds_up_outputs(system: str, loss: Any) -> None:
    penalty = L2(0.02) if system == "keras" else L2PerRow(0.1)
    check(*apart(system, network(loss, 3, regularizer=penalty), Momentum(0.05)))


@pytest.mark.parametrize("system", ["torch", "keras"])
def test_a_mean_of_rows_of_numbers_without_the_half(system: str) -> None:
    for loss in (SquaredError(reduction="mean of rows"), Huber(delta=0.3, reduction="mean of rows")):
        check(*apart(system, network(loss, 3), Momentum(0.05)))


def test_what_keras_cannot_say_of_rows() -> None:
    with pytest.raises(InputError, match="rows"):
        network(regularizer=L2PerRow(0.1)).translate("keras", optimizer=SGD(0.1), batch_size=None)


# -- weights of rows and classes, and validation ----------------------------------------------

WEIGHED: dict[str, dict[str, Any]] = {
    "rows": {"sample_weight": True},
    "classes": {"class_weight": {0: 2.0, 2: 0.25}},
    "balanced": {"class_weight": "balanced"},
    "rows and classes": {"sample_weight": True, "class_weight": {1: 3.0}},
    "rows and balanced": {"sample_weight": True, "class_weight": "balanced"},
    "a class left out": {"class_weight": {1: 0.0}},
}


def weighed(
    system: str, net: Network, optimizer: Any, given: dict[str, Any], *, y: Any = None, batch_size: int | None = BATCH
) -> tuple[Any, float, dict[str, Any], Any]:
    """Train here and there with weights; what is told, how far apart, what the code leaves, and our history."""
    rng = np.random.default_rng(5)
    X, numbers = data(net.loss, net.n_out)
    y = numbers if y is None else y
    if given.get("class_weight") == "balanced":  # with a rare class
        kept = (numbers > 0) | (np.arange(ROWS) < 20)
        X, y = X[kept], y[kept]
    weights = np.where(rng.uniform(size=len(X)) < 0.1, 0.0, rng.uniform(0.2, 2.0, len(X)))
    held = rng.standard_normal((17, 4)), y[:17]
    epochs = EPOCHS if batch_size else 100
    settings = {"epochs": epochs, "batch_size": batch_size, "shuffle": False}
    told = net.translate(system, optimizer=optimizer, rows=len(X), weights="given", **settings, **given)
    more = {"sample_weight": weights, "X_val": held[0], "y_val": held[1]}
    names = run_there(told, net, X, y, more)
    there = arrays_of(system, net, names["model"])
    history = net.fit(
        X, y, optimizer=optimizer, **settings, engine="reference",
        sample_weight=weights if given.get("sample_weight") else None, class_weight=given.get("class_weight"),
        validation=held if given.get("validation") else None,
    )  # fmt: skip
    distance = max(float(np.abs(there[name] - value).max()) for name, value in net.parameters.items())
    return told, distance, names, history


@pytest.mark.parametrize("regularizer", [None, L2PerRow(0.3)], ids=str)
@pytest.mark.parametrize("name", WEIGHED)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_kind_of_weights(system: str, name: str, regularizer: Any) -> None:
    for optimizer in (Momentum(0.1), AdamEpsilonHat(0.01, eps=1e-4)):
        told, distance, *_ = weighed(system, network(regularizer=regularizer), optimizer, WEIGHED[name])
        is_equal = not regularizer if system == "keras" else (system, name) != ("sklearn", "a class left out")
        check(told, distance, equal=is_equal)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "loss",
    [
        SquaredError(half=True),
        SquaredError(),
        SquaredError(half=True, reduction="mean of rows"),
        SquaredError(reduction="sum"),
        BinaryCrossEntropy(),
        CrossEntropy(label_smoothing=0.1),
        CrossEntropy(reduction="sum"),
        Huber(delta=0.3),
    ],
    ids=str,
)
def test_weights_of_rows_with_every_kind_of_mean(system: str, loss: Any) -> None:
    optimizer = Momentum(0.0005 if loss.reduction == "sum" else 0.05)
    net = network(loss, 3)
    try:
        told, distance, *_ = weighed(system, net, optimizer, {"sample_weight": True})
    except InputError:
        assert apart_is_refused(system, loss), "what has no counterpart without weights has none with them"
        return
    check(told, distance, equal=(system, loss.reduction) != ("sklearn", "sum"))


def apart_is_refused(system: str, loss: Any) -> bool:
    """Whether a system does not have a loss at all."""
    try:
        network(loss, 3).translate(system, optimizer=SGD(0.1))
    except InputError:
        return True
    return False


@pytest.mark.parametrize("name", ["rows", "classes", "rows and balanced"])
def test_weights_and_l2_in_scikit_learn(name: str) -> None:
    net = network(regularizer=L2(0.05))
    check(*weighed("sklearn", net, SGD(0.2), WEIGHED[name])[:2], equal=False)
    net = network(regularizer=L2(0.05))
    check(*weighed("sklearn", net, SGD(0.2), WEIGHED[name], batch_size=None)[:2])
    for system in ("torch", "keras"):
        check(*weighed(system, network(regularizer=L2(0.05)), SGD(0.2), WEIGHED[name])[:2])


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("is_known", [True, False])
def test_weights_of_labels_that_are_words(system: str, is_known: bool) -> None:
    y = np.array(["ant", "bee", "cat"])[data(CrossEntropy(), 3)[1]]
    for given in ({"class_weight": {"bee": 3.0}}, {"class_weight": "balanced", "sample_weight": True}, {}):
        net = network()
        if is_known:
            net.learn_labels(y)
        check(*weighed(system, net, SGD(0.2), given, y=y)[:2])


def test_the_short_forms_are_used_where_they_are_equal() -> None:
    given = {"class_weight": {0: 2.0, 2: 0.25}}
    assert "weight=torch.tensor([2.0, 1.0, 0.25]" in network().translate("torch", optimizer=SGD(0.1), **given).code
    assert "class_weight={0: 2.0, 1: 1.0, 2: 0.25}" in network().translate("keras", optimizer=SGD(0.1), **given).code
    told = network().translate("sklearn", optimizer=SGD(0.1), **given).code
    assert "compute_sample_weight({0: 2.0, 2: 0.25}, y)" in told


@pytest.mark.parametrize("given", [{}, {"class_weight": {0: 2.0}}, {"sample_weight": True}], ids=str)
@pytest.mark.parametrize(
    ("loss", "penalty"),
    [
        (CrossEntropy(), [L2(0.02), L1(0.003)]),
        (SquaredError(half=True), L2(0.02)),
        (SquaredError(), L2PerRow(0.3)),
        (SquaredError(reduction="sum"), L2(0.02)),
        (CrossEntropy(reduction="sum"), None),
        (SquaredError(half=True, reduction="mean of rows"), L1(0.003)),
    ],
    ids=str,
)
def test_validation(loss: Any, penalty: Any, given: dict[str, Any]) -> None:
    if "class_weight" in given and loss.target != "classes":
        given = {"sample_weight": True}
    optimizer = SGD(0.001 if loss.reduction == "sum" else 0.1)
    told, distance, names, history = weighed(
        "torch", network(loss, 3, regularizer=penalty), optimizer, {**given, "validation": True}
    )
    check(told, distance)
    np.testing.assert_allclose(names["val_loss"], history["val_loss"], rtol=1e-6)
    if loss.reduction != "sum":
        told, distance, names, history = weighed(
            "keras", network(loss, 3, regularizer=penalty), optimizer, {**given, "validation": True}
        )
        is_per_row = isinstance(penalty, L2PerRow)
        assert told.is_equal is not (is_per_row and bool(given))
        if not is_per_row:
            np.testing.assert_allclose(names["history"].history["val_loss"], history["val_loss"], rtol=1e-6)
        assert any("divided by the number of validation rows" in note for note in told.notes) is is_per_row


def test_validation_with_words_and_with_lbfgs() -> None:
    y = np.array(["ant", "bee", "cat"])[data(CrossEntropy(), 3)[1]]
    for system in ("torch", "keras"):
        told, distance, names, history = weighed(system, network(), SGD(0.2), {"validation": True}, y=y)
        check(told, distance)
        measured = names["val_loss"] if system == "torch" else names["history"].history["val_loss"]
        np.testing.assert_allclose(measured, history["val_loss"], rtol=1e-6)
    net = network(SquaredError(half=True), 1, hidden=[], regularizer=L2(0.1))
    *_, names, history = weighed("torch", net, LBFGS(), {"sample_weight": True, "validation": True}, batch_size=None)
    assert names["val_loss"] == [pytest.approx(history["val_loss"][-1], rel=1e-3)]


def test_scikit_learn_takes_no_validation_set() -> None:
    told, distance, *_ = weighed("sklearn", network(), SGD(0.2), {"validation": True})
    check(told, distance)
    assert any("takes no validation set" in note for note in told.notes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sample_weight": [1.0, 2.0]}, "sample_weight must be True or False"),
        ({"validation": 0.2}, "X_val and y_val"),
        ({"class_weight": "even"}, '"balanced" or a dict'),
        ({"class_weight": {"bee": -1.0}}, "numbers from 0, not all 0; it is {'bee': -1.0}"),
        ({"class_weight": {"aunt": 1.0}}, "Did you mean 'ant'"),
    ],
)
def test_weights_that_cannot_be_used(settings: dict[str, Any], words: str) -> None:
    net = network()
    net.learn_labels(["ant", "bee", "cat"])
    with pytest.raises(InputError, match=words):
        net.translate("torch", optimizer=SGD(0.1), **settings)
    with pytest.raises(InputError, match="labels, one for each row"):
        network(SquaredError()).translate("torch", optimizer=SGD(0.1), class_weight="balanced")


# -- learning rates -------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", [SGD, Momentum, Nesterov, Adam])
def test_every_schedule_in_pytorch(name: str, kind: Any) -> None:
    optimizer = kind(SCHEDULE_OF[name])
    check(*apart("torch", network(regularizer=L2(0.01)), optimizer), equal=name != "OnPlateau" or kind in (SGD, Adam))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", [SGD, Nesterov])
def test_every_schedule_in_keras(name: str, kind: Any) -> None:
    check(*apart("keras", network(), kind(SCHEDULE_OF[name])), equal=name != "OnPlateau")


@pytest.mark.parametrize("system", ["torch", "keras"])
def test_a_plateau_of_whole_batches(system: str) -> None:
    check(*apart(system, network(), SGD(OnPlateau(0.5, factor=0.5, patience=1, min_delta=0.01)), batch_size=None))


def test_schedules_in_scikit_learn() -> None:
    check(*apart("sklearn", network(), SGD(InverseScaling(0.3, 0.4, 1 / ROWS)), batch_size=None))
    check(*apart("sklearn", network(), SGD(InverseScaling(0.3, 0.4, 2.0)), batch_size=None), equal=False)
    check(*apart("sklearn", network(), SGD(SCHEDULE_OF["Cosine"])), equal=False)
    check(*apart("sklearn", network(), Adam(SCHEDULE_OF["Step"])), equal=False)
    check(*apart("sklearn", network(), SGD(OnPlateau(0.5, factor=0.5, patience=1, min_delta=0.02))), equal=False)


def falling(t: int) -> float:
    """A schedule of the user's own."""
    return 0.2 / (1 + t)


@pytest.mark.parametrize("system", ["torch", "keras"])
def test_a_schedule_of_the_users_own(system: str) -> None:
    check(*apart(system, network(), Momentum(falling)))  # type: ignore[arg-type]


# -- losses and layers ----------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("n_out", [1, 3])
def test_every_loss(system: str, name: str, reduction: str, n_out: int) -> None:
    loss = type(LOSS_OF[name])(**{**LOSS_OF[name].settings(), "reduction": reduction})
    n_out = max(n_out, 3) if name == "CrossEntropy" else n_out
    optimizer = Momentum(0.05 if reduction == "mean" else 0.0005)
    net = network(loss, n_out, regularizer=L2(0.02))
    if system == "sklearn" and name in ("AbsoluteError", "Huber"):
        with pytest.raises(InputError, match=name):
            net.translate(system, optimizer=optimizer)
        return
    told, distance = apart(system, net, optimizer)
    if system == "keras" and name == "Poisson":  # an epsilon in the loss, which is said; it is a small one
        assert not told.is_equal
        assert distance < 1e-5
        return
    check(told, distance)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("loss", [SquaredError(half=True), SquaredError(half=True, reduction="sum")], ids=str)
def test_the_half(system: str, loss: Any) -> None:
    check(*apart(system, network(loss, 2, regularizer=L2(0.01)), Momentum(0.001)))
    check(*apart(system, network(loss, 2), Adam(0.01, eps=1e-10)))


@pytest.mark.parametrize("system", ["torch", "keras"])
def test_label_smoothing(system: str) -> None:
    check(*apart(system, network(CrossEntropy(label_smoothing=0.2)), SGD(0.2)))


def test_two_classes_in_scikit_learn_are_one_output() -> None:
    X, y = data(CrossEntropy(), 2)
    net = network(CrossEntropy(), 2)
    told = net.translate("sklearn", optimizer=SGD(1e-9), epochs=1, batch_size=None, shuffle=False, weights="given")
    assert not told.is_equal
    model = run_there(told, net, X, y)["model"]
    np.testing.assert_allclose(model.predict_proba(X), net.predict_proba(X), atol=1e-8)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("system", ["torch", "keras"])
def test_every_activation(system: str, name: str) -> None:
    net = network(hidden=[Dense(6, name, biases="normal"), Dense(5, name, bias=False)])
    check(*apart(system, net, SGD(0.1)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_in_scikit_learn(name: str) -> None:
    net = network(hidden=[Dense(6, name), Dense(5, name)])
    if name in ("identity", "sigmoid", "tanh", "relu"):
        check(*apart("sklearn", net, SGD(0.1)))
    else:
        with pytest.raises(InputError, match=name):
            net.translate("sklearn", optimizer=SGD(0.1))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_network_without_hidden_layers(system: str) -> None:
    check(*apart(system, network(hidden=[]), SGD(0.1)))


def test_constants_of_activations() -> None:
    leaky = ACTIVATIONS["leaky_relu"].with_constants(slope=0.3)
    elu = ACTIVATIONS["elu"].with_constants(alpha=0.7)
    for system in ("torch", "keras"):
        check(*apart(system, network(hidden=[Dense(6, leaky), Dense(6, elu)]), SGD(0.1)))


def test_batch_norm() -> None:
    for system, of_variance in (("torch", "running_var"), ("keras", "moving_variance")):
        net = network(hidden=[Dense(6), BatchNorm("relu", momentum=0.2, eps=1e-3)])
        start = {**net.parameters, **net.statistics}
        start = {name: value.copy() for name, value in start.items()}
        told, distance = apart(system, net, SGD(0.2))
        assert distance < EQUAL, "what is trained is equal"
        again = network(hidden=[Dense(6), BatchNorm("relu", momentum=0.2, eps=1e-3)])
        model = run_there(told, again, *data(net.loss, 3))["model"]
        layer = model[1] if system == "torch" else model.layers[1]
        variance = (
            getattr(layer, of_variance).detach().numpy() if system == "torch" else as_array(layer.moving_variance)
        )
        is_equal = np.allclose(variance, net.statistics["running_variance1"], atol=EQUAL)
        assert is_equal is told.is_equal is (system == "torch")


def test_dropout_is_drawn_elsewhere() -> None:
    for system in ("torch", "keras"):
        check(*apart(system, network(hidden=[Dense(6, "tanh"), Dropout(0.3)]), SGD(0.2)), equal=False)
        check(*apart(system, network(hidden=[Dense(6, "tanh"), Dropout(0.0)]), SGD(0.2)))


def test_short_batches() -> None:
    for system in SYSTEMS:
        for regularizer in (None, L2(0.02)):
            told, distance = apart(system, network(regularizer=regularizer), SGD(0.2), batch_size=25)
            check(told, distance, equal=system != "sklearn" or regularizer is None)


@pytest.mark.parametrize("system", ["sklearn", "torch"])
def test_lbfgs_goes_another_way_to_the_same_place(system: str) -> None:
    net = network(SquaredError(half=True), 1, hidden=[], regularizer=L2(0.1))
    X, y = data(net.loss, 1)
    told = net.translate(system, optimizer=LBFGS(), epochs=200, batch_size=None, rows=ROWS, weights="given")
    assert not told.is_equal
    there = arrays_of(system, net, run_there(told, net, X, y)["model"])
    net.fit(X, y, optimizer=LBFGS(), epochs=200, batch_size=None)
    np.testing.assert_allclose(there["W1"], net.parameters["W1"], atol=1e-3)


def test_labels_that_are_words() -> None:
    X, numbers = data(CrossEntropy(), 3)
    y = np.array(["ant", "bee", "cat"])[numbers]
    for system in SYSTEMS:
        net = network()
        net.learn_labels(y)
        told = net.translate(
            system, optimizer=SGD(0.2), epochs=EPOCHS, batch_size=BATCH, shuffle=False, weights="given"
        )
        there = arrays_of(system, net, run_there(told, net, X, y)["model"])
        net.fit(X, y, optimizer=SGD(0.2), epochs=EPOCHS, batch_size=BATCH, shuffle=False, engine="reference")
        np.testing.assert_allclose(there["W1"], net.parameters["W1"], atol=EQUAL)


def test_float32_stays_float32() -> None:
    for system in SYSTEMS:
        X, y = data(CrossEntropy(), 3)
        net = Network([Dense(6, "tanh"), Dense(3)], loss=CrossEntropy(), seed=0, n_in=4, dtype="float32")
        told = net.translate(system, optimizer=SGD(0.2), epochs=2, batch_size=BATCH, shuffle=False, weights="given")
        assert arrays_of(system, net, run_there(told, net, X, y)["model"])["W1"].dtype == np.float32


# -- first weights --------------------------------------------------------------------------


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("system", ["torch", "keras"])
def test_first_weights_are_drawn_as_ours(system: str, name: str) -> None:
    net = Network([Dense(400, weights=name), Dense(3)], loss=CrossEntropy(), seed=0, n_in=200)
    X, y = np.random.default_rng(0).standard_normal((6, 200)), np.arange(6) % 3
    told = net.translate(system, optimizer=SGD(1e-12), epochs=1, batch_size=None)
    there = arrays_of(system, net, run_there(told, net, X, y)["model"])
    ours = net.parameters["W1"]
    assert there["W1"].std() == pytest.approx(ours.std(), rel=0.02, abs=1e-9)
    assert np.abs(there["W1"]).max() == pytest.approx(np.abs(ours).max(), rel=0.25, abs=1e-9)
    np.testing.assert_allclose(there["b1"], 0, atol=1e-9)


def test_scikit_learn_draws_otherwise_and_that_is_said() -> None:
    told = network().translate("sklearn", optimizer=SGD(0.1))
    assert any("biases uniformly" in note for note in told.differences)
    X, y = data(CrossEntropy(), 3)
    model = run_there(told, network(), X, y)["model"]
    assert model.intercepts_[0].any()


@pytest.mark.parametrize("activation", ["relu", "logistic"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_network_of_an_estimator_is_drawn_as_scikit_learn_draws(system: str, activation: str) -> None:
    from workings.sklearn import MLPClassifier

    X, y = np.random.default_rng(0).standard_normal((50, 200)), np.arange(50) % 3
    model = MLPClassifier(
        400, activation, batch_size=50, max_iter=1, learning_rate_init=1e-12, tol=2, engine="reference", random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = model.fit(X, y).network_
    told = net.translate(system, optimizer=SGD(1e-12), epochs=1, batch_size=None, rows=50)
    assert told.is_equal
    there = arrays_of(system, net, run_there(told, net, X, y)["model"])
    for name in ("W1", "b1", "W2"):
        most = np.abs(there[name]).max()
        assert most == pytest.approx(np.abs(net.parameters[name]).max(), rel=0.02)


def test_the_settings_alone_make_code_that_runs() -> None:
    X, y = data(CrossEntropy(), 3)
    net = Network([Dense(5, "relu"), Dense(3)], loss=CrossEntropy())
    for system in SYSTEMS:
        told = net.translate(system, optimizer=Adam(), epochs=2, batch_size=None)
        assert arrays_of(system, net.build(4), run_there(told, net, X, y)["model"])["W1"].shape == (4, 5)


# -- the contract ---------------------------------------------------------------------------


def kinds_of(kind: type[TranslationWriter]) -> Iterator[type[TranslationWriter]]:
    """Every class below a class that can be made: one for each system, and for each solver that has one."""
    for below in kind.__subclasses__():
        yield from kinds_of(below)
        if not inspect.isabstract(below):
            yield below


QUESTIONS = sorted(TranslationWriter.__abstractmethods__ | {"notes_on_training"})


@pytest.mark.parametrize("kind", [*kinds_of(TranslationWriter)], ids=lambda kind: kind.__name__)
def test_every_writer_answers_every_question(kind: type[TranslationWriter]) -> None:
    for name in QUESTIONS:
        assert inspect.signature(getattr(kind, name)) == inspect.signature(getattr(TranslationWriter, name)), name
    notes = [name.removeprefix("notes_on_") for name in QUESTIONS if name.startswith("notes_on_")]
    assert sorted(kind.order_of_notes) == sorted(notes), "each question's notes are given, once"


def test_every_writer_is_used_for_some_optimizer() -> None:
    plans = [
        TranslationPlan(network(), Recipe(optimizer, epochs=100)) for optimizer in (*OPTIMIZER_OF.values(), LBFGS())
    ]
    used = {type(make(plan)) for system, make in SYSTEMS.items() for plan in plans[: -1 if system == "keras" else None]}
    assert used == set(kinds_of(TranslationWriter))


def registered() -> Iterator[tuple[str, Network, Any]]:
    """Each row of each registry, in a network and its optimizer; a new row has to be written above."""
    for name in ACTIVATIONS:
        yield name, network(hidden=[Dense(6, name)]), SGD(0.1)
    for name in LAYERS:
        before = [Dense(1)] if name == "Interpolation" else []
        yield name, network(hidden=[*before, LAYER_OF[name]]), SGD(0.1)
    for name in INITIALIZERS:
        yield name, network(hidden=[Dense(6, weights=name, biases=name)]), SGD(0.1)
    for name in LOSSES:
        yield name, network(LOSS_OF[name]), SGD(0.1)
    for name in REGULARIZERS:
        yield name, network(regularizer=PENALTIES[name]), SGD(0.1)
    for name in OPTIMIZERS:
        yield name, network(), OPTIMIZER_OF[name]
    for name in SCHEDULES:
        yield name, network(), SGD(SCHEDULE_OF[name])


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_row_of_every_registry_is_code_or_an_error_that_names_it(system: str) -> None:
    refused = {}
    for name, net, optimizer in registered():
        try:
            told = net.translate(system, optimizer=optimizer, rows=ROWS)
        except InputError as error:
            refused[name] = str(error)
        else:
            compile(told.code, name, "exec")
    assert all(name in words for name, words in refused.items())
    in_sklearn = {"identity", "sigmoid", "tanh", "relu"}
    nowhere = {"NTKDense", "Scale", "SmoothClip", "ClipPredictions"}
    nowhere |= {"PeriodicEmbedding", "GroupedDense", "PiecewiseLinearEncoding", "Exp", "Interpolation"}
    no_counterpart = {*ACTIVATIONS} - in_sklearn | {"Dropout", "BatchNorm", "AbsoluteError", "Huber"} | nowhere
    assert set(refused) == (no_counterpart if system == "sklearn" else nowhere)


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Each module that a file imports, with the name that it takes; in functions and for types, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from ((str(node.module), alias.name) for alias in node.names)


def test_the_files_of_the_translator_import_each_other_in_no_circle() -> None:
    folder = Path(torch_translation.__file__).parent
    package, files = "workings.readings.translate", {path.stem: path for path in folder.glob("*.py")}
    graph = {
        name: {(f"{module}.{taken}" if module == package else module).removeprefix(f"{package}.")
               for module, taken in imports_of(path) if module.startswith(package)}
        for name, path in files.items()
    }  # fmt: skip
    TopologicalSorter(graph).prepare()
    assert graph["translated_code"] | graph["plan"] <= {"formatting"}
    machine = tuple(f"workings.{name}" for name in ("training.recipe", "training.fit", "network", "model.model"))
    taken = {taken for path in files.values() for module, taken in imports_of(path) if module in machine}
    assert taken <= {"Recipe", "Labels", "whole_number", "Model"}


# -- what cannot be translated, and what is said ----------------------------------------------


def test_errors_name_what_cannot_be_translated() -> None:
    own = Activation("own", lambda z: z, lambda z: np.ones_like(z))
    cases = [
        ("torhc", network(), SGD(0.1), "Did you mean 'torch'"),
        ("torch", network(hidden=[Dense(3, own)]), SGD(0.1), "'own' is user-defined"),
        ("torch", network(hidden=[Dense(3, ACTIVATIONS["selu"].with_constants(scale=2.0))]), SGD(0.1), "SELU"),
        ("sklearn", network(hidden=[Dense(3, "tanh"), Dropout(0.2)]), SGD(0.1), "Dropout"),
        ("sklearn", network(hidden=[Dense(3, "tanh"), Dense(3, "relu")]), SGD(0.1), "tanh, relu"),
        ("sklearn", network(hidden=[Dense(3, bias=False)]), SGD(0.1), "biases"),
        ("sklearn", network(CrossEntropy(label_smoothing=0.1)), SGD(0.1), "has no label smoothing"),
        ("keras", network(), LBFGS(), "no L-BFGS"),
        ("torch", network(hidden=[Dense(3, weights=np.ones((4, 3)))]), SGD(0.1), 'weights="given"'),
    ]
    for system, net, optimizer, words in cases:
        with pytest.raises(InputError, match=words):
            net.translate(system, optimizer=optimizer)


def test_what_is_the_users_own_is_named() -> None:
    class Mine(SGD):
        """An optimizer of the user's own."""

    class Wrong(SquaredError):  # noqa: N818
        """A loss of the user's own."""

    with pytest.raises(InputError, match=r"Mine\(lr=0.1\) is a user-defined part of an optimizer"):
        network().translate("torch", optimizer=Mine(0.1))
    with pytest.raises(InputError, match=r"Wrong.* is a user-defined loss"):
        network(Wrong()).translate("keras", optimizer=SGD(0.1))


@pytest.mark.parametrize("settings", [{"epochs": 0}, {"batch_size": 2.5}, {"rows": -1}, {"weights": "drwa"}], ids=str)
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        network().translate("torch", optimizer=SGD(0.1), **settings)


@pytest.mark.parametrize("system", SYSTEMS)
def test_sentences_are_sentences_and_code_is_code(system: str) -> None:
    told = network(regularizer=L2(0.1)).translate(system, optimizer=Adam(0.1))
    assert str(told).endswith(told.code)
    assert len(set(told.notes)) == len(told.notes) > 3
    for note in told.notes:
        assert note[-1] == "."
        assert note[0] not in " -"
    assert all(len(line) <= 100 for line in str(told).splitlines())


def test_the_modules_of_pytorch_by_themselves() -> None:
    found = torch_translation.sequential(network(hidden=[Dense(3), BatchNorm("relu"), Dropout(0.1)]))
    assert found.modules[2:] == ("nn.ReLU()", "nn.Dropout(0.1)", "nn.Linear(3, 3)")
    assert found.places["gamma1"] == "model[1].weight"


# -- settings as text -------------------------------------------------------------------------


def test_settings_as_text() -> None:
    net, settings = parse_description(
        "Chain(ClipByNorm(1.0), Adam(lr=Step(0.01, every=10))); L2(1e-4); Dense(32, 'relu', weights=Constant(0.5)), "
        "Dropout(rate=0.1), Dense(10); CrossEntropy(); batch_size=32; rows=100"
    )
    assert repr(net) == repr(
        Network([Dense(32, "relu"), Dropout(0.1), Dense(10)], loss=CrossEntropy(), regularizer=L2(1e-4))
    )
    assert settings["optimizer"] == Chain(ClipByNorm(1.0), Adam(Step(0.01, every=10)))
    assert (settings["batch_size"], settings["rows"]) == (32, 100)
    assert parse_description("Dense(3); CrossEntropy(); batch_size=0")[1] == {"batch_size": None}
    text = "Dense(3); CrossEntropy(); class_weight={'a': 2}; sample_weight=True; validation=True"
    assert parse_description(text)[1] == {"class_weight": {"a": 2}, "sample_weight": True, "validation": True}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no layers"),
        ("Dense(3); CrossEntropy(", "cannot be parsed"),
        ("Dense(3); CrossEntropie()", "Did you mean 'CrossEntropy'"),
        ("Dense(3)", "no loss"),
        ("Dense(3); CrossEntropy(); SquaredError()", "two losses"),
        ("Dense(3); CrossEntropy(); Adam(); SGD(0.1)", "two optimizers"),
        ("Dense(3); CrossEntropy(); batchsize=3", "Did you mean 'batch_size'"),
        ("Dense(__import__('os').getpid()); CrossEntropy()", "only"),
        ("Dense(units=open('x')); CrossEntropy()", "Unknown name 'open'"),
        ("Dense(2**9); CrossEntropy()", "only"),
        ("Dense(units=3, colour='red'); CrossEntropy()", "colour"),
        ("[Dense(3) for _ in (1, 2)]; CrossEntropy()", "only"),
        ("Dense(*[3]); CrossEntropy()", "only"),
        ("Dense(**{'units': 3}); CrossEntropy()", "only"),
        ("import os", "only"),
        ("x = y = 3", "only"),
        ("Dense(3)\0; CrossEntropy()", "cannot be parsed"),
        ("(" * 5000 + "Dense(3)" + ")" * 5000, "cannot be parsed"),
        ("Dense(lambda: 3)", "only"),
        ("'Dense(3)'; CrossEntropy()", "only"),
    ],
)
def test_settings_that_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_description(text)


# -- the command ------------------------------------------------------------------------------


def command(*arguments: object) -> Any:
    """Run ``workings translate``."""
    return CliRunner().invoke(app, ["translate", *map(str, arguments)])


def test_the_command_translates_settings() -> None:
    text = "Momentum(0.1); L2(1e-4); Dense(5, 'tanh'), Dense(3); CrossEntropy(); batch_size=15"
    done = command(text, "--to", "sklearn", "--rows", ROWS, "--epochs", 25, "--weights", "given")
    assert done.exit_code == 0, done.output
    net = Network([Dense(5, "tanh"), Dense(3)], loss=CrossEntropy(), regularizer=L2(1e-4), seed=0, n_in=4)
    settings = {"batch_size": 15, "rows": ROWS, "epochs": 25, "weights": "given"}
    same = Network(net.layers, loss=net.loss, regularizer=net.regularizers).translate(
        "sklearn", optimizer=Momentum(0.1), **settings
    )
    assert done.output == str(same)
    names: dict[str, Any] = {"weights": dict(net.parameters)}
    names["X"], names["y"] = data(net.loss, 3)
    exec(compile(done.output.replace("shuffle=True", "shuffle=False"), "<printed>", "exec"), names)
    net.fit(names["X"], names["y"], optimizer=Momentum(0.1), epochs=25, batch_size=15, shuffle=False)
    np.testing.assert_allclose(names["model"].coefs_[0], net.parameters["W1"], atol=EQUAL)


def test_the_command_translates_a_model(tmp_path: Any) -> None:
    path = network(regularizer=L2(0.01)).save(tmp_path / "net.safetensors")
    done = command(path, "--to", "pytorch", "--optimizer", "nesterov", "--lr", 0.3, "--batch-size", 0)
    assert done.exit_code == 0, done.output
    assert "nesterov=True" in done.output
    assert "lr=0.3" in done.output
    assert "inputs[rows]" in done.output


def test_the_command_changes_a_rate() -> None:
    done = command("Adam(0.1, beta1=0.5); Dense(3); CrossEntropy()", "--to", "torch", "--lr", 0.02)
    assert "Adam(model.parameters(), lr=0.02, betas=(0.5, 0.999)" in done.output


def test_the_command_weighs_and_measures() -> None:
    text = "SGD(0.1); Dense(3); CrossEntropy()"
    done = command(text, "--to", "torch", "--sample-weight", "--class-weight", "balanced", "--validation")
    given = {"sample_weight": True, "class_weight": "balanced", "validation": True}
    net = Network([Dense(3)], loss=CrossEntropy())
    assert done.output == str(net.translate("torch", optimizer=SGD(0.1), **given))


def test_the_command_names_every_optimizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    for name in ("translate", "train"):
        told = CliRunner().invoke(app, [name, "--help"]).output.lower()
        assert all(known.lower() in told for known in [*OPTIMIZERS, "lbfgs"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Dense(3); CrossEntropy()", "--to", "tensorflow"], "Unknown system 'tensorflow'"),
        (["Dense(3, 'rellu'); CrossEntropy()", "--to", "torch"], "Did you mean 'relu'"),
        (["missing.safetensors", "--to", "torch"], "missing.safetensors"),
        (
            ["Chain(ClipByNorm(1.0), SGD(0.1)); Dense(3); CrossEntropy()", "--to", "torch", "--lr", "0.2"],
            "--lr goes with",
        ),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], words: str) -> None:
    done = command(*arguments)
    assert done.exit_code != 0
    assert words in " ".join(done.output.split())
