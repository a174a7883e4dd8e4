"""The public names of the package, which ``import workings`` offers.

The package imports this module when one of its names is used, so that a command that needs little starts soon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workings.activations import Activation
from workings.checks.findings import Diagnosis, Finding
from workings.checks.gradients import check_gradients
from workings.checks.own_code import check_my_gradients
from workings.ensemble import Ensemble
from workings.errors import (
    DivergenceError,
    FileError,
    InputError,
    MissingExtraError,
    ProgramError,
    WorkersError,
    WorkingsError,
    WorkingsWarning,
)
from workings.layers import (
    BatchNorm,
    ClipPredictions,
    Dense,
    Dropout,
    Exp,
    GroupedDense,
    Interpolation,
    Layer,
    NTKDense,
    PeriodicEmbedding,
    PiecewiseLinearEncoding,
    Scale,
    SmoothClip,
)
from workings.losses import AbsoluteError, BinaryCrossEntropy, CrossEntropy, Huber, Loss, Poisson, SquaredError
from workings.network import Network
from workings.optimizers import (
    LBFGS,
    SGD,
    AdaGrad,
    Adam,
    AdamEpsilonHat,
    AdamW,
    Chain,
    ClipByNorm,
    ClipByValue,
    Decay,
    Freeze,
    Momentum,
    Nesterov,
    RateFactors,
    RMSProp,
)
from workings.program.program import Program, Statement
from workings.program.trace import Trace
from workings.regularizers import L1, L2, L2PerRow, Regularizer
from workings.support.row_stream import RowStream
from workings.training.callbacks import Callback
from workings.training.early_stopping import EarlyStopping
from workings.training.fit_many import fit_many
from workings.training.history import History
from workings.training.parallel.parallel_settings import Workers
from workings.training.progress import Progress
from workings.training.recorders import Signals, Snapshots
from workings.version import __version__

if TYPE_CHECKING:
    from workings.files.checkpoints import Checkpoint
    from workings.search.sweep import sweep

__all__ = [
    "L1",
    "L2",
    "LBFGS",
    "SGD",
    "AbsoluteError",
    "Activation",
    "AdaGrad",
    "Adam",
    "AdamEpsilonHat",
    "AdamW",
    "BatchNorm",
    "BinaryCrossEntropy",
    "Callback",
    "Chain",
    "Checkpoint",
    "ClipByNorm",
    "ClipByValue",
    "ClipPredictions",
    "CrossEntropy",
    "Decay",
    "Dense",
    "Diagnosis",
    "DivergenceError",
    "Dropout",
    "EarlyStopping",
    "Ensemble",
    "Exp",
    "FileError",
    "Finding",
    "Freeze",
    "GroupedDense",
    "History",
    "Huber",
    "InputError",
    "Interpolation",
    "L2PerRow",
    "Layer",
    "Loss",
    "MissingExtraError",
    "Momentum",
    "NTKDense",
    "Nesterov",
    "Network",
    "PeriodicEmbedding",
    "PiecewiseLinearEncoding",
    "Poisson",
    "Program",
    "ProgramError",
    "Progress",
    "RMSProp",
    "RateFactors",
    "Regularizer",
    "RowStream",
    "Scale",
    "Signals",
    "SmoothClip",
    "Snapshots",
    "SquaredError",
    "Statement",
    "Trace",
    "Workers",
    "WorkersError",
    "WorkingsError",
    "WorkingsWarning",
    "__version__",
    "check_gradients",
    "check_my_gradients",
    "fit_many",
    "sweep",
]


def __getattr__(name: str) -> object:
    """Import ``Checkpoint`` when it is used: the readers and writers of files take time to import."""
    if name == "Checkpoint":
        from workings.files.checkpoints import Checkpoint

        return Checkpoint
    if name == "sweep":
        from workings.search.sweep import sweep

        return sweep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
