"""PyTorch: the same networks from the same weights, in float64, are the same after 100 steps.

PyTorch is the oracle: its activations, losses, optimizers and automatic gradients are called here,
none is written again.  Whoever adds a row to a registry is asked for PyTorch's counterpart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.utils.class_weight import compute_class_weight

from workings import (
    L1,
    L2,
    SGD,
    AdaGrad,
    Adam,
    AdamEpsilonHat,
    AdamW,
    BatchNorm,
    BinaryCrossEntropy,
    Chain,
    ClipByNorm,
    ClipByValue,
    CrossEntropy,
    Decay,
    Dense,
    Dropout,
    Huber,
    Momentum,
    Nesterov,
    Network,
    Poisson,
    RMSProp,
    SquaredError,
)
from workings.activations import ACTIVATIONS
from workings.datasets import moons, xor
from workings.initializers import LeCunNormal, Normal, Uniform
from workings.layers import number_layers
from workings.losses import LOSSES
from workings.optimizers import OPTIMIZERS
from workings.regularizers import REGULARIZERS
from workings.schedules import Cosine, Exponential, OnPlateau, Step

torch = pytest.importorskip("torch")
functional = torch.nn.functional

STEPS = 100
GRADIENT_DESCENT = SGD(0.1)

# What PyTorch calls our rows. A missing name means that a new row still needs its oracle.
TORCH_ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda z, slope: functional.leaky_relu(z, slope),
    "elu": lambda z, alpha: functional.elu(z, alpha),
    "selu": lambda z, alpha, scale: functional.selu(z),
    "gelu": functional.gelu,
    "gelu_tanh": lambda z: functional.gelu(z, approximate="tanh"),
    "silu": functional.silu,
    "softplus": functional.softplus,
    "mish": functional.mish,
    "hard_tanh": functional.hardtanh,
}
TORCH_LOSSES: dict[str, Callable[..., Any]] = {
    "SquaredError": lambda z, y, loss: (0.5 if loss.half else 1) * functional.mse_loss(z, y, reduction=loss.reduction),
    "AbsoluteError": lambda z, y, loss: functional.l1_loss(z, y, reduction=loss.reduction),
    "Huber": lambda z, y, loss: functional.huber_loss(z, y, reduction=loss.reduction, delta=loss.delta),
    "CrossEntropy": lambda z, y, loss: functional.cross_entropy(
        z, y, reduction=loss.reduction, label_smoothing=loss.label_smoothing
    ),
    "BinaryCrossEntropy": lambda z, y, loss: functional.binary_cross_entropy_with_logits(
        z, y, reduction=loss.reduction
    ),
    "Poisson": lambda z, y, loss: functional.poisson_nll_loss(z, y, log_input=True, reduction=loss.reduction),
}
TORCH_OPTIMIZERS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "SGD": (SGD(0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "Momentum": (Momentum(0.02, momentum=0.8), lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8)),
    "Nesterov": (Nesterov(0.02, momentum=0.8), lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8, nesterov=True)),
    "AdaGrad": (AdaGrad(0.05, eps=1e-7), lambda p: torch.optim.Adagrad(p, lr=0.05, eps=1e-7)),
    "RMSProp": (RMSProp(0.005, rho=0.95, eps=1e-6), lambda p: torch.optim.RMSprop(p, lr=0.005, alpha=0.95, eps=1e-6)),
    "Adam": (
        Adam(0.01, beta1=0.8, beta2=0.99, eps=1e-5),
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-5),
    ),
    "AdamEpsilonHat": (
        # PyTorch adds eps to the corrected root: with next to none, both forms are the same.
        AdamEpsilonHat(0.01, beta1=0.8, beta2=0.99, eps=1e-30),
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-30),
    ),
    "AdamW": (AdamW(0.01, weight_decay=0.1), lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1)),
}
TORCH_PENALTIES: dict[str, Callable[..., Any]] = {
    "L2": lambda W, n, lam: lam / 2 * torch.linalg.vector_norm(W) ** 2,
    "L1": lambda W, n, lam1: lam1 * torch.linalg.vector_norm(W, ord=1),
    "L2PerRow": lambda W, n, alpha: alpha / 2 * torch.linalg.vector_norm(W) ** 2 / n,
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small networks are slower on many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Twin:
    """The same network in PyTorch, from the weights that ours has now."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.start = net.theta.copy()
        self.parameters = {k: torch.tensor(v.copy(), requires_grad=True) for k, v in net.parameters.items()}
        self.statistics = {k: torch.tensor(v.copy()) for k, v in net.statistics.items()}
        self.before_step: Callable[[], None] = lambda: None

    def z(self, X: Any, masks: dict[str, Any] | None = None, training: bool = True) -> Any:
        """Give what the last layer gives."""
        x = X
        for layer, number in number_layers(self.net.layers):
            own = {letter: self.parameters[letter + number] for letter in layer.parameters}
            if isinstance(layer, Dense):
                x = functional.linear(x, own["W"].T, own.get("b"))
            elif isinstance(layer, BatchNorm):
                running = (self.statistics[f"running_mean{number}"], self.statistics[f"running_variance{number}"])
                x = functional.batch_norm(
                    x, *running, own["gamma"], own["beta"], training=training, momentum=layer.momentum, eps=layer.eps
                )
            elif training:
                assert masks is not None
                x = x * masks["mask" + number]
            x = TORCH_ACTIVATIONS[layer.activation_function.name](x, **layer.activation_function.constants)
        return x

    def objective(self, X: Any, y: Any, criterion: Callable[[Any, Any], Any], **how: Any) -> Any:
        """Give the loss and the penalties."""
        J = criterion(self.z(X, **how), y)
        for regularizer in self.net.regularizers:
            for name, parameter in self.parameters.items():
                if name.startswith("W"):
                    J = J + TORCH_PENALTIES[type(regularizer).__name__](parameter, len(X), **regularizer.constants)
        return J

    def step(self, optimizer: Any, X: Any, y: Any, criterion: Callable[[Any, Any], Any], **how: Any) -> None:
        """Make one update."""
        optimizer.zero_grad()
        self.objective(X, y, criterion, **how).backward()
        self.before_step()
        optimizer.step()

    def train(
        self, X: Any, y: Any, criterion: Callable[[Any, Any], Any], factory: Callable[..., Any], batch_size: int
    ) -> None:
        """Make 100 steps, batch after batch in the order of the rows."""
        optimizer = factory(list(self.parameters.values()))
        starts = range(0, len(X), batch_size)
        for _ in range(STEPS // len(starts)):
            for i in starts:
                self.step(optimizer, X[i : i + batch_size], y[i : i + batch_size], criterion)

    def assert_same(self, tolerance: float = 1e-10) -> None:
        """Compare all parameters and running statistics with ours, and see that training moved them."""
        assert not np.allclose(self.net.theta, self.start, rtol=1e-4)
        pairs = {**self.parameters, **self.statistics}
        for name, ours in {**self.net.parameters, **self.net.statistics}.items():
            theirs = pairs[name].detach().numpy()
            assert ours.dtype == theirs.dtype
            assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max(), name


def criterion_of(net: Network) -> Callable[[Any, Any], Any]:
    """PyTorch's loss for one of our networks."""
    return lambda z, y: TORCH_LOSSES[type(net.loss).__name__](z, y, net.loss)


def tensor_of(y: np.ndarray, net: Network) -> Any:
    """Targets as PyTorch wants them: a column for one output, and whole numbers for classes."""
    if net.loss.target == "classes":
        return torch.tensor(y)
    return torch.tensor(y.reshape(len(y), net.n_out), dtype=torch.tensor(net.theta).dtype)


def train_both(
    net: Network,
    X: np.ndarray,
    y: np.ndarray,
    *,
    ours: Any = GRADIENT_DESCENT,
    theirs: Callable[..., Any] | None = None,
    criterion: Callable[[Any, Any], Any] | None = None,
    batch_size: int | None = None,
    before_step: Callable[[Twin], None] | None = None,
    tolerance: float = 1e-10,
    **settings: Any,
) -> Twin:
    """Train a network and its twin for 100 steps and compare them."""
    net.build(X.shape[1])
    twin = Twin(net)
    if before_step is not None:
        twin.before_step = lambda: before_step(twin)
    theirs = theirs or (lambda p: torch.optim.SGD(p, lr=ours.lr))
    steps_per_epoch = 1 if batch_size is None else -(-len(X) // batch_size)
    net.fit(X, y, optimizer=ours, epochs=STEPS // steps_per_epoch, batch_size=batch_size, shuffle=False, **settings)
    dtype = torch.tensor(net.theta).dtype
    twin.train(
        torch.tensor(X, dtype=dtype), tensor_of(y, net), criterion or criterion_of(net), theirs, batch_size or len(X)
    )
    twin.assert_same(tolerance)
    return twin


def data_for(loss: Any, rows: int = 24) -> tuple[np.ndarray, np.ndarray, int]:
    """Inputs of three columns, targets that the loss is made for, and the number of outputs."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(rows, 3))
    if loss.target == "classes":
        return X, rng.permutation(np.arange(rows) % 3), 3
    if loss.target == "labels":
        return X, (rng.random((rows, 2)) < 0.5).astype(float), 2
    if loss.target == "counts":
        return X, rng.poisson(2.0, size=(rows, 2)).astype(float), 2
    return X, rng.normal(size=(rows, 2)), 2


# Activations


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_two_layers_of_every_activation(name):
    X, y, n_out = data_for(CrossEntropy())
    net = Network([Dense(7, name), Dense(6, name), Dense(n_out)], loss=CrossEntropy(), seed=1)
    twin = train_both(net, X, y, ours=SGD(0.2))
    theirs = functional.softmax(twin.z(torch.tensor(X)), dim=1).detach().numpy()
    np.testing.assert_allclose(net.predict_proba(X), theirs, rtol=1e-10)


@pytest.mark.parametrize("name", ["leaky_relu", "elu"])
def test_constants_of_an_activation(name):
    X, y, n_out = data_for(SquaredError())
    constant = dict.fromkeys(ACTIVATIONS[name].constants, 0.3)
    layers = [Dense(7, ACTIVATIONS[name].with_constants(**constant)), Dense(6, name), Dense(n_out)]
    train_both(Network(layers, loss=SquaredError(), seed=1), X, y)


# Losses


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name, reduction):
    loss = LOSSES[name](reduction=reduction)
    X, y, n_out = data_for(loss)
    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=loss, seed=2)
    twin = train_both(net, X, y, ours=SGD(0.1 if reduction == "mean" else 0.01))
    theirs = criterion_of(net)(twin.z(torch.tensor(X)), tensor_of(y, net))
    assert net.objective(X, y) == pytest.approx(theirs.item(), rel=1e-10)


@pytest.mark.parametrize(
    "loss",
    [
        SquaredError(half=True),
        SquaredError(half=True, reduction="sum"),
        Huber(delta=0.4),
        Huber(delta=2.5, reduction="sum"),
        CrossEntropy(label_smoothing=0.1),
        CrossEntropy(label_smoothing=0.3, reduction="sum"),
    ],
    ids=repr,
)
def test_settings_of_losses(loss):
    X, y, n_out = data_for(loss)
    train_both(Network([Dense(6, "tanh"), Dense(n_out)], loss=loss, seed=2), X, y, ours=SGD(0.01))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_of_whole_numbers_one_hot_rows_and_shares(smoothing):
    X, y, n_out = data_for(CrossEntropy())
    one_hot = np.eye(n_out)[y]
    shares = np.random.default_rng(3).dirichlet(np.ones(n_out), size=len(X))
    found = []
    for targets in (y, one_hot, shares):
        net = Network([Dense(6, "tanh"), Dense(n_out)], loss=CrossEntropy(label_smoothing=smoothing), seed=2)
        train_both(net, X, targets)
        found.append(net.theta)
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


@pytest.mark.parametrize("loss", [BinaryCrossEntropy(), Poisson(), SquaredError(), Huber()], ids=repr)
def test_one_output(loss):
    X, y, _ = data_for(loss)
    train_both(Network([Dense(6, "sigmoid"), Dense(1)], loss=loss, seed=2), X, y[:, 0])


# Optimizers


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(name):
    ours, theirs = TORCH_OPTIMIZERS[name]
    assert type(ours) is OPTIMIZERS[name]
    X, y, n_out = data_for(CrossEntropy())
    net = Network([Dense(6, "tanh", biases=Normal(0.5)), Dense(n_out)], loss=CrossEntropy(), seed=3)
    train_both(net, X, y, ours=ours, theirs=theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (AdaGrad(0.01), lambda p: torch.optim.Adagrad(p, lr=0.01)),
        (RMSProp(0.01), lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9)),
        (Adam(), lambda p: torch.optim.Adam(p)),
        (AdamW(), lambda p: torch.optim.AdamW(p)),
        (Momentum(0.1), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
        (Nesterov(0.1), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_defaults_of_optimizers(ours, theirs):
    X, y, n_out = data_for(SquaredError())
    train_both(Network([Dense(6, "tanh"), Dense(n_out)], loss=SquaredError(), seed=3), X, y, ours=ours, theirs=theirs)


def test_decay_before_gradient_descent_is_pytorchs_weight_decay():
    X, y, n_out = data_for(SquaredError())
    net = Network([Dense(6, "tanh", biases=Normal(0.5)), Dense(n_out)], loss=SquaredError(), seed=3)
    ours = Chain(Decay(0.1), SGD(0.1))
    train_both(net, X, y, ours=ours, theirs=lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1))


def test_decay_before_adam_is_adamw():
    X, y, n_out = data_for(SquaredError())
    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=SquaredError(), seed=3)
    ours = Chain(Decay(0.2), Adam(0.01))
    train_both(net, X, y, ours=ours, theirs=lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.2))


def test_clipping_every_entry():
    X, y, n_out = data_for(SquaredError())
    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=SquaredError(reduction="sum"), seed=3)
    clipped: list[bool] = []

    def clip(twin: Twin) -> None:
        clipped.append(any((p.grad.abs() > 0.5).any() for p in twin.parameters.values()))
        torch.nn.utils.clip_grad_value_(twin.parameters.values(), 0.5)

    ours = Chain(ClipByValue(0.5), SGD(0.02))
    train_both(net, X, y, ours=ours, theirs=lambda p: torch.optim.SGD(p, lr=0.02), before_step=clip)
    assert any(clipped)


@pytest.mark.parametrize("exact", [True, False])
def test_clipping_the_whole_gradient(exact):
    X, y, n_out = data_for(SquaredError())
    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=SquaredError(), seed=3)
    norms: list[float] = []

    def clip(twin: Twin) -> None:
        gradients = [p.grad for p in twin.parameters.values()]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())
        if exact:  # PyTorch's own adds 1e-6 to the norm
            for gradient in gradients:
                gradient.mul_(min(0.2 / norms[-1], 1.0))
        else:
            torch.nn.utils.clip_grad_norm_(twin.parameters.values(), 0.2)

    ours = Chain(ClipByNorm(0.2), SGD(0.3))
    train_both(
        net, X, y, ours=ours, theirs=lambda p: torch.optim.SGD(p, lr=0.3), before_step=clip,
        tolerance=1e-10 if exact else 1e-5,
    )  # fmt: skip
    assert min(norms) < 0.2 < max(norms)


# Schedules


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Step(0.3, every=7, factor=0.6), lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=7, gamma=0.6)),
        (Exponential(0.3, factor=0.97), lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.97)),
        (
            Cosine(0.3, steps=STEPS, end=0.01),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=STEPS, eta_min=0.01),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_training_along_a_schedule(ours, theirs):
    X, y, n_out = data_for(SquaredError())
    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=SquaredError(), seed=3, n_in=3)
    twin = Twin(net)
    history = net.fit(X, y, optimizer=SGD(ours), epochs=STEPS, batch_size=None)
    optimizer = torch.optim.SGD(twin.parameters.values(), lr=ours.lr)
    schedule, rates = theirs(optimizer), []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        twin.step(optimizer, torch.tensor(X), torch.tensor(y), criterion_of(net))
        schedule.step()
    np.testing.assert_allclose(history["lr"], rates, rtol=1e-12)
    twin.assert_same()


def test_on_plateau():
    ours = OnPlateau(0.5, factor=0.7, patience=3, min_delta=0.05, min_lr=0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        torch.optim.SGD([torch.zeros(1)], lr=0.5), factor=0.7, patience=3, threshold=0.05, threshold_mode="abs",
        min_lr=0.1,
    )  # fmt: skip
    state: dict[str, Any] = {}
    for loss in np.random.default_rng(0).uniform(size=STEPS):
        state = ours.follow(state, loss)
        theirs.step(loss)
        assert state["lr"] == pytest.approx(theirs.get_last_lr()[0], rel=1e-12)
    assert state["lr"] == 0.1


# Regularizers


@pytest.mark.parametrize("name", REGULARIZERS)
def test_every_regularizer(name):
    X, y, n_out = data_for(CrossEntropy())
    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=CrossEntropy(), regularizer=REGULARIZERS[name](0.01), seed=4)
    twin = train_both(net, X, y)
    theirs = twin.objective(torch.tensor(X), tensor_of(y, net), criterion_of(net))
    assert net.objective(X, y) == pytest.approx(theirs.item(), rel=1e-10)


def test_two_regularizers_at_once():
    X, y, n_out = data_for(SquaredError())
    loss = SquaredError(reduction="sum")
    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=loss, regularizer=[L2(0.1), L1(0.02)], seed=4)
    train_both(net, X, y, ours=SGD(0.01))


# Layers


@pytest.mark.parametrize("batch_size", [None, 16])
def test_batch_norm_its_running_statistics_and_its_predictions(batch_size):
    X, y, n_out = data_for(CrossEntropy(), rows=50)
    layers = [Dense(6, biases=Normal(1.0)), BatchNorm("tanh", momentum=0.2, eps=1e-3), Dense(5, "silu"), BatchNorm()]
    net = Network([*layers, Dense(n_out)], loss=CrossEntropy(), seed=5)
    twin = train_both(net, X, y, batch_size=batch_size)
    theirs = functional.softmax(twin.z(torch.tensor(X), training=False), dim=1).detach().numpy()
    np.testing.assert_allclose(net.predict_proba(X), theirs, rtol=1e-9)
    np.testing.assert_array_equal(net.predict(X), theirs.argmax(axis=1))


def test_dropout_with_our_masks():
    X, y, n_out = data_for(CrossEntropy())
    net = Network([Dropout(0.2), Dense(8, "tanh"), Dropout(0.5), Dense(n_out)], loss=CrossEntropy(), seed=6, n_in=3)
    twin = Twin(net)
    optimizer = torch.optim.SGD(twin.parameters.values(), lr=0.1)
    for _ in range(STEPS):
        trace = net.step(X, y, SGD(0.1))
        masks = {name: torch.tensor(trace[name]) for name in ("mask1", "mask2")}
        twin.step(optimizer, torch.tensor(X), torch.tensor(y), criterion_of(net), masks=masks)
    twin.assert_same()
    theirs = functional.softmax(twin.z(torch.tensor(X), training=False), dim=1).detach().numpy()
    np.testing.assert_allclose(net.predict_proba(X), theirs, rtol=1e-10)


# Weights of rows and classes, and batches


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_whole_sample_weights_are_repeated_rows(name, reduction):
    loss = LOSSES[name](reduction=reduction)
    X, y, n_out = data_for(loss)
    w = np.arange(len(X)) % 4
    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=loss, seed=7, n_in=3)
    twin = Twin(net)
    net.fit(X, y, optimizer=SGD(0.01), epochs=STEPS, batch_size=None, sample_weight=w)
    rows = torch.tensor(X.repeat(w, axis=0))
    twin.train(
        rows,
        tensor_of(y.repeat(w, axis=0), net),
        criterion_of(net),
        lambda p: torch.optim.SGD(p, lr=0.01),
        len(rows),
    )
    twin.assert_same()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("class_weight", [{0: 0.2, 2: 3.0}, "balanced"], ids=str)
def test_class_weights_are_those_of_cross_entropy(class_weight, reduction):
    X, y, n_out = data_for(CrossEntropy())
    y = np.where(np.arange(len(y)) < 8, 0, y)
    weights = compute_class_weight(
        class_weight if isinstance(class_weight, str) else {1: 1.0, **class_weight}, classes=np.arange(n_out), y=y
    )

    def criterion(z: Any, target: Any) -> Any:
        return functional.cross_entropy(z, target, weight=torch.tensor(weights), reduction=reduction)

    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=CrossEntropy(reduction=reduction), seed=7)
    train_both(net, X, y, ours=SGD(0.02), criterion=criterion, class_weight=class_weight, batch_size=8)


def test_the_weight_of_the_second_label_is_pos_weight():
    X, y, _ = data_for(BinaryCrossEntropy())

    def criterion(z: Any, target: Any) -> Any:
        return functional.binary_cross_entropy_with_logits(z, target, pos_weight=torch.tensor(3.0), reduction="sum")

    net = Network([Dense(6, "tanh"), Dense(1)], loss=BinaryCrossEntropy(reduction="sum"), seed=7)
    train_both(net, X, y[:, 0].astype(int), ours=SGD(0.02), criterion=criterion, class_weight={1: 3.0})


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SGD(0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
        (Adam(0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
    ],
    ids=["SGD", "Adam"],
)
def test_batches_in_a_given_order_with_a_short_last_one(ours, theirs):
    X, y, n_out = data_for(CrossEntropy(), rows=50)
    order = np.random.default_rng(8).permutation(50)
    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=CrossEntropy(), regularizer=L2(0.01), seed=8)
    train_both(net, X[order], y[order], ours=ours, theirs=theirs, batch_size=16)


# The four tutorials


def test_the_network_of_the_xor_tutorial():
    X, y = xor()
    layers = [Dense(units, "sigmoid", bias=False, weights=Normal(1.0)) for units in (4, 5, 1)]
    loss = SquaredError(half=True, reduction="sum")
    twin = train_both(Network(layers, loss=loss, seed=np.random.RandomState(1)), X, y)
    first = np.random.RandomState(1)
    weights = [first.randn(3, 4), first.randn(4, 5), first.randn(5, 1)]
    np.testing.assert_array_equal(twin.start, np.concatenate([W.ravel() for W in weights]))


def test_the_network_of_the_moons_tutorial():
    X, y = moons()
    layers = [Dense(3, "tanh", weights=LeCunNormal()), Dense(2, weights=LeCunNormal())]
    net = Network(layers, loss=CrossEntropy(reduction="sum"), regularizer=L2(0.01), seed=np.random.RandomState(0))
    train_both(net, X, y, ours=SGD(0.01))


def test_the_network_of_the_digits_tutorial_one_sample_at_a_time():
    X, y = load_digits(return_X_y=True)
    layers = [Dense(200, "sigmoid", weights=LeCunNormal()), Dense(10, weights=LeCunNormal())]
    net = Network(layers, loss=CrossEntropy(), seed=np.random.RandomState(0))
    train_both(net, X[:STEPS] / 16, y[:STEPS], ours=SGD(0.01), batch_size=1)


def test_the_network_of_the_mnist_tutorial():
    rng = np.random.RandomState(0)
    X, y = rng.rand(200, 784), rng.randint(10, size=200)
    sizes = (32, "relu"), (16, "relu"), (10, "identity")
    layers = [Dense(units, activation, weights=Normal(0.5), biases=Uniform(0, 0.5)) for units, activation in sizes]
    train_both(Network(layers, loss=CrossEntropy(), seed=rng), X, y)


def test_float32():
    X, y, n_out = data_for(CrossEntropy())
    net = Network([Dense(6, "tanh"), Dense(n_out)], loss=CrossEntropy(), regularizer=L2(0.01), seed=9, dtype=np.float32)
    train_both(net, X.astype(np.float32), y, tolerance=1e-4)
    assert net.theta.dtype == np.float32
