"""PyTorch: a network as a ``state_dict`` with the code of its ``nn.Sequential``, and a network of an ``nn.Sequential``.

Weights go to two files, one that ``torch.load(…, weights_only=True)`` reads and one in safetensors, and the code to a
Python file beside them.  PyTorch's own files are not read, because they are pickles, which run what is in them; a
module that is alive is taken over.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as pack_tensors

from workings.activations import ACTIVATIONS, Activation
from workings.errors import InputError, MissingExtraError, ProgramError
from workings.files.assembling import Pieces, check_agreement
from workings.files.verification import Agreement, Exported, Rows, compare, deliver, generated_rows, given_of, scale_of
from workings.layers import BatchNorm, Dense, Dropout
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss
from workings.model.model import Model
from workings.program.writer import told
from workings.readings.translate.torch import ACTIVATIONS as MODULES
from workings.readings.translate.torch import sequential
from workings.support.arrays import Array
from workings.tables.columns import CategoryColumn, Columns, columns_in, filled, original, standard
from workings.version import __version__

OWN_COLUMNS = """\
It takes a table's own columns. `columns`: those of numbers in their own units, float64, of shape (n, columns); a gap
is NaN. `categories`: for each column of words the place of the word in its list, int64, of shape (n, columns of
words); a gap is -1, and any other number is a word that the network does not know."""


def load_torch() -> Any:
    """Import PyTorch, or say which extra brings it."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("PyTorch", "torch") from error
    return torch


# -- writing ---------------------------------------------------------------------------------


def export(network: Model, path: Path) -> Exported:
    """Write ``NAME.pt``, ``NAME_torch.safetensors`` and ``NAME_torch.py``; run them and compare.

    Of a network that was trained on a table, the module takes the table's own columns.  It predicts what the network
    predicts, so it ends with the loss's link: take that off before training it with a loss of PyTorch that applies its
    own.

    Raises
    ------
    MissingExtraError
        If PyTorch is not installed.
    ProgramError
        For an activation or layer that PyTorch has not; the message names it.
    FileError
        If the module predicts something else.
    """
    torch = load_torch()
    state, rows = state_of(network), generated_rows(network)
    content = io.BytesIO()
    torch.save({name: torch.from_numpy(array.copy()) for name, array in state.items()}, content)
    contents = {
        path.name: content.getvalue(),
        f"{path.stem}_torch.safetensors": pack_tensors(state),
        f"{path.stem}_torch.py": code_of(network, path).encode(),
    }
    return deliver(path, contents, lambda folder: run(network, folder, path, rows))


def modules_of(network: Model) -> tuple[list[str], dict[str, str]]:
    """The modules as code, and the place of each of our arrays: ``"W1": "0.weight"``, which holds W1 transposed."""
    for layer in network.layers:
        if not isinstance(layer, (Dense, BatchNorm, Dropout)):
            raise ProgramError(f"PyTorch has no module for {layer!r}: write the network as ONNX or C instead.")
        check_bend(layer.bend)
    told = sequential(network)
    places = {name: place.removeprefix("model[").replace("]", "", 1) for name, place in told.places.items()}
    return [*told.modules, *link_of(network.loss)], places


def check_bend(bend: Activation) -> None:
    """Refuse an activation that PyTorch has no module for."""
    known = ACTIVATIONS.get(bend.name)
    is_usual = known is not None and known.function is bend.function
    has_module = bend.name in MODULES or bend.name == "identity"
    if not (is_usual and has_module) or (bend.name == "selu" and bend != known):
        raise ProgramError(f"PyTorch has no module for the activation {bend.name!r}: write ONNX or C instead.")


def link_of(loss: Loss) -> Iterator[str]:
    """The module of the loss's link, if it has one."""
    modules = {type(CrossEntropy()).link: "nn.Softmax(dim=1)", type(BinaryCrossEntropy()).link: "nn.Sigmoid()"}
    link = type(loss).link
    if link in modules:
        yield modules[link]
    elif link is not Loss.link:
        raise ProgramError(f"PyTorch has no module for {link.__name__}, the link of {loss!r}: write ONNX or C instead.")


def state_of(network: Model) -> dict[str, Array]:
    """The arrays under the names that PyTorch gives them; of a table, with what its numbers are standardized with."""
    places, arrays = modules_of(network)[1], {**network.parameters, **network.statistics}
    state = {place: np.ascontiguousarray(arrays[name].T) for name, place in places.items()}
    counted = [place.partition(".")[0] for name, place in places.items() if name.startswith("running_mean")]
    state |= {f"{place}.num_batches_tracked": np.array(0, dtype=np.int64) for place in counted}
    columns = columns_in(network.preprocessing)
    if columns is None:
        return state
    return {**buffers_of(columns), **{f"network.{name}": array for name, array in state.items()}}


