"""The plan of a training on a table: the options of ``workings train``."""

from __future__ import annotations

from dataclasses import dataclass

from workings.errors import InputError


@dataclass(frozen=True)
class Plan:
    """How a network is to be made and trained."""

    hidden: str
    activation: str
    loss: str
    optimizer: str
    lr: float | None
    epochs: int
    batch_size: int | None
    validation: float | None
    patience: int
    l2: float
    dropout: float
    balanced: bool
    seed: int
    engine: str

    @property
    def units(self) -> list[int]:
        """The sizes of the hidden layers."""
        try:
            return [int(part) for part in self.hidden.split(",") if part.strip()]
        except ValueError as error:
            raise InputError(f"--hidden takes whole numbers with commas, as in 32,16, not {self.hidden!r}.") from error
