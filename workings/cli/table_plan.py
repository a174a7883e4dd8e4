"""The options of ``workings train`` as one object."""

from __future__ import annotations

from dataclasses import dataclass

from workings.errors import InputError


@dataclass(frozen=True)
class Plan:
    """Settings of a network and of its training on a table."""

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
        """The number of units of each hidden layer."""
        try:
            return [int(part) for part in self.hidden.split(",") if part.strip()]
        except ValueError as error:
            raise InputError(
                f"--hidden takes whole numbers separated by commas, such as 32,16, not {self.hidden!r}."
            ) from error
