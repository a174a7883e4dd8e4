"""The network that users meet: a model with ``fit``, ``explain``, ``script``, ``save`` and the other readings.

Each method stands here with its full signature and calls the function of the module that does the work.  What
a network is, predicts and computes in one step is in :mod:`workings.model.model`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from numpy.typing import ArrayLike

from workings.layers import FullyConnected
from workings.metrics import Metric
from workings.model.model import Model
from workings.optimizers import LBFGS, Part
from workings.program.program import Program
from workings.support.keywords import checked_keywords
from workings.support.notebook import preformatted_html
from workings.training.callbacks import Callback
from workings.training.fit import train
from workings.training.history import History
from workings.training.parallel.parallel_settings import checked_workers
from workings.training.recipe import Labels, Recipe, Validation

if TYPE_CHECKING:
    import keras
    from sklearn.base import BaseEstimator
    from torch import nn

    from workings.activations import Activation
    from workings.checks.findings import Diagnosis
    from workings.checks.gradients import GradientReport
    from workings.losses import Loss
    from workings.play.server import Playground
    from workings.readings.equations import Equations
    from workings.readings.explain import Explanation, Influence
    from workings.readings.script.script_settings import Held
    from workings.readings.translate.translated_code import Translation
    from workings.support.interfaces import Communicator, Executor
    from workings.training.parallel.parallel_settings import Workers


class Network(Model):
    """A feed-forward neural network that can be trained, inspected, exported and explained.

    Parameters
    ----------
    layers : list of Layer
        From first to last; the last one has one unit for each output.
    loss : Loss or str
        What training minimizes; it also decides what targets and predictions are.
    regularizer : Regularizer, list of them, or None
        The penalty that is added to the loss.
    seed : int, Generator, RandomState or None
        Random seed of first weights, shuffling and dropout masks.
    n_in : int or None
        The number of columns of X; by default taken from the first data.
    dtype : dtype or None
        ``float32`` or ``float64``; by default float32 for float32 data, else float64.

    Examples
    --------
    >>> from workings import CrossEntropy, Dense, SGD
    >>> from workings.datasets import moons
    >>> X, y = moons()
    >>> net = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    >>> history = net.fit(X, y, optimizer=SGD(1.0), epochs=500, batch_size=None)
    >>> net.score(X, y) > 0.95
    True
    """

    @property
    def history(self) -> History | None:
        """The history of the last training; None before the first."""
        history: History | None = super().history
        return history

    def _repr_html_(self) -> str:
        """The layers, and a diagram if there are parameters, for a notebook."""
        from workings.readings.diagram import diagram

        has_weights = any(isinstance(layer, FullyConnected) for layer in self.layers) and self.n_in is not None
        return (diagram(self) if has_weights else "") + preformatted_html(self.summary())

    @classmethod
    def from_model(cls, model: Model) -> Self:
        """Return a network with the state of a model; both share their arrays.

        >>> from workings import Dense
        >>> Network.from_model(Model([Dense(1)], loss="SquaredError", n_in=2)).n_out
        1
        """
        network = cls.__new__(cls)
        network.__dict__.update(model.__dict__)
        return network

    @checked_keywords
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        optimizer: Part | LBFGS,
        epochs: int,
        batch_size: int | None = 32,
        shuffle: bool = True,
        validation: Validation = None,
        sample_weight: ArrayLike | None = None,
        class_weight: Labels = None,
        metrics: Sequence[str] | Mapping[str, Metric] = (),
        callbacks: Sequence[Callback] = (),
        running_loss: bool = False,
        engine: str = "auto",
        check: bool = False,
        workers: Executor | Workers | None = None,
        comm: Communicator | None = None,
    ) -> History:
        """Train the network and return the history.

        Parameters
        ----------
        X : array of shape (n, n_in)
            Inputs; rows are samples.  A sparse matrix of SciPy stays sparse, see
            :mod:`workings.support.sparse`.  A memory-mapped file above 256 MB, or another source of rows, stays on
            disk, see :class:`workings.RowStream`.  Or the path of a ``.npy`` or ``.npz`` file, of a Parquet file, or
            of a folder of them.
        y : array of shape (n,) or (n, n_out)
            Targets: labels or numbers, as the loss expects them.  If ``X`` is a path: another ``.npy`` file, the array
            ``"y"`` of the ``.npz`` file, or the target column of the table, whose columns are then encoded as
            :func:`workings.tables.stream` does it.
        optimizer : optimizer
            ``SGD(0.1)``, ``Adam()``, ``Chain(ClipByNorm(1.0), SGD(0.1))``, ``LBFGS()`` …
        epochs : int
            How many times to go through all rows (for ``LBFGS``, the maximum number of iterations).
        batch_size : int or None
            Batch size; None for a full batch.
        shuffle : bool
            Whether to shuffle the rows before each epoch (a full batch is not shuffled).
        validation : (X, y), float or None
            The validation set, measured after each epoch: given, or a fraction of the rows, drawn at random.
            With one label per row, the split is stratified; a class with a single row stays in the training set.
        sample_weight : array of shape (n,) or None
            A weight for each row; rows of weight 0 are left out, before validation rows are drawn.
        class_weight : dict, "balanced" or None
            A weight for each label; "balanced" gives all labels the same total weight.
        metrics : names, or functions by name
            Measured after each epoch, on the training set and on the validation set.
        callbacks : sequence of Callback
            ``EarlyStopping``, ``Checkpoint``, ``Progress`` or your own.
        running_loss : bool
            Which loss the history records when there are several batches.  True: the mean of the losses of
            the steps, each at its own parameters and with its own dropout, as scikit-learn and Keras record
            it, at no cost.  False: the loss of all rows at the parameters that the epoch began with.  That costs
            a forward pass, about a third of a step.
        engine : str
            ``"reference"`` (NumPy), ``"compiled"`` (machine code, needs llvmlite: ``pip install '.[fast]'``), or
            ``"auto"``: compiled where llvmlite is installed and compiling pays off.  ``"jax"`` runs on a GPU or TPU if
            JAX finds one, else on the CPU (needs JAX: ``pip install '.[jax]'``).  ``history.engine`` names it.
        check : bool
            Whether to run the doctor's checks before the first step.  Each problem is a warning;
            ``history.diagnosis`` holds all findings.  Steps take no longer.
        workers : client, executor, Workers or None
            What computes the steps: a client of Dask, an executor of ``concurrent.futures`` or loky, or
            :class:`workings.Workers` with further settings.  The results do not depend on the number of workers.
        comm : communicator or None
            A communicator of mpi4py, such as ``MPI.COMM_WORLD``, whose processes all call ``fit``.

        Returns
        -------
        History
            A dict of lists with one entry for each epoch.

        Raises
        ------
        InputError
            For data or settings that cannot be used.
        NotCompilableError
            When ``engine="compiled"`` or ``engine="jax"`` and a statement of the network cannot be compiled.
        DivergenceError
            When a number is not finite; the network has its last finite parameters, or earlier ones with a lower
            objective.
        KeyboardInterrupt
            For Ctrl-C before training begins, or pressed twice.  One Ctrl-C during training ends it, and the
            network has the parameters of the last recorded epoch.

        Examples
        --------
        >>> from workings import Dense, Network, SGD, SquaredError
        >>> net = Network([Dense(1)], loss=SquaredError(), seed=0)
        >>> history = net.fit([[0.0], [1.0]], [1.0, 3.0], optimizer=SGD(0.1), epochs=100)
        >>> net.predict([[2.0]]).round(1).tolist()
        [5.0]
        """
        recipe = Recipe(
            optimizer, epochs, batch_size, shuffle, validation, sample_weight, class_weight, metrics, callbacks,
            running_loss, checked_workers(workers, comm),
        )  # fmt: skip
        if not check:
            return train(self, X, y, recipe, engine=engine)
        from workings.checks.doctor import check_first_step

        return train(self, X, y, recipe, engine=engine, first_look=check_first_step)

    # -- checks ----------------------------------------------------------------------------

    @checked_keywords
    def check_gradients(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        program: Program | None = None,
        tolerance: float = 1e-5,
        directions: int = 2,
    ) -> GradientReport:
        """Compare the gradients with finite differences; see :func:`workings.checks.gradients.check_gradients`."""
        from workings.checks.gradients import check_gradients

        return check_gradients(
            self, X, y, sample_weight=sample_weight, program=program, tolerance=tolerance, directions=directions
        )

    @checked_keywords
    def diagnose(
        self,
        X: ArrayLike,
        y: ArrayLike,
        history: History | Mapping[str, Sequence[float]] | None = None,
        *,
        optimizer: Part | LBFGS | None = None,
        batch_size: int | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: Labels = None,
    ) -> Diagnosis:
        """Find what is wrong with the network, its data and its training, and what to change.

        See :func:`workings.checks.doctor.diagnose`.
        """
        from workings.checks.doctor import diagnose

        return diagnose(
            self, X, y, history, optimizer=optimizer, batch_size=batch_size, sample_weight=sample_weight,
            class_weight=class_weight,
        )  # fmt: skip

    # -- readings --------------------------------------------------------------------------

    @checked_keywords
    def explain(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        optimizer: Part | None = None,
        row: int | None = None,
        unit: int = 0,
        sample_weight: ArrayLike | None = None,
        why: str | None = None,
    ) -> Explanation | Influence:
        """Explain one training step: every equation in words, with its shapes and its numbers.

        Parameters
        ----------
        X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
            The rows of the step; a few rows are easiest to read.
        optimizer : optimizer or None
            Also explain its update.
        row : int or None
            The row to write out term by term: by default the first; with ``why``, the row that contributes most.
        unit : int
            The unit of each layer to write out; the last unit of layers that have fewer.
        sample_weight : array of shape (n,) or None
        why : str or None
            One entry of a parameter, ``"W1[0,2]"``: explain how it affects the objective, path by path.

        Returns
        -------
        Explanation, or Influence with ``why``
            Text when printed, a page in a notebook; ``.save("step.html")`` writes the page.  The network is not
            trained.

        Raises
        ------
        InputError
            For rows, units or names that do not exist.

        Examples
        --------
        >>> from workings import Dense, Network, SquaredError
        >>> net = Network([Dense(1, weights=[[2.0], [3.0]])], loss=SquaredError(half=True))
        >>> text = str(net.explain([[1.0, 2.0]], [7.0]))
        >>> print(text[text.index("  z₁ = X W₁ + b₁") :].partition("    X (1, 2)")[0].rstrip())
          z₁ = X W₁ + b₁
            z1 is each unit's weighted sum of its inputs plus its bias.

        See Also
        --------
        workings.readings.explain.explain : the function behind this method.
        """
        from workings.readings.explain import explain

        return explain(self, X, y, optimizer=optimizer, row=row, unit=unit, sample_weight=sample_weight, why=why)

    @checked_keywords
    def equations(self, optimizer: Part | None = None, *, notation: str = "alphabet") -> Equations:
        """Return the network's formulas as LaTeX and as plain text; see :mod:`workings.readings.equations`."""
        from workings.readings.equations import equations

        return equations(self, optimizer, notation=notation)

    @checked_keywords
    def script(
        self,
        *,
        optimizer: Part | None = None,
        epochs: int = 100,
        batch_size: int | None = 32,
        shuffle: bool = True,
        weights: str = "seed",
        data: object = None,
        data_file: str | None = None,
        validation: tuple[ArrayLike, ArrayLike] | float | Held | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: Labels = None,
        metrics: Sequence[str] | Mapping[str, Metric] = (),
        callbacks: Sequence[Callback] = (),
        running_loss: bool = False,
        language: str = "python",
    ) -> str:
        """Write the network and its training as one file that needs NumPy alone.

        Parameters
        ----------
        optimizer : optimizer or None
            Without one, the script only predicts, with the network's current parameters.
        epochs, batch_size, shuffle, validation, sample_weight, class_weight, metrics, callbacks, running_loss :
            As for ``fit``; the script ends with the same bits as ``fit(..., engine="reference")``.
        weights : str
            ``"seed"``: the script draws the network's initial weights.  ``"inline"``: it contains the current
            parameters.  ``"file"`` or the name of an ``.npz`` file: it reads them from that file.
        data : (X, y), path, or None
            Arrays, which the script contains, or the file that it reads: ``.npz``, or ``.csv`` for a table.
        data_file : str or None
            For arrays: the ``.npz`` file from which the script reads them.
        language : str
            ``"python"``, or ``"javascript"`` for a module that needs nothing else.

        Returns
        -------
        str
            The script.

        Raises
        ------
        InputError
            For settings that a script does not support.
        ProgramError
            For a function without available source.

        Examples
        --------
        >>> from workings import Dense, Network, SGD, SquaredError
        >>> net = Network([Dense(1)], loss=SquaredError(), seed=0, n_in=1)
        >>> "dW1 = X.T @ dz1" in net.script(optimizer=SGD(0.1), epochs=3, batch_size=None)
        True

        See Also
        --------
        workings.readings.script.script, workings.readings.javascript.javascript : the functions behind this method.
        """
        from workings.readings.languages import script_writer

        return script_writer(language)(
            self, optimizer=optimizer, epochs=epochs, batch_size=batch_size, shuffle=shuffle, weights=weights,
            data=data, data_file=data_file, validation=validation, sample_weight=sample_weight,
            class_weight=class_weight, metrics=metrics, callbacks=callbacks, running_loss=running_loss,
        )  # fmt: skip

    @checked_keywords
    def translate(
        self,
        system: str,
        *,
        optimizer: Part | LBFGS,
        epochs: int = 100,
        batch_size: int | None = 32,
        rows: int | None = None,
        shuffle: bool = True,
        weights: str = "draw",
        sample_weight: bool = False,
        class_weight: Labels = None,
        validation: bool = False,
    ) -> Translation:
        """Write the network and its training as code for ``"sklearn"``, ``"keras"`` or ``"torch"``.

        See :func:`workings.readings.translate.systems.translate`.
        """
        from workings.readings.translate.systems import translate

        return translate(
            self, system, optimizer=optimizer, epochs=epochs, batch_size=batch_size, rows=rows, shuffle=shuffle,
            weights=weights, sample_weight=sample_weight, class_weight=class_weight, validation=validation,
        )  # fmt: skip

    @checked_keywords
    def play(self, X: ArrayLike, y: ArrayLike, *, port: int = 0, browser: bool = True) -> Playground:
        """Open the playground in the browser, with a copy of the network; see :func:`workings.play.opening.play`."""
        from workings.play.opening import play

        return play(self, X, y, port=port, browser=browser)

    # -- files -----------------------------------------------------------------------------

    @checked_keywords
    def save(self, path: str | Path) -> Path:
        """Write the network to a safetensors file.

        Parameters
        ----------
        path : str or Path
            The file; it is written to a temporary name first, so an existing file is replaced whole or not at all.

        Returns
        -------
        Path
            The file.  ``Network.load`` reads it.

        Raises
        ------
        FileError
            If the file cannot be written, or the network cannot be stored.

        Examples
        --------
        >>> from workings import Dense, Network, SquaredError
        >>> Network([Dense(1)], loss=SquaredError(), n_in=2).save("line.safetensors").name
        'line.safetensors'
        """
        from workings.files.safetensors import save

        return save(self, path)

    @classmethod
    @checked_keywords
    def load(cls, path: str | Path, *, custom: Iterable[Activation | type] = ()) -> Self:
        """Read a network that ``save`` wrote; ``custom`` holds activations and classes of your own.

        A network that was trained on a table predicts a table with named columns.
        """
        from workings.files.safetensors import load

        return cls.from_model(load(path, custom=custom))

    @classmethod
    @checked_keywords
    def from_json(cls, path: str | Path, *, custom: Iterable[Activation | type] = ()) -> Self:
        """Read a network that was written as JSON; see :func:`workings.files.json.load`."""
        from workings.files.json import load

        return cls.from_model(load(path, custom=custom))

    @classmethod
    @checked_keywords
    def from_onnx(
        cls, path: str | Path, *, loss: str | Loss | None = None, classes: Iterable[object] | None = None
    ) -> Self:
        """Import a network from an ONNX file; see :func:`workings.files.onnx_import.load`."""
        from workings.files.onnx_import import load

        return cls.from_model(load(path, loss=loss, classes=classes))

    @classmethod
    @checked_keywords
    def from_sklearn(cls, estimator: BaseEstimator, *, loss: str | Loss | None = None) -> Self:
        """Import a fitted MLPClassifier, MLPRegressor or Pipeline; see :func:`workings.files.sklearn.from_sklearn`."""
        from workings.files.sklearn import from_sklearn

        return cls.from_model(from_sklearn(estimator, loss=loss))

    @classmethod
    @checked_keywords
    def from_torch(
        cls, module: nn.Module, *, loss: str | Loss | None = None, classes: Iterable[object] | None = None
    ) -> Self:
        """Import a PyTorch ``nn.Sequential``; see :func:`workings.files.torch.from_torch`."""
        from workings.files.torch import from_torch

        return cls.from_model(from_torch(module, loss=loss, classes=classes))

    @classmethod
    @checked_keywords
    def from_keras(
        cls, model: keras.Model, *, loss: str | Loss | None = None, classes: Iterable[object] | None = None
    ) -> Self:
        """Import a Keras ``Sequential``; see :func:`workings.files.keras.from_keras`."""
        from workings.files.keras import from_keras

        return cls.from_model(from_keras(model, loss=loss, classes=classes))
