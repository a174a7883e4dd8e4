"""The workloads: eight trainings, from four rows to the whole of MNIST, with the target speedup of each.

A workload specifies everything that a step computes: layer sizes, activation, loss, optimizer, batch size, dtype and
the number of threads.  ``jobs.py`` creates its data and initial parameters.  ``target`` is the required speedup of
the compiled engine over the fastest other library.  The base case of the growth curves is here too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Workload:
    """The complete description of one training.

    ``last`` is the activation of the last layer with the squared error; without it, that is ``hidden``.
    ``check_steps`` is the number of steps before the parameters are compared.  ``fewest_steps`` is the smallest
    number of steps in a timing, so that the fixed cost of a call counts no more than in a real run.
    ``check_dtype`` is the dtype for comparing parameters if it differs from ``dtype``: Adam's first steps follow the
    signs of the gradients, and in float32 some of these are only rounding errors.
    """

    name: str
    sizes: tuple[int, ...]
    hidden: str
    rows: int
    lr: float
    data: str = "random"
    loss: str = "cross-entropy"
    last: str = ""
    reduction: str = "mean"
    bias: bool = True
    lam: float = 0.0
    optimizer: str = "sgd"
    batch: int | None = None
    dtype: str = "float64"
    check_dtype: str = ""
    threads: int = 1
    check_steps: int = 50
    fewest_steps: int = 1
    target: float | None = None

    @property
    def output(self) -> str:
        """Return the activation of the last layer, apart from a softmax that belongs to the loss."""
        return "identity" if self.loss == "cross-entropy" else self.last or self.hidden

    @property
    def batch_rows(self) -> int:
        """Return the number of rows in a step."""
        return self.batch or self.rows

    @property
    def batches(self) -> int:
        """Return the number of steps in an epoch; the rows are a multiple of the batch size."""
        return self.rows // self.batch_rows

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Return the inputs and outputs of each layer."""
        return list(zip(self.sizes[:-1], self.sizes[1:], strict=True))

    @property
    def tolerance(self) -> float:
        """Return the tolerance for parameters, relative to the largest entry of their array."""
        return 1e-9 if self.dtype == "float64" else 1e-3

    @property
    def checked(self) -> Workload:
        """Return the workload with the dtype of the comparison."""
        return replace(self, dtype=self.check_dtype or self.dtype)

    def passes(self, steps: int) -> tuple[int, int]:
        """Return the rows and epochs that make up some steps, rounded up to whole epochs after the first."""
        if steps < self.batches:
            return steps * self.batch_rows, 1
        return self.rows, -(-steps // self.batches)

    def steps_of(self, steps: int) -> int:
        """Return the number of steps actually made when ``steps`` are requested."""
        rows, epochs = self.passes(steps)
        return rows // self.batch_rows * epochs

    def describe(self) -> str:
        """Describe the workload in one line, for the report."""
        rows = "full batch" if self.batch is None else f"batch {self.batch}"
        net = f"{'-'.join(map(str, self.sizes))} {self.hidden}"
        return f"{net}, {self.loss}, {self.optimizer.upper()}, {self.rows:,} rows, {rows}, {self.dtype}"


MOONS = {"hidden": "tanh", "rows": 200, "lr": 0.01, "data": "moons", "reduction": "sum", "lam": 0.01}
DIGITS = {"sizes": (64, 200, 10), "hidden": "sigmoid", "rows": 1408, "lr": 0.01, "data": "digits"}
LARGE = {"sizes": (784, 512, 512, 10), "hidden": "relu", "rows": 8192, "batch": 128, "check_steps": 10}
MNIST = {"sizes": (784, 32, 16, 10), "hidden": "relu", "rows": 41_000, "data": "mnist", "check_steps": 3}
SINGLE = {"dtype": "float32", "threads": 2}

ALL = (
    Workload(
        "xor", (3, 4, 5, 1), "sigmoid", 4, 0.1,
        data="xor", loss="squared error", reduction="sum", bias=False, target=5.0,
    ),
    Workload("moons-3", (2, 3, 2), **MOONS, target=3.0),  # type: ignore[arg-type]
    Workload("moons-50", (2, 50, 2), **MOONS, target=2.0),  # type: ignore[arg-type]
    Workload("digits-1", **DIGITS, batch=1, check_steps=200, target=1.5),  # type: ignore[arg-type]
    Workload("digits-32", **DIGITS, batch=32, check_steps=44, target=1.2),  # type: ignore[arg-type]
    Workload("mnist", **MNIST, **SINGLE, lr=0.1, fewest_steps=10, target=1.2),  # type: ignore[arg-type]
    Workload("mlp-sgd", **LARGE, **SINGLE, lr=0.01, target=1.2),  # type: ignore[arg-type]
    Workload("mlp-adam", **LARGE, **SINGLE, lr=1e-3, optimizer="adam", check_dtype="float64", target=1.2),  # type: ignore[arg-type]
)  # fmt: skip
WORKLOADS: dict[str, Workload] = {workload.name: workload for workload in ALL}

CURVE_BASE = Workload("base", (20, 32, 10), "tanh", 2048, 0.01, batch=32, fewest_steps=5)
