"""Express the changes that the doctor advises as ``workings train`` commands.

A user of the command line has no variable ``net``.  So each change is a complete command with the changed options.  A
change that no option covers remains Python code.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from workings.checks.rates import rate_of
from workings.cli.table_plan import PLAIN_OPTIONS, Plan, TableSource
from workings.layers import Dense, Dropout, FullyConnected, Layer
from workings.network import Network
from workings.optimizers import Part, optimizer_named
from workings.regularizers import L2, Regularizer

DEFAULTS = {
    "hidden": "32,16",
    "activation": "relu",
    "loss": "auto",
    "optimizer": "adam",
    "lr": None,
    "epochs": None,
    "patience": 20,
    "validation": 0.2,
    "batch_size": 32,
    "l2": 0.0,
    "dropout": 0.0,
    "seed": 0,
    "test": 0.0,
    "group": None,
    "time_order": None,
    "folds": 0,
    "ensemble": None,
    "embed": None,
    "transform": "auto",
}


@dataclass(frozen=True)
class TableTerms:
    """Options of a training on a table; implements :class:`workings.checks.change_code.Terms`."""

    source: TableSource
    plan: Plan
    classification: bool = True

    opening = ""

    def trained(self, changed: Mapping[str, Any]) -> str:
        """Return the command with changed settings of ``fit``."""
        options: dict[str, Any] = {"epochs": changed["epochs"]} if "epochs" in changed else {}
        options |= {"balanced": True} if changed.get("class_weight") == "balanced" else {}
        if self.plan.recipe and "optimizer" in changed:
            return self.recipe_code(rate_of(changed["optimizer"]), options.get("epochs"))
        patience = {} if self.plan.recipe else {"patience": 10}
        options |= {"validation": 0.2, **patience} if "callbacks" in changed else {}
        options |= optimizer_options(changed["optimizer"]) if "optimizer" in changed else {}
        return self.command(**options)

    def more_epochs(self, epochs: int, before: int) -> str:
        """Return the command that trains anew, for the sum of the epochs."""
        return self.command(epochs=before + epochs)

    def changed_network(
        self, network: Network, parts: Sequence[Layer | str], penalties: Sequence[Regularizer]
    ) -> str | None:
        """Return the command with changed layers or penalties, or None if no options describe them."""
        if self.plan.recipe and sum(isinstance(layer, FullyConnected) for layer in parts) == 1:
            return replace(self, plan=replace(self.plan, recipe=False)).command(hidden="")
        *hidden, last = parts
        dense = [layer for layer in hidden if isinstance(layer, Dense)]
        activations = {layer.activation_function.name for layer in dense}
        has_options = all(isinstance(x, (Dense, Dropout)) for x in (*hidden, last)) and len(activations) < 2
        of_weights = [penalty for penalty in penalties if isinstance(penalty, L2)]
        if not has_options or any(type(penalty) is not L2 for penalty in penalties):
            return None
        options = {"activation": activations.pop()} if activations else {}
        units = ",".join(str(layer.units) for layer in dense)
        return self.command(hidden=units, l2=sum(penalty.lam for penalty in of_weights), **options)

    def recipe_code(self, lr: float, epochs: int | None) -> str:
        """Return Python code that trains the recipe with another learning rate, which no option of the command sets."""
        changes = f"lr={lr:.6g}" + ("" if epochs is None else f", epochs={epochs}")
        changes += f", embed={self.plan.embed!r}" if self.plan.embed else ""
        changes += f", target={self.plan.transform!r}" if self.plan.transform != "auto" else ""
        kind, recipe = (
            ("TableClassifier", "CLASSIFICATION") if self.classification else ("TableRegressor", "REGRESSION")
        )
        target = self.source.target
        return (
            "from dataclasses import replace\nfrom workings import table_recipe\n"
            f"from workings.sklearn import {kind}\nfrom workings.tables import read_table\n"
            f"table = read_table({str(self.source.file)!r})\n"
            f"model = {kind}(recipe=replace(table_recipe.{recipe}, {changes}))\n"
            f"model.fit(table.drop({target!r}), table[{target!r}].to_numpy())"
        )

    def command(self, drop: Sequence[str] = (), **changed: Any) -> str:
        """Return the command of this training with some options changed."""
        plan = replace(self.plan, **changed)
        source = self.source
        words = ["workings", "train", str(source.file), "--target", source.target]
        words += (
            [] if plan.recipe or any(getattr(plan, name) != DEFAULTS[name] for name in PLAIN_OPTIONS) else ["--plain"]
        )
        for name in (f.name for f in fields(plan)):
            if name in DEFAULTS and getattr(plan, name) != DEFAULTS[name]:
                value = getattr(plan, name)
                words += [f"--{name.replace('_', '-')}", str(0 if value is None else value)]
        words += ["--balanced"] if plan.balanced else []
        used = tuple(name for name in source.choices.use if name not in drop)
        choices = replace(source.choices, drop=(*source.choices.drop, *drop), use=used)
        return shlex.join([*words, *replace(source, choices=choices).options()])


def optimizer_options(optimizer: Part) -> dict[str, object]:
    """Return an optimizer as options; ``lr`` is None if the learning rate is the optimizer's default."""
    name = type(optimizer).__name__.lower()
    rate: Any = optimizer.lr  # type: ignore[attr-defined]
    return {"optimizer": name, "lr": None if optimizer_named(name) == optimizer else rate}
