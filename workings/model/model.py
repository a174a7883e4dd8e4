"""The model: layers, a loss and named parameters; it predicts and takes single training steps.

A model is built when its input size is known: from ``n_in`` or from the first data it receives.  Its
parameters are named views of one flat vector, ``theta``.  All computation is in programs:
``workings.program`` writes them, and an engine runs them.  ``Network`` adds the methods that need other parts
of the library, such as ``fit`` and ``save``.
"""

from __future__ import annotations

import builtins
import copy
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from workings.engines.choice import ENGINES, choose
from workings.engines.compiled.engine import CompiledEngine
from workings.engines.reference import Runner, Tracer
from workings.errors import InputError, NotCompilableError, ProgramError, WorkingsWarning, unknown_name
from workings.layers import FullyConnected
from workings.metrics import METRICS, merged_score
from workings.model.chunks import compiled_outputs, in_chunks, rows_in_chunk
from workings.model.data_files import is_path, is_table, open_files, opened_array
from workings.model.state import ModelState
from workings.optimizers import Optimizer, Part, checked_optimizer
from workings.program.program import Program, checked_expression, names_read
from workings.program.step import inference_program, step_program
from workings.program.trace import Trace
from workings.schedules import rate_at
from workings.support.arrays import (
    Array,
    Features,
    Values,
    as_features,
    as_finite,
    as_random,
    check_table,
    check_weight_range,
    same_length,
    working_dtype,
)
from workings.support.callers import frames_to_caller
from workings.support.conversion import as_array
from workings.support.keywords import checked_keywords
from workings.support.notebook import Text
from workings.support.row_stream import RowStream, opened, read_ahead, stream_of
from workings.support.sparse import SparseRows, dense

R = TypeVar("R")
ROWS_EXAMINED = 100  # number of rows examined to see whether they are standardized


