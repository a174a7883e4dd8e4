"""Terms: the doctor's changes in the words of the command line, as a command that trains on the table anew.

Whoever asks about a table at the command line has no ``net``: a change is the whole command with its other options, as
it can be typed.  What no option says stays code.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from workings.cli.table_plan import Plan
from workings.layers import Dense, Dropout
from workings.network import Network
from workings.optimizers import Part, optimizer_named
from workings.regularizers import L2

USUAL = {"hidden": "32,16", "activation": "relu", "optimizer": "adam", "lr": None, "epochs": 200, "patience": 20,
         "validation": 0.2, "batch_size": 32, "l2": 0.0, "dropout": 0.0, "seed": 0}  # fmt: skip


@dataclass(frozen=True)
class TableTerms:
    """The terms of a training on a table; see :class:`workings.checks.advice.Terms`."""

    file: Path
    target: str
    plan: Plan
    impute: bool = False
    drop: tuple[str, ...] = ()

    opening = ""

    def trained(self, changed: Mapping[str, Any]) -> str:
        """The command with other settings of training."""
        told: dict[str, Any] = {"epochs": changed["epochs"]} if "epochs" in changed else {}
        told |= {"balanced": True} if changed.get("class_weight") == "balanced" else {}
        told |= {"validation": 0.2, "patience": 10} if "callbacks" in changed else {}
        return self.command(**told, **(named(changed["optimizer"]) if "optimizer" in changed else {}))

    def gone_on(self, epochs: int) -> str:
        """The command with so many epochs more."""
        return self.command(epochs=self.plan.epochs + epochs)

    def made(self, network: Network, parts: Sequence[Any], penalties: Sequence[Any]) -> str | None:
        """The command with other layers or penalties, where options can say them."""
        *hidden, last = parts
        dense = [layer for layer in hidden if isinstance(layer, Dense)]
        bends = {layer.bend.name for layer in dense}
        is_sayable = all(isinstance(x, (Dense, Dropout)) for x in (*hidden, last)) and len(bends) < 2
        if not is_sayable or any(type(penalty) is not L2 for penalty in penalties):
            return None
        told = {"activation": bends.pop()} if bends else {}
        units = ",".join(str(layer.units) for layer in dense)
        return self.command(hidden=units, l2=sum(penalty.lam for penalty in penalties), **told)

    def command(self, drop: Sequence[str] = (), **changed: Any) -> str:
        """The command that trains as was planned, but for some changes."""
        plan = replace(self.plan, **changed)
        words = ["workings", "train", str(self.file), "--target", self.target]
        for name in (f.name for f in fields(plan)):
            if name in USUAL and getattr(plan, name) != USUAL[name]:
                value = getattr(plan, name)
                words += [f"--{name.replace('_', '-')}", str(0 if value is None else value)]
        words += ["--balanced"] if plan.balanced else []
        words += ["--impute"] if self.impute else []
        left_out = [*self.drop, *drop]
        words += ["--drop", ",".join(left_out)] if left_out else []
        return shlex.join(words)


def named(optimizer: Part) -> dict[str, Any]:
    """An optimizer as options; its rate is left out where it is the usual one."""
    name = type(optimizer).__name__.lower()
    rate: Any = optimizer.lr  # type: ignore[attr-defined]
    return {"optimizer": name, "lr": None if optimizer_named(name) == optimizer else rate}
