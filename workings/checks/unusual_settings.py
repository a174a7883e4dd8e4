"""Checks of settings that are unusual: dropout, narrow layers, batches, momentum, and the constant eps of Adam.

A setting alone is no mistake.  Where a trial can tell, a copy is trained with the usual setting, and the finding is
reported only if the copy does clearly better.  Comments give the source of each threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from workings.checks.comparison import as_trained, gain_of, loss_gain, trained_again, with_layers
from workings.checks.evidence import FEWEST_ROWS_TO_SPLIT, FOLDS, Case, remade, row_losses
from workings.checks.findings import Finding, make_finding
from workings.checks.network_design import dense_layers
from workings.checks.suggested_code import Code
from workings.checks.training_progress import STILL_FALLING, final_level
from workings.layers import BatchNorm, Dense, Dropout, FullyConnected, Layer
from workings.model.model import Model
from workings.optimizers import Adam, Chain, Part
from workings.support.arrays import Array
from workings.training.rows import Rows

# Srivastava et al. 2014, "Dropout", section A.4: typical rates are 0.5 for hidden units and 0.2 for inputs.
LARGEST_DROPOUT = 0.8
NARROW = 0.5  # units of a layer, divided by the units of its narrower neighbour
MANY_PARAMETERS = 20  # per row
# Wu & He 2018, "Group Normalization", figure 1: the error rises fast below eight rows.
SMALLEST_BATCH = 4
LARGEST_EPS = 1e-4  # of Adam and its relatives, where 1e-8 is usual
# Goodfellow et al. 2016, section 8.3.2: common values are 0.5, 0.9 and 0.99.
LARGEST_MOMENTUM, USUAL_MOMENTUM, USUAL_EPS = 0.99, 0.9, 1e-8
BETTER = 0.8  # of the objective, with the usual constant
FEWEST_ROWS = 20
TRIAL_STEPS, FEWEST_STEPS, MOST_STEPS = 400, 300, 600
SMALL_NETWORK = 16  # units of the hidden layer that is tried
GOOD = 0.97  # accuracy or R² from which no other network is tried


def check_settings(case: Case) -> Iterator[Finding]:
    """Check the settings of the layers and of the training."""
    yield from check_dropout(case)
    yield from check_small_batches(case)
    yield from check_eps(case)
    yield from check_momentum(case)
    yield from check_narrow_layers(case)
    yield from check_parameter_count(case)
    yield from check_for_hidden_layers(case)


def check_dropout(case: Case) -> Iterator[Finding]:
    """Check whether dropout leaves hardly any unit."""
    rates = [layer.rate for layer in case.network.layers if isinstance(layer, Dropout)]
    if rates and max(rates) > LARGEST_DROPOUT:
        layers = [
            Dropout(0.5) if isinstance(layer, Dropout) and layer.rate > LARGEST_DROPOUT else layer
            for layer in case.network.layers
        ]
        yield make_finding(
            "strong-dropout",
            f"Dropout({max(rates):g}) sets {max(rates):.0%} of its inputs to 0 in each step; 20 to 50 % is usual.",
            case.code.of_network(layers),
        )


def check_small_batches(case: Case) -> Iterator[Finding]:
    """Check whether batch normalization has only a few rows for its means."""
    has_norm = any(isinstance(layer, BatchNorm) for layer in case.network.layers)
    if has_norm and "batch_size" in case.training.known and case.batch_size <= SMALLEST_BATCH < len(case.X):
        yield make_finding(
            "small-batches",
            f"each batch has {case.batch_size} rows, from which batch normalization computes its means and variances.",
            case.code.fit(batch_size=32),
        )


def changed_parts(optimizer: Part, change: Mapping[str, tuple[float, float]]) -> Part:
    """Return the optimizer with fields above a limit set to another value; ``change`` has both by the field's name."""
    if isinstance(optimizer, Chain):
        return Chain(*(changed_parts(link, change) for link in optimizer.links))
    new = {name: usual for name, (limit, usual) in change.items() if getattr(optimizer, name, 0.0) > limit}
    return replace(optimizer, **new) if new else optimizer