class Model(ModelState):
    """A feed-forward network: predictions, single training steps, and the program behind them.

    Parameters
    ----------
    layers : list of Layer
        The layers from first to last; the last one has one column per output.
    loss : Loss or str
        The loss to minimize; it also determines the kind of targets and predictions.
    regularizer : Regularizer, list of them, or None
        Penalties that are added to the loss.
    seed : int, Generator, RandomState or None
        Random seed or generator for initial weights, row orders and dropout masks.
    n_in : int or None
        The number of columns of X; by default, it comes from the first data.
    dtype : dtype or None
        ``float32`` or ``float64``; by default float32 for float32 data, else float64.
    """

    # -- programs --------------------------------------------------------------------------

    def place(self, n_in: int, arrays: Mapping[str, Array]) -> Self:
        """Build the model with given parameters, as ``ModelState.place``, after writing its program.

        Raises
        ------
        ProgramError
            For a formula that cannot be read.
        """
        _ = self.inference
        return super().place(n_in, arrays)

    @property
    def inference(self) -> Program:
        """The program of a prediction and its objective (cached)."""
        return self.runner("inference", self.inference_program)

    def step_program(self, optimizer: Part | None = None, *, weighted: bool = False) -> Program:
        """Return the program of one training step, with the edits of ``replacing``; all engines and exports use it."""
        return self.with_edits(step_program(self.layers, self.loss, self.regularizers, optimizer, weighted=weighted))

    def inference_program(self, *, weighted: bool = False, penalized: bool = True) -> Program:
        """Return the program of a prediction and its objective, with the edits of ``replacing``.

        Without penalties, the objective is the loss alone.
        """
        regularizers = self.regularizers if penalized else ()
        return self.with_edits(inference_program(self.layers, self.loss, regularizers, weighted=weighted))

    def with_edits(self, program: Program) -> Program:
        """Return a program with the edits of ``replacing`` that apply to it."""
        for target, expression in self.edits:
            if any(statement.target == target for statement in program.statements):
                program = program.replacing(target, expression)
        return program

    @checked_keywords
    def replacing(self, target: str, expression: str) -> Self:
        """Return a copy of the network with another expression for one name, for example to try out a mistake.

        The copy has the same parameters.  All its methods use the edited program: ``fit``, ``predict``,
        ``trace``, ``check_gradients`` …  It cannot be saved, because a file contains no statements.

        Parameters
        ----------
        target : str
            A name of the program: ``"dz1"``, ``"db1"``, ``"p"``; the name of a parameter means its update.
        expression : str
            The new right-hand side.

        Raises
        ------
        InputError
            If the program has no such name.
        ProgramError
            If the expression is invalid, or uses a name that nothing computes.

        Examples
        --------
        >>> from workings import Dense, Network, SquaredError
        >>> net = Network([Dense(3, "tanh"), Dense(1)], loss=SquaredError(), n_in=2, seed=0)
        >>> wrong = net.replacing("db1", "dz1.sum()")
        >>> print(wrong.program()["db1"], "-", net.program()["db1"])
        db1 = dz1.sum() - db1 = dz1.sum(axis=0)
        """
        self.check_built()
        program = self.step_program()
        if target not in program.parameters:  # an update may use names of its optimizer
            self.check_names(checked_expression(expression), program)
            program = program.replacing(target, expression)
        copied = copy.deepcopy(self)
        copied._edits = (*self.edits, (program.aliases.get(target, target), checked_expression(expression)))
        return copied

    def check_names(self, expression: str, program: Program) -> None:
        """Raise an error if an expression uses a name that no step defines."""
        known = {*program.inputs, *program.carried, *program.constants, *program.functions, *dir(builtins)}
        known |= {"np", "X", "y", "n", "w", *(statement.target for statement in program.statements)}
        for name in sorted(names_read(expression) - known):
            raise ProgramError(f"{expression!r} uses the name {name!r}, which nothing computes.")

    @checked_keywords
    def program(self, optimizer: Part | None = None, *, weighted: bool = False) -> Program:
        """Return the program of one training step, with the shapes of its results.

        Without an optimizer, it has only the forward and the backward pass.
        """
        if optimizer is not None:
            checked_optimizer(optimizer)
        program = self.step_program(optimizer, weighted=weighted)
        return program if self.n_in is None else program.with_shapes(self.shapes(program))

    def shapes(self, program: Program) -> dict[str, tuple[int | str, ...]]:
        """Return the shape of every result, from runs of the program on two and on three rows of zeros."""
        tracer = Tracer(program)
        few, more = (tracer(self.blank_step(program, rows)) for rows in (2, 3))
        shapes = {}
        for statement in program.statements:
            a, b = few[statement.target], more[statement.target]
            if not isinstance(a, tuple):  # skip tuples of several results; each result has its own statement
                both = zip(np.shape(a), np.shape(b), strict=True)
                shapes[statement.target] = tuple("n" if i != j else i for i, j in both)
        return shapes

    def blank_step(self, program: Program, rows: int) -> dict[str, Values]:
        """Return all inputs of a step, with rows of zeros."""
        zeros = {"X": np.zeros((rows, self.n_in or 1)), "y": np.zeros((rows, self.n_out)), "w": np.ones((rows, 1))}
        return {
            **zeros,
            **self.start_values(program),
            **self.draw_masks(rows, as_random(0)),
            "n": rows,
            "lr": 0.1,
            "t": 1,
        }

    # -- for training ----------------------------------------------------------------------

    def prepare(self, X: ArrayLike, y: ArrayLike, w: ArrayLike | None = None) -> tuple[Features, Array, Array | None]:
        """Check and encode inputs, targets and weights; build the model if it has no parameters yet.

        The class labels of ``y`` are not stored; ``learn_labels`` does that.
        """
        X, y = self.encode_table(X, y)
        dtype = self.dtype if self.n_in is not None or self.dtype_given else working_dtype(X)
        features = as_features(X, dtype, self.n_in)
        y = as_array(y, "y")
        same_length(features, y)
        known = self.targets.learn(y)
        targets = known.encode(y, dtype)
        weights = None if w is None else as_weights(w, features, dtype)
        if self.n_in is None:
            self.build(features.shape[1], dtype)
        return features, targets, weights

    def built_for(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Return the network that answers a question about data, which must not change the network.

        It is the network itself, or, if it has no parameters yet, a copy with those that ``fit`` would begin
        with.
        """
        if self.n_in is not None:
            return self
        copied = copy.deepcopy(self)
        copied.prepare(X, y)
        return copied

    def encode_table(self, X: object, y: object = None) -> tuple[Any, Any]:
        """Encode a table, and its targets; return anything else unchanged.

        A table has named columns, or is an array such as a pipeline of scikit-learn was fitted on.
        """
        if self.preprocessing is None:
            return X, y
        from workings.tables.columns import column_names, columns_in, standard  # not needed for networks on arrays

        takes_arrays = isinstance(self.preprocessing, Mapping) and "array_width" in self.preprocessing
        if not column_names(X) and (not takes_arrays or isinstance(X, RowStream)):
            return X, y
        columns = columns_in(self.preprocessing)
        X = X if columns is None else columns.named(X)
        if not column_names(X):
            return X, y
        if columns is None or column_names(X) == columns.names != tuple(column.name for column in columns.columns):
            return X, y
        if y is not None and columns.scale is not None:
            y = standard(as_finite(as_array(y, "y"), np.float64, "y"), *columns.scale)
        return columns.encode(X), y

    def opened(
        self, X: object, y: object = None, name: str = "X", *, needs_targets: bool = True
    ) -> tuple[Features, Features]:
        """Open data that is given as a path, and return large data on disk as a stream; all else is unchanged."""
        if is_path(X):
            found = open_files(X, y, self.preprocessing, dtype=self.dtype, needs_targets=needs_targets)
            return opened(found.X, name), found.y
        return opened(X, name), opened_array(y, name.replace("X", "y"))

    def checked_rows(self, X: ArrayLike) -> Features:
        """Check and encode inputs for a prediction; warn if they look like raw values of an unnamed table."""
        X, _ = self.opened(X, needs_targets=False)
        if isinstance(X, RowStream):
            return self.checked_stream(X)
        rows, _ = self.encode_table(X)
        features: Features = as_features(rows, self.dtype, self.n_in)
        if rows is X and self.preprocessing is not None and is_raw(self.preprocessing, features):
            warnings.warn(
                "X looks like a table's own numbers, but this network needs them standardized, and text one-hot "
                "encoded. Pass the table with its column names: a dict of lists, a pandas or polars table.",
                WorkingsWarning,
                stacklevel=frames_to_caller(),
            )
        return features

    def checked_stream(self, X: RowStream, name: str = "X") -> RowStream:
        """Return the stream of checked inputs of rows on disk."""
        check_table(X, self.n_in, name)
        dtype, columns = self.dtype, X.shape[1]
        return X.mapped(lambda rows: as_features(rows, dtype, columns, name), columns, dtype)

    def learn_labels(self, y: ArrayLike) -> None:
        """Store the class labels of training targets, if the model has none yet."""
        self._targets = self.targets.learn(y)

    # -- prediction and single steps -------------------------------------------------------

    @checked_keywords
    def outputs(self, X: ArrayLike, *, engine: str = "auto") -> Array:
        """Return the outputs ``p`` of shape (n, n_out).

        Rows on disk are read in parts.  ``engine`` is chosen as in ``fit``: with ``"auto"``, compiled code runs only if
        there are enough rows.

        Raises
        ------
        InputError
            For invalid rows, or an unknown engine.
        NotCompilableError
            When ``engine="compiled"`` or ``engine="jax"`` and a statement of the network cannot be compiled, or X is
            kept sparse.
        """
        return in_one(list(self.output_parts(X, engine)))

    def output_parts(self, X: ArrayLike, engine: str = "auto") -> Iterator[Array]:
        """Yield the outputs of rows in memory, or of each part of rows on disk."""
        self.check_built()
        if engine not in ENGINES:
            raise unknown_name("engine", engine, ENGINES)
        features = self.checked_rows(X)
        if not isinstance(features, RowStream):
            yield self.outputs_of(features, len(features), engine)
            return
        for part in read_ahead(map(features.__getitem__, features.parts(self.rows_in_chunk))):
            yield self.outputs_of(part, len(features), engine)

    def outputs_of(self, features: Features, rows: int, engine: str) -> Array:
        """Return the outputs of checked inputs; the engine is chosen for a number of rows."""
        program = self.runner("inference of p", lambda: self.inference.needed_for("p"))
        values = {**self.parameters, **self.statistics}
        is_sparse = isinstance(features, SparseRows)
        name, _ = choose(engine, program, values, rows, 1, is_sparse=is_sparse)
        if name == "jax":
            from workings.engines.jax import JaxRunner

            on_device = self.runner(("p", "jax"), lambda: JaxRunner(program, ["p"]))
            return in_chunks(on_device, values, self.rows_in_chunk, X=features)[0]
        if name == "compiled":
            try:
                compiled = self.runner(("p", "compiled"), lambda: CompiledEngine(program, ("p",)))
                return compiled_outputs(compiled, features, np.empty((len(features), self.n_out), self.dtype), values)
            except NotCompilableError:
                if engine == "compiled":
                    raise
        run = self.runner("p", lambda: Runner(program, ["p"], "predict"))
        (p,) = in_chunks(run, values, self.rows_in_chunk, X=features)
        return p

    @checked_keywords
    def predict(self, X: ArrayLike, *, engine: str = "auto") -> Array:
        """Return predicted labels of shape (n,), or numbers of shape (n,) or (n, n_out).

        A network that was trained on a table accepts two kinds of X.  For a table with named columns, it
        predicts numbers in the unit of the target.  For the output of ``Preprocessing.transform``, it
        predicts standardized numbers.  A network from a pipeline that was fitted on an array takes such arrays.
        """
        predicted = in_one([self.targets.decode(p) for p in self.output_parts(X, engine)])
        if self.preprocessing is None or (not is_table(X) and self.encode_table(X)[0] is X):
            return predicted
        from workings.tables.columns import columns_in, original

        scale = None if (columns := columns_in(self.preprocessing)) is None else columns.scale
        return predicted if scale is None else np.asarray(original(predicted.astype(np.float64), *scale))

    @checked_keywords
    def predict_proba(self, X: ArrayLike, *, engine: str = "auto") -> Array:
        """Return class probabilities of shape (n, classes), with two columns for two classes with one output."""
        return in_one([self.targets.probabilities(p) for p in self.output_parts(X, engine)])

    @checked_keywords
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy for labels, or R² for numbers; 1 is perfect."""
        X, y = self.opened(X, y)
        sample_weight = opened_array(sample_weight, "sample_weight")
        if self.n_in is None:
            return self.built_for(X, y).score(X, y, sample_weight)
        if isinstance(X, RowStream):
            return self.score_stream(X, y, sample_weight)
        X, y = self.encode_table(X, y)
        features, _, w = self.prepare(X, y, sample_weight)
        known = self.targets.learn(y)
        weights = None if w is None else w[:, 0]
        return float(METRICS[known.metric](known.comparable(y), known.decode(self.outputs(features)), weights))

    def score_stream(self, X: RowStream, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score on rows on disk, from those on their parts."""
        y, known, features = stream_of(y, X, "y"), self.targets, self.checked_stream(X)
        w = None if sample_weight is None else as_weights(sample_weight, X, np.float64)[:, 0]

        def parts() -> Iterator[tuple[Array, Array, Array | None]]:
            """Yield the targets and the predictions of each part, with the weights."""
            places = features.parts(self.rows_in_chunk)
            for rows, p in zip(places, self.output_parts(X), strict=True):
                yield known.comparable(y[rows]), known.decode(p), None if w is None else w[rows]

        return merged_score(METRICS[known.metric], parts())

    @checked_keywords
    def objective(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the objective J on the data: loss plus regularization penalties, without dropout."""
        X, y = self.opened(X, y)
        sample_weight = opened_array(sample_weight, "sample_weight")
        if self.n_in is None:
            return self.built_for(X, y).objective(X, y, sample_weight)
        if isinstance(X, RowStream):
            return self.objective_of_stream(X, stream_of(y, X, "y"), sample_weight)
        features, targets, w = self.prepare(X, y, sample_weight)
        return self.measure(features, targets, w)[0]

    def objective_of_stream(self, X: RowStream, y: RowStream, sample_weight: ArrayLike | None) -> float:
        """Return the objective J of rows on disk, in parts."""
        w = None if sample_weight is None else as_weights(sample_weight, X, self.dtype)
        features, targets = self.checked_stream(X), self.targets.learn_from_stream(y).encode_stream(y, self.dtype)
        parts = []
        for rows in features.parts(self.rows_in_chunk):
            of_part = None if w is None else w[rows]
            loss = self.measure(features[rows], targets[rows], of_part, penalized=False)[0]
            parts.append((loss, float(rows.stop - rows.start if of_part is None else of_part.sum())))
        return self.objective_of_parts(parts, len(X), weighted=w is not None)

    def measure(self, X: Features, y: Array, w: Array | None, *, penalized: bool = True) -> tuple[float, Array]:
        """Return the objective J and the outputs p for prepared data, computed in chunks of rows.

        Without penalties, it is the loss.
        """
        key = ("J", w is not None, penalized)
        per_row, whole = self.runner(key, lambda: self.measuring(w is not None, penalized))
        values: dict[str, Values] = {**self.parameters, **self.statistics}
        p, losses = in_chunks(per_row, values, self.rows_in_chunk, X=X, y=y)
        (J,) = whole({**values, "losses": losses, "y": y, "n": len(X), "w": w})
        return float(J), p

    @property
    def rows_in_chunk(self) -> int:
        """The number of rows per chunk of a prediction."""
        return rows_in_chunk(self.layers, self.n_in or 1, self.dtype.itemsize)

    def objective_of_parts(self, parts: Sequence[tuple[float, float]], n: int, *, weighted: bool) -> float:
        """Return the objective J of ``n`` rows: the losses of their parts merged, and the penalties.

        Each part is a loss and its number of rows or, with weights, their sum.
        """
        losses, sizes = zip(*parts, strict=True)
        loss = self.loss.merged(losses, sizes)
        if not self.regularizers:
            return loss

        def make() -> Runner:
            program = self.inference_program(weighted=weighted)
            return Runner(program.without(program.needed_for("loss")).needed_for("J"), ["J"], "penalties")

        run = self.runner(("J of loss", weighted), make)
        (J,) = run({**self.parameters, "loss": loss, "n": n, "w": np.array([[math.fsum(sizes)]])})
        return float(J)

    def measuring(self, weighted: bool, penalized: bool) -> tuple[Runner, Runner]:
        """Return the program of the objective in two parts: the loss of each row, and J from these losses."""
        program = self.inference_program(weighted=weighted, penalized=penalized)
        first = program.needed_for("p", "losses")
        rest = program.without(first).needed_for("J")
        return Runner(first, ["p", "losses"], "losses"), Runner(rest, ["J"], "objective")

    def runner(self, key: object, make: Callable[[], R]) -> R:
        """Return a cached object; ``make`` creates it on the first call with this key."""
        if key not in self.runners:
            self.runners[key] = make()
        return cast(R, self.runners[key])

    @checked_keywords
    def trace(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Trace:
        """Return all values of a forward and backward pass by name; nothing is updated.

        All traces use the same dropout masks; the random generator of training does not change.
        """
        if self.n_in is None:
            return self.built_for(X, y).trace(X, y, sample_weight)
        features, targets, w = self.prepare(X, y, sample_weight)
        tracer = self.tracer(None, w is not None)
        return tracer(
            self.step_values(tracer.program, features, targets, w, self.draw_masks(len(features), as_random(0)))
        )

    def tracer(self, optimizer: Part | None, weighted: bool) -> Tracer:
        """Return a cached tracer, which runs the program of a step and returns all its values."""

        def make() -> Tracer:
            return Tracer(self.step_program(optimizer, weighted=weighted))

        return self.runner(("trace", *(optimizer.identity if optimizer else ()), weighted), make)

    def step_values(
        self, program: Program, X: Features, y: Array, w: Array | None, drawn: Mapping[str, Array]
    ) -> dict[str, Values]:
        """Return all inputs of a step by name, for prepared data."""
        self.check_rows(len(X), f"this batch has {len(X)}")
        return {"X": X, "y": y, "w": w, "n": len(X), **drawn, **self.start_values(program)}

    def check_rows(self, rows: int, but: str) -> None:
        """Raise an error if a batch of ``rows`` rows is too small for a layer; ``but`` says which batch it is."""
        for layer in self.layers:
            if rows < layer.fewest_rows:
                raise InputError(f"{layer!r} needs at least {layer.fewest_rows} rows in every batch, but {but}.")

    @checked_keywords
    def step(
        self, X: ArrayLike, y: ArrayLike, optimizer: Optimizer | Part, sample_weight: ArrayLike | None = None
    ) -> Trace:
        """Update the parameters once, with all rows as one batch; return the trace.  For custom training loops.

        The optimizer's state is kept between calls with the same optimizer.
        """
        if not checked_optimizer(optimizer).takes_batches:
            raise InputError("L-BFGS chooses its steps itself: use fit(..., optimizer=LBFGS(), batch_size=None).")
        if optimizer.monitor is not None:
            raise InputError("OnPlateau follows a history, which a loop of your own does not have: give a number.")
        features, targets, w = self.prepare(X, y, sample_weight)
        self.learn_labels(y)
        tracer = self.tracer(optimizer, w is not None)
        if self.state.get("optimizer") != optimizer:
            self.state = {"optimizer": optimizer, "t": 0, "values": {}}
        t = self.state["t"] + 1
        lr = rate_at(optimizer.schedule, t - 1)
        values = self.step_values(tracer.program, features, targets, w, self.draw_masks(len(features)))
        trace = tracer({**values, **self.state["values"], "lr": lr, "t": t})
        self.set_values({**self.statistics, **trace.after})
        self.state |= {"t": t, "values": {name: trace.after[name] for name in tracer.program.states}}
        return trace

    # -- description -----------------------------------------------------------------------

    @checked_keywords
    def summary(self) -> str:
        """Return a table of the layers, with their shapes and numbers of parameters."""
        rows, width = [], self.n_in
        counts = self.count_parameters()
        for number, (layer, count) in enumerate(zip(self.layers, counts, strict=True), start=1):
            out = layer.width(width) if width is not None or isinstance(layer, FullyConnected) else None  # type: ignore[arg-type]
            shapes = f"(n, {'?' if width is None else width}) -> (n, {'?' if out is None else out})"
            rows.append(f"{number:>3}  {layer!r:<28} {shapes:<24}{'?' if count is None else format(count, ','):>10}")
            width = out
        known = [count for count in counts if count is not None]
        total = f"{sum(known):,}" if len(known) == len(counts) else "?"
        extra = "".join(f", {r!r}" for r in self.regularizers)
        dtype = f", {self.dtype}" if self.n_in is not None else ""
        return Text("\n".join([f"Network: {self.loss!r}{extra}{dtype}", *rows, f"     {'parameters':<53}{total:>10}"]))

    @checked_keywords
    def count_parameters(self) -> list[int | None]:
        """Return the number of parameters of each layer; None if the input size is not known."""
        counts: list[int | None] = []
        width = self.n_in
        for layer in self.layers:
            shapes = None if width is None else layer.shapes(width)
            counts.append(None if shapes is None else sum(math.prod(shapes[letter]) for letter in layer.parameters))
            width = layer.width(width or 1) if width is not None or isinstance(layer, FullyConnected) else None
        return counts

    def __repr__(self) -> str:
        regularizer = f", regularizer={list(self.regularizers)!r}" if self.regularizers else ""
        edits = "".join(f" with {target} = {expression}" for target, expression in self.edits)
        return f"{type(self).__name__}({list(self.layers)!r}, loss={self.loss!r}{regularizer}){edits}"

    def check_built(self) -> None:
        """Raise an error if the model has no parameters yet."""
        if self.n_in is None:
            raise InputError("This network has no parameters yet: call fit first, or give n_in= when you make it.")


def in_one(parts: list[Array]) -> Array:
    """Return the rows of several arrays as one array."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def is_raw(preprocessing: Mapping[str, object], X: Features) -> bool:
    """Whether the first rows look like raw values of a table that are not standardized."""
    from workings.tables.columns import columns_in

    try:
        columns = columns_in(preprocessing)
    except InputError:  # preprocessing of an unknown format
        return False
    return columns is not None and columns.width == X.shape[1] and columns.look_raw(dense(X[:ROWS_EXAMINED]))


def as_weights(w: ArrayLike, X: Features, dtype: DTypeLike) -> Array:
    """Check sample weights and return them as a column of shape (n, 1)."""
    array = as_array(w, "sample_weight")
    if array.shape != (len(X),):
        raise InputError(f"sample_weight has shape {array.shape}, but X has {len(X)} rows: it must be ({len(X)},).")
    numbers = as_finite(array, dtype, "sample_weight")
    if (numbers >= 0).all():
        check_weight_range(as_finite(array, np.float64, "sample_weight"), dtype)
    if (numbers < 0).any() or not (numbers > 0).any():
        raise InputError(f"Sample weights must be 0 or more, and not all 0; the smallest is {numbers.min():g}.")
    return numbers.reshape(-1, 1)