def code_of(network: Model, path: Path) -> str:
    """The Python file that makes the module and gives it its weights."""
    modules = ",\n".join(f"    {module}" for module in modules_of(network)[0])
    precision = ".double()" if network.dtype == np.float64 else ""
    sequential = f"nn.Sequential(\n{modules},\n){precision}"
    columns = columns_in(network.preprocessing)
    lines = [f'"""A neural network for PyTorch; written by Workings {__version__}.', ""]
    lines += ["It gives what the network predicts" + (f"; its last module is the link of {network.loss!r}."
                                                      if list(link_of(network.loss)) else ".")]  # fmt: skip
    lines += [] if columns is None else ["", OWN_COLUMNS]
    model = [f"model = {sequential}"] if columns is None else table_lines(network, columns, sequential)
    return "\n".join([
        *lines, '"""', "", "from pathlib import Path", "", "import torch", "from torch import nn", "",
        *([] if network.classes is None else [f"classes = {network.classes.tolist()!r}"]), *model,
        f'weights = Path(__file__).with_name({path.name!r})  # the same stands in the file in safetensors',
        "model.load_state_dict(torch.load(weights, weights_only=True))", "model.eval()", "",
    ])  # fmt: skip


def buffers_of(columns: Columns) -> dict[str, Array]:
    """What the columns of numbers are standardized with, as far as it is needed."""
    needed = {"column_mean", "column_std"} | ({"column_fill"} if columns.have_fills else set())
    return {name: array for name, array in columns.arrays.items() if name in needed} if columns.numbers else {}


def table_lines(network: Model, columns: Columns, sequential: str) -> list[str]:
    """The module that takes a table's own columns, and its network."""
    given = ", ".join(name for name, some in (("columns", columns.numbers), ("categories", columns.words)) if some)
    p = f"self.network(self.features({given}))"
    mean, std = map(repr, columns.scale or (0.0, 1.0))
    value = p if columns.scale is None else told(original, p=f"{p}.double()", mean=mean, std=std)
    buffers = [
        f'        self.register_buffer("{name}", torch.ones({len(array)}, dtype=torch.float64))'
        for name, array in buffers_of(columns).items()
    ]
    return [
        f"columns = {[column.name for column in columns.numbers]!r}",
        f"categories = { {column.name: list(column.categories) for column in columns.words}!r}", "", "",
        "class Model(nn.Module):", '    """The network with the columns of its table before it."""', "",
        "    def __init__(self):", "        super().__init__()", *buffers,
        "        self.network = " + sequential.replace("\n", "\n        "), "",
        f"    def features(self, {given}):", '        """What the network takes."""',
        *(f"        {line}" for line in feature_lines(columns, str(network.dtype))), "",
        f"    def forward(self, {given}):", '        """What is predicted."""', f"        return {value}", "", "",
        "model = Model()",
    ]  # fmt: skip


def feature_lines(columns: Columns, dtype: str) -> Iterator[str]:
    """X, put together of a table's columns."""
    if columns.numbers:
        x = (
            told(filled, x="columns", fill="self.column_fill").replace("np.", "torch.")
            if columns.have_fills
            else "columns"
        )
        yield f"numbers = {told(standard, x=x, mean='self.column_mean', std='self.column_std')}"
    yield "parts = []"
    numbers, words = count(), count()
    for column in columns.columns:
        if isinstance(column, CategoryColumn):
            place = next(words)
            yield f"code = categories[:, {place}:{place + 1}]"
            if column.fill is not None:
                yield f"code = torch.where(code < 0, {column.categories.index(column.fill)}, code)"
            yield f"parts.append(code == torch.arange({column.width}, device=code.device))"
        else:
            place = next(numbers)
            yield f"parts.append(numbers[:, {place}:{place + 1}])"
    yield f"return torch.cat([part.to(torch.{dtype}) for part in parts], dim=1)"


def run(network: Model, folder: Path, path: Path, rows: Rows) -> Agreement:
    """Run the code that was written and compare."""
    import runpy

    torch = load_torch()
    model = runpy.run_path(str(folder / f"{path.stem}_torch.py"))["model"]
    with torch.no_grad():
        p = model(*map(torch.from_numpy, given_of(network, rows).values())).numpy()
    return compare(f"PyTorch {torch.__version__}", network, rows, p, scale=scale_of(network))


# -- reading ---------------------------------------------------------------------------------


