"""Checks before data-parallel training: whether a batch can be cut into shards without changing its gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workings.errors import InputError
from workings.model.model import Model
from workings.support.arrays import Array, as_random
from workings.training.batches import Batches
from workings.training.parallel.parallel_settings import Workers
from workings.training.parallel.shard_tasks import Job, Shard, contribution

FEW_ROWS = 16  # on which the gradient of a batch is compared with the sum over its shards


def check_network(model: Model, workers: Workers) -> None:
    """Raise an error for parts of a network that cannot be trained with workers.

    Raises
    ------
    InputError
        For the edits of ``replacing``; for layers with running statistics, if gradients are summed; for a loss that
        is a sum, if parameters are averaged.
    """
    if model.edits:
        raise InputError(
            f"A network made by replacing({model.edits[0][0]!r}, …) cannot be trained with workers, because a step is "
            "cut in two: train it without workers."
        )
    for layer in model.layers if workers.local_steps == 1 else ():
        if layer.statistics or layer.fewest_rows > 1:
            raise InputError(
                f"{layer!r} needs the mean of a whole batch, but each worker has a part of it. Train without workers, "
                "or with Workers(…, local_steps=4), where each shard is a batch of its own, or leave the layer out."
            )
    if workers.local_steps > 1 and model.loss.reduction == "sum":
        raise InputError(
            "With local_steps above 1, the steps of the shards are averaged, so that the loss must be a mean: use "
            "reduction='mean', or local_steps=1."
        )


def check_additive(job: Job, model: Model, batches: Batches) -> None:
    """Raise an error if the gradient of some rows is not the sum of the gradients of two halves of them.

    A layer or a loss of a user's own may use all rows of a batch, for example for their mean.
    """
    count, w = min(len(batches.rows.X), FEW_ROWS), batches.rows.w
    shares = np.ones(count) if w is None else w[:count, 0].astype(np.float64)
    draws, values = model.draw_masks(count, as_random(0)), {**model.parameters, **model.statistics}
    of_check = replace(job, engine="reference", token=f"{job.token} check")

    def gradient(*parts: slice) -> Array:
        shards = []
        for number, part in enumerate(parts):
            weight = 1.0 if model.loss.reduction == "sum" else float(shares[part].sum() / shares.sum())
            masks = {name: array[part] for name, array in draws.items()}
            bounds, own = np.array([[0, part.stop - part.start]]), None if w is None else w[part]
            shards.append(Shard(number, part, bounds, weight, np.ones(1), [0.0], 1, masks, own))
        return contribution(of_check, values, batches.rows, shards, (1, len(shards))).total.values()

    if count < 2:
        return
    half = count // 2
    whole, halves = gradient(slice(0, count)), gradient(slice(0, half), slice(half, count))
    tolerance = 1e-7 if model.dtype == np.float64 else 1e-2
    if np.isfinite(whole).all() and not np.allclose(
        whole, halves, rtol=tolerance, atol=tolerance * np.abs(whole).max()
    ):
        raise InputError(
            "The gradient of a batch is not the sum of the gradients of its shards: a layer, the loss or a regularizer "
            "of your own uses all rows of a batch, for example their mean. Train without workers, or with "
            "Workers(…, local_steps=4), where each shard is a batch of its own."
        )