def check_eps(case: Case) -> Iterator[Finding]:
    """Check whether the eps of an adaptive optimizer is larger than the gradients, by a trial with the usual one."""
    optimizer = case.step_optimizer
    if optimizer is not None:
        usual = changed_parts(optimizer, {"eps": (LARGEST_EPS, USUAL_EPS)})
        yield from better_optimizer(case, optimizer, usual, "large-eps", "eps")


def check_momentum(case: Case) -> Iterator[Finding]:
    """Check whether momentum remembers more steps than the training has, by a trial with the usual one."""
    optimizer = case.step_optimizer
    if optimizer is not None:
        change = (LARGEST_MOMENTUM, USUAL_MOMENTUM)
        usual = changed_parts(optimizer, {"momentum": change, "beta1": change})
        yield from better_optimizer(case, optimizer, usual, "large-momentum", "momentum")


def better_optimizer(case: Case, optimizer: Part, usual: Part, name: str, field: str) -> Iterator[Finding]:
    """Compare the optimizer with its usual form, in trials from the initial parameters."""
    if case.start is None or usual == optimizer:
        return
    steps, rows = min(max(case.steps_done, FEWEST_STEPS), MOST_STEPS), case.trial_rows()
    here, there = (final_level(case.trial(case.start, tried, steps, rows)[1]) for tried in (optimizer, usual))
    if (there < BETTER * here or not np.isfinite(here)) and not harms(case, usual):
        names = (field, "beta1") if field == "momentum" else (field,)
        values = [getattr(part, name) for part in optimizer.parts for name in names if hasattr(part, name)]
        others = [getattr(part, name) for part in usual.parts for name in names if hasattr(part, name)]
        yield make_finding(
            name,
            f"after about {steps} steps with {field} {max(values):g}, the objective is {here:.4g}; with the usual "
            f"{max(others):g} it is {there:.4g}.",
            case.code.new_training(optimizer=usual),
        )


def harms(case: Case, optimizer: Part) -> bool:
    """Whether another optimizer raises the loss of held-out rows beyond chance."""
    before = as_trained(case)
    return before is not None and loss_gain(before, trained_again(case, optimizer)).is_worse


def check_narrow_layers(case: Case) -> Iterator[Finding]:
    """Check whether a hidden layer is much narrower than both neighbours, and a wider one does better in a trial."""
    if case.start is None or case.start.edits:
        return
    dense = [layer for layer, _ in dense_layers(case.network)]
    widths = [case.X.shape[1], *(layer.units for layer in dense)]
    inner = [
        i
        for i in range(1, len(dense))
        if widths[i] <= NARROW * min(widths[i - 1], widths[i + 1]) and not predicts_inputs(case)
    ]
    if not inner:
        return
    narrow = min(inner, key=lambda i: widths[i])
    units = min(widths[narrow - 1], widths[narrow + 1], 64)
    layers = [remade(layer, units) if layer is dense[narrow - 1] else layer for layer in case.network.layers]
    if not case.network.is_fresh and case.score >= GOOD:
        yield from narrow_for_held_out_rows(case, layers, dense[narrow - 1])
        return
    here, there = (trained_objective(case, tried) for tried in (case.network.layers, layers))
    if there < STILL_FALLING * here:
        yield make_finding(
            "narrow-layer",
            f"everything passes through the {widths[narrow]} units of {dense[narrow - 1]!r}, between "
            f"{widths[narrow - 1]} and {widths[narrow + 1]}. After {TRIAL_STEPS} steps of Adam the objective is "
            f"{here:.4g}; with {units} units it is {there:.4g}.",
            case.code.of_network(layers),
        )