def from_torch(module: Any, *, loss: str | Loss | None = None, classes: Any = None) -> Model:
    """Make a network of an ``nn.Sequential``; the two are compared on generated rows.

    Parameters
    ----------
    module : torch.nn.Sequential
        Of Linear, BatchNorm1d, Dropout, activations that we have, and Softmax or Sigmoid at the end; other
        ``nn.Sequential`` in it are taken apart.
    loss : Loss or None
        By default what the end belongs to: Softmax to CrossEntropy, Sigmoid to BinaryCrossEntropy, anything else to
        SquaredError.  A module that ends with scores has the loss named: ``loss="CrossEntropy"``.
    classes : list or None
        The labels behind the outputs.

    Raises
    ------
    InputError
        For a module that we have not; the message names it.
    """
    source = f"This {type(module).__name__}"
    pieces = Pieces(source)
    for name, each in modules_in(module):
        take(pieces, each, f"{type(each).__name__} at {name!r}")
    ends_with_link = bool(pieces.link)
    network = pieces.network(loss, classes)
    is_bare = not ends_with_link and network.layers == tuple(pieces.layers)
    if is_bare and type(network.loss).link is not Loss.link:
        check_agreement(pieces.network("SquaredError"), source, lambda X: outputs(module, X))
        return network
    return check_agreement(network, source, lambda X: outputs(module, X))


def modules_in(module: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The modules of a Sequential in their order."""
    if not type(module).__module__.startswith("torch.nn.modules"):
        raise InputError(f"{type(module).__name__} is no module of torch.nn: only those can be taken over.")
    if type(module).__name__ != "Sequential":
        yield path or "the top", module
        return
    for name, inner in module.named_children():
        yield from modules_in(inner, f"{path}.{name}".lstrip("."))


def outputs(module: Any, X: Array) -> Array:
    """What a module gives for rows when it predicts; its mode stays what it was."""
    torch = load_torch()
    modes = {each: each.training for each in module.modules()}
    weight = next(module.parameters())
    try:
        module.eval()
        with torch.no_grad():
            found: Array = module(torch.from_numpy(X).to(weight)).detach().cpu().numpy()
        return found
    finally:
        for each, mode in modes.items():
            each.training = mode


def array_of(tensor: Any) -> Any:
    """A tensor as an array."""
    return None if tensor is None else tensor.detach().cpu().numpy()


def take(pieces: Pieces, module: Any, what: str) -> None:
    """Take one module over."""
    kind = type(module).__name__
    if kind == "Linear":
        pieces.dense(array_of(module.weight).T, array_of(module.bias), what)
    elif kind == "BatchNorm1d":
        take_norm(pieces, module, what)
    elif kind == "Dropout":
        pieces.dropout(module.p)
    elif kind in ("Softmax", "LogSoftmax") and module.dim in (1, -1):
        if kind == "LogSoftmax":
            raise pieces.refusal(what, "whose outputs are logarithms; put nn.Softmax(dim=1) in its place")
        pieces.activation("softmax", what)
    elif kind in ACTIVATIONS_OF:
        name, constants = ACTIVATIONS_OF[kind](module)
        if name is None:
            raise pieces.refusal(what, f"with settings that no activation here has: {module}")
        pieces.activation(name, what, **constants)
    elif kind not in ("Identity", "Flatten"):
        raise pieces.refusal(
            what, f"which is none of Linear, BatchNorm1d, Dropout, Softmax, {', '.join(ACTIVATIONS_OF)}"
        )


def take_norm(pieces: Pieces, module: Any, what: str) -> None:
    """Take a BatchNorm1d over."""
    if module.running_mean is None or module.momentum is None:
        raise pieces.refusal(what, "which keeps no running statistics with a fixed momentum")
    ones = np.ones(module.num_features, dtype=array_of(module.running_mean).dtype)
    gamma, beta = (ones, 0 * ones) if module.weight is None else (array_of(module.weight), array_of(module.bias))
    arrays = {"gamma": gamma, "beta": beta, "running_mean": array_of(module.running_mean),
              "running_variance": array_of(module.running_var)}  # fmt: skip
    pieces.batch_norm(arrays, momentum=module.momentum, eps=module.eps, what=what)


Found = tuple[str | None, Mapping[str, float]]


def plain(name: str) -> Any:
    """An activation without settings."""
    return lambda module: (name, {})


def gelu(module: Any) -> Found:
    """Exact or by the tanh."""
    return ("gelu_tanh" if module.approximate == "tanh" else "gelu"), {}


def softplus(module: Any) -> Found:
    """Only the one that is not scaled."""
    return ("softplus" if module.beta == 1 else None), {}


def hard_tanh(module: Any) -> Found:
    """Only from -1 to 1."""
    return ("hard_tanh" if (module.min_val, module.max_val) == (-1, 1) else None), {}


# fmt: off
ACTIVATIONS_OF = {
    "ReLU": plain("relu"), "Tanh": plain("tanh"), "Sigmoid": plain("sigmoid"), "SiLU": plain("silu"),
    "SELU": plain("selu"), "GELU": gelu, "Softplus": softplus, "Hardtanh": hard_tanh,
    "LeakyReLU": lambda module: ("leaky_relu", {"slope": module.negative_slope}),
    "ELU": lambda module: ("elu", {"alpha": module.alpha}),
}
# fmt: on