def narrow_for_held_out_rows(case: Case, layers: Sequence[Layer], narrow: FullyConnected) -> Iterator[Finding]:
    """Check whether a network that has learned its rows knows other rows better with a wider layer."""
    before = as_trained(case)
    if before is None:
        return
    after = with_layers(case, layers)
    here, there = float(before.losses.mean()), float(after.losses.mean())
    if loss_gain(before, after).is_better and there < BETTER * here:
        yield make_finding(
            "narrow-layer",
            f"everything passes through the {narrow.units} units of {narrow!r}. In trials without a quarter of the "
            f"rows, the loss on the rows left out is {here:.4g}; with a wider layer it is {there:.4g}.",
            case.code.of_network(layers),
        )


def predicts_inputs(case: Case) -> bool:
    """Whether the network is an autoencoder, in which a narrow layer is meant."""
    return case.y.shape == case.X.shape and bool(np.allclose(case.X, case.y))


def trained_objective(case: Case, layers: Sequence[Layer]) -> float:
    """Return the objective after some steps of Adam, of a new network without dropout."""
    kept: list[Layer] = [layer for layer in layers if not isinstance(layer, Dropout)]
    model = Model(kept, loss=case.network.loss, seed=0, dtype=str(case.network.dtype))
    model.build(case.X.shape[1])
    return final_level(case.trial(model, Adam(0.01), TRIAL_STEPS, case.trial_rows())[1])


def check_parameter_count(case: Case) -> Iterator[Finding]:
    """Check whether the network has far more parameters than rows, and no validation rows to notice overfitting."""
    n, count = len(case.X), int(case.network.theta.size)
    watched = "validation" in case.training.given or "val_loss" in case.columns
    if len(case.losses) and not watched and n >= FEWEST_ROWS and count > MANY_PARAMETERS * n:
        yield make_finding(
            "more-parameters-than-rows",
            f"{count:,} parameters are trained on {n:,} rows, {count / n:,.0f} per row, and no row is held out.",
            case.code.new_training(validation=0.2, callbacks=Code("[EarlyStopping(patience=10)]")),
        )


def check_for_hidden_layers(case: Case) -> Iterator[Finding]:
    """Check whether a small network does better on held-out rows than this model without hidden layers."""
    if len(dense_layers(case.network)) > 1 or len(case.network.layers) > 1 or len(case.X) < FEWEST_ROWS_TO_SPLIT:
        return
    if case.network.is_fresh or case.network.edits or case.score >= GOOD or case.is_constant:
        return
    rows = case.all_rows.some(4 * TRIAL_STEPS)
    fold = np.random.default_rng(0).permutation(len(rows.X)) % FOLDS
    linear, small = zip(*(held_out(case, rows.take(fold != i), rows.take(fold == i)) for i in range(2)), strict=True)
    here, there = np.concatenate(linear), np.concatenate(small)
    if gain_of(here - there).is_better and there.mean() < 0.8 * here.mean():
        last = case.network.layers[-1]
        yield make_finding(
            "no-hidden-layer",
            f"a network with one hidden layer of {SMALL_NETWORK} units has a loss of {there.mean():.4g} on rows that "
            f"were left out; without hidden layers it is {here.mean():.4g}.",
            case.code.of_network([Dense(SMALL_NETWORK, "relu"), last]),
        )


def held_out(case: Case, kept: Rows, held: Rows) -> tuple[Array, Array]:
    """Return the loss of each held-out row: by a model without hidden layers, and by a small network."""
    losses = []
    for layers in ([Dense(case.network.n_out)], [Dense(SMALL_NETWORK, "relu"), Dense(case.network.n_out)]):
        model = Model(layers, loss=case.network.loss, seed=0, dtype=str(case.network.dtype))
        model.build(case.X.shape[1])
        losses.append(row_losses(case.trial(model, Adam(0.01), TRIAL_STEPS, kept)[0], held))
    return losses[0], losses[1]
