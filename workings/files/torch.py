"""PyTorch: export a network as a ``state_dict`` with the code of an ``nn.Sequential``, and import an ``nn.Sequential``.

The weights are written to two files, one for ``torch.load(…, weights_only=True)`` and one in safetensors, and
the code to a Python file.  PyTorch files are not read, because they are pickles, which can run code; a module
in memory can be imported.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save as pack_tensors

from workings.activations import ACTIVATIONS, Activation
from workings.errors import InputError, MissingExtraError, ProgramError
from workings.files.assembling import NetworkAssembler, check_agreement
from workings.files.verification import (
    Agreement,
    Exported,
    GeneratedRows,
    compare,
    generated_rows,
    model_inputs,
    target_scale,
    write_verified,
)
from workings.layers import BatchNorm, Dense, Dropout
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss
from workings.model.model import Model
from workings.program.writer import formula_code
from workings.readings.translate.torch_writer import ACTIVATIONS as MODULES
from workings.readings.translate.torch_writer import sequential
from workings.support.arrays import Array, Values
from workings.tables.columns import CategoryColumn, Columns, columns_in, filled, missing, original, standard
from workings.tables.values import GAP
from workings.version import __version__

if TYPE_CHECKING:
    import torch
    from torch import nn

OWN_COLUMNS = """\
It takes the columns of a table. `columns`: the numeric columns in their original units, float64, of shape
(n, columns); a missing value is NaN. `categories`: the index of the category in each categorical column's list,
int64, of shape (n, categorical columns); -1 is a missing value, and any other number is an unknown category.
These, and a missing value in a column without imputation, give NaN predictions; in a column whose encoder has
handle_unknown="ignore", they become zeros."""


def load_torch() -> ModuleType:
    """Import PyTorch; raise an error that names the extra if it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("PyTorch", "torch") from error
    found: ModuleType = torch
    return found


# -- writing ---------------------------------------------------------------------------------


def export(network: Model, path: Path) -> Exported:
    """Write ``NAME.pt``, ``NAME_torch.safetensors`` and ``NAME_torch.py``; run them and compare.

    For a network that was trained on a table, the module takes the table's columns.  Its predictions equal
    the network's, so it ends with the loss's link: remove the link before training with a PyTorch loss that
    applies it.

    Raises
    ------
    MissingExtraError
        If PyTorch is not installed.
    ProgramError
        For an activation or layer without a PyTorch counterpart; the message names it.
    FileError
        If the module's predictions differ.
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
    return write_verified(path, contents, lambda folder: run(network, folder, path, rows))


def modules_of(network: Model) -> tuple[list[str], dict[str, str]]:
    """Return the modules as code, and the location of each array: ``"W1": "0.weight"``, which holds W1 transposed."""
    for layer in network.layers:
        if not isinstance(layer, (Dense, BatchNorm, Dropout)):
            raise ProgramError(f"PyTorch has no module for {layer!r}: export the network as ONNX or C instead.")
        check_activation(layer.activation_function)
    code = sequential(network)
    places = {name: place.removeprefix("model[").replace("]", "", 1) for name, place in code.places.items()}
    return [*code.modules, *link_of(network.loss)], places


def check_activation(activation: Activation) -> None:
    """Raise for an activation without a PyTorch module."""
    known = ACTIVATIONS.get(activation.name)
    is_usual = known is not None and known.function is activation.function
    has_module = activation.name in MODULES or activation.name == "identity"
    if not (is_usual and has_module) or (activation.name == "selu" and activation != known):
        raise ProgramError(f"PyTorch has no module for the activation {activation.name!r}: export ONNX or C instead.")


def link_of(loss: Loss) -> Iterator[str]:
    """Yield the module of the loss's link, if it has one."""
    modules = {type(CrossEntropy()).link: "nn.Softmax(dim=1)", type(BinaryCrossEntropy()).link: "nn.Sigmoid()"}
    link = type(loss).link
    if link in modules:
        yield modules[link]
    elif link is not Loss.link:
        raise ProgramError(
            f"PyTorch has no module for {link.__name__}, the link of {loss!r}: export ONNX or C instead."
        )


def state_of(network: Model) -> dict[str, Array]:
    """Return the arrays by their PyTorch names; for a table, with the buffers for standardization."""
    places, arrays = modules_of(network)[1], {**network.parameters, **network.statistics}
    state = {place: np.ascontiguousarray(arrays[name].T) for name, place in places.items()}
    counted = [place.partition(".")[0] for name, place in places.items() if name.startswith("running_mean")]
    state |= {f"{place}.num_batches_tracked": np.array(0, dtype=np.int64) for place in counted}
    columns = columns_in(network.preprocessing)
    if columns is None:
        return state
    return {**buffers_of(columns), **{f"network.{name}": array for name, array in state.items()}}


def code_of(network: Model, path: Path) -> str:
    """Return the Python file that creates the module and loads its weights."""
    modules = ",\n".join(f"    {module}" for module in modules_of(network)[0])
    precision = ".double()" if network.dtype == np.float64 else ""
    sequential = f"nn.Sequential(\n{modules},\n){precision}"
    columns = columns_in(network.preprocessing)
    lines = [f'"""A neural network for PyTorch; written by Workings {__version__}.', ""]
    ending = f"; its last module is the link of {network.loss!r}." if list(link_of(network.loss)) else "."
    lines += ["Its outputs are the network's predictions" + ending]
    lines += [] if columns is None else ["", OWN_COLUMNS]
    model = [f"model = {sequential}"] if columns is None else table_lines(network, columns, sequential)
    return "\n".join(
        [
            *lines,
            '"""',
            "",
            "from pathlib import Path",
            "",
            "import torch",
            "from torch import nn",
            "",
            *([] if network.classes is None else [f"classes = {network.classes.tolist()!r}"]),
            *model,
            f"weights = Path(__file__).with_name({path.name!r})  # the safetensors file holds the same",
            "model.load_state_dict(torch.load(weights, weights_only=True))",
            "model.eval()",
            "",
        ]
    )


def buffers_of(columns: Columns) -> dict[str, Array]:
    """Return the arrays for standardizing and filling numeric columns, as far as needed."""
    needed = {"column_mean", "column_std"} | ({"column_fill"} if columns.have_fills else set())
    return {name: array for name, array in columns.arrays.items() if name in needed} if columns.numbers else {}


def table_lines(network: Model, columns: Columns, sequential: str) -> list[str]:
    """Return the code of a module that takes a table's columns."""
    given = ", ".join(name for name, some in (("columns", columns.numbers), ("categories", columns.words)) if some)
    p = f"self.network(self.features({given}))"
    mean, std = map(repr, columns.scale or (0.0, 1.0))
    value = p if columns.scale is None else formula_code(original, p=f"{p}.double()", mean=mean, std=std)
    buffers = [
        f'        self.register_buffer("{name}", torch.ones({len(array)}, dtype=torch.float64))'
        for name, array in buffers_of(columns).items()
    ]
    return [
        f"columns = {[column.name for column in columns.numbers]!r}",
        f"categories = { {column.name: list(column.categories) for column in columns.words}!r}",
        "",
        "",
        "class Model(nn.Module):",
        '    """The network with the preprocessing of its table."""',
        "",
        "    def __init__(self):",
        "        super().__init__()",
        *buffers,
        "        self.network = " + sequential.replace("\n", "\n        "),
        "",
        f"    def features(self, {given}):",
        '        """Return the input of the network."""',
        *(f"        {line}" for line in feature_lines(columns, str(network.dtype))),
        "",
        f"    def forward(self, {given}):",
        '        """Return the predictions."""',
        f"        return {value}",
        "",
        "",
        "model = Model()",
    ]


def feature_lines(columns: Columns, dtype: str) -> Iterator[str]:
    """Yield the lines that encode a table's columns as X."""
    if columns.numbers:
        x = (
            formula_code(filled, x="columns", fill="self.column_fill").replace("np.", "torch.")
            if columns.have_fills
            else "columns"
        )
        yield f"numbers = {formula_code(standard, x=x, mean='self.column_mean', std='self.column_std')}"
    if columns.have_indicators:
        yield f"gaps = {formula_code(missing, x='columns').replace('np.', 'torch.')}"
    yield "parts = []"
    numbers, words = count(), count()
    for column in columns.columns:
        if isinstance(column, CategoryColumn):
            place = next(words)
            yield f"code = categories[:, {place}:{place + 1}]"
            if column.fill is not None:
                yield f"code = torch.where(code == {GAP}, {column.categories.index(column.fill)}, code)"
            yield f"part = (code == torch.arange({column.width}, device=code.device)).to(torch.{dtype})"
            if column.unknown == "error":
                yield f"part = torch.where((code >= 0) & (code < {column.width}), part, torch.nan)"
            yield "parts.append(part)"
        else:
            place = next(numbers)
            yield f"parts.append(numbers[:, {place}:{place + 1}])"
            if column.indicator:
                yield f"parts.append(gaps[:, {place}:{place + 1}])"
    yield f"return torch.cat([part.to(torch.{dtype}) for part in parts], dim=1)"


def run(network: Model, folder: Path, path: Path, rows: GeneratedRows) -> Agreement:
    """Run the exported code and compare."""
    import runpy

    torch = load_torch()
    model = runpy.run_path(str(folder / f"{path.stem}_torch.py"))["model"]
    with torch.no_grad():
        p = model(*map(torch.from_numpy, model_inputs(network, rows).values())).numpy()
    return compare(f"PyTorch {torch.__version__}", network, rows, p, scale=target_scale(network))


# -- reading ---------------------------------------------------------------------------------


def from_torch(
    module: nn.Module,
    *,
    loss: str | Loss | None = None,
    classes: Iterable[object] | None = None,
) -> Model:
    """Import an ``nn.Sequential`` as a network; the two are compared on generated rows.

    Parameters
    ----------
    module : torch.nn.Sequential
        A model of Linear, BatchNorm1d, Dropout and supported activations, with Softmax or Sigmoid at the end;
        nested ``nn.Sequential`` are flattened.
    loss : Loss or None
        By default the loss that belongs to the last activation: CrossEntropy for Softmax, BinaryCrossEntropy
        for Sigmoid, SquaredError for any other.  For a module that ends with scores, name the loss:
        ``loss="CrossEntropy"``.
    classes : list or None
        The labels of the outputs.

    Raises
    ------
    InputError
        For an unsupported module; the message names it.
    """
    source = f"This {type(module).__name__}"
    assembler = NetworkAssembler(source)
    for name, each in modules_in(module):
        add_module(assembler, each, f"{type(each).__name__} at {name!r}")
    ends_with_link = bool(assembler.link)
    network = assembler.network(loss, classes)
    is_bare = not ends_with_link and network.layers == tuple(assembler.layers)
    if is_bare and type(network.loss).link is not Loss.link:
        check_agreement(assembler.network("SquaredError"), source, lambda X: outputs(module, X))
        return network
    return check_agreement(network, source, lambda X: outputs(module, X))


def modules_in(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules of a Sequential in order, with their names."""
    if not type(module).__module__.startswith("torch.nn.modules"):
        raise InputError(f"{type(module).__name__} is not a module of torch.nn: only those can be imported.")
    if type(module).__name__ != "Sequential":
        yield path or "the top", module
        return
    for name, inner in module.named_children():
        yield from modules_in(inner, f"{path}.{name}".lstrip("."))


def outputs(module: nn.Module, X: Array) -> Array:
    """Return a module's outputs in evaluation mode; its mode is restored afterwards."""
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


def array_of(tensor: torch.Tensor | None) -> Values:
    """Convert a tensor to an array; None stays None."""
    return None if tensor is None else tensor.detach().cpu().numpy()


def add_module(assembler: NetworkAssembler, module: nn.Module, what: str) -> None:
    """Add one PyTorch module."""
    kind = type(module).__name__
    if kind == "Linear":
        assembler.add_dense(array_of(module.weight).T, array_of(module.bias), what)
    elif kind == "BatchNorm1d":
        add_batch_norm(assembler, module, what)
    elif kind == "Dropout":
        assembler.add_dropout(module.p)
    elif kind in ("Softmax", "LogSoftmax") and module.dim in (1, -1):
        if kind == "LogSoftmax":
            raise assembler.refusal(what, "whose outputs are logarithms; use nn.Softmax(dim=1) instead")
        assembler.add_activation("softmax", what)
    elif kind in ACTIVATIONS_OF:
        name, constants = ACTIVATIONS_OF[kind](module)
        if name is None:
            raise assembler.refusal(what, f"with settings that no activation of Workings has: {module}")
        assembler.add_activation(name, what, **constants)
    elif kind not in ("Identity", "Flatten"):
        raise assembler.refusal(
            what, f"which is not one of Linear, BatchNorm1d, Dropout, Softmax, {', '.join(ACTIVATIONS_OF)}"
        )


def add_batch_norm(assembler: NetworkAssembler, module: nn.Module, what: str) -> None:
    """Add a BatchNorm1d."""
    if module.running_mean is None or module.momentum is None:
        raise assembler.refusal(what, "which has no running statistics with a fixed momentum")
    ones = np.ones(module.num_features, dtype=array_of(module.running_mean).dtype)
    gamma, beta = (ones, 0 * ones) if module.weight is None else (array_of(module.weight), array_of(module.bias))
    arrays = {
        "gamma": gamma,
        "beta": beta,
        "running_mean": array_of(module.running_mean),
        "running_variance": array_of(module.running_var),
    }
    assembler.add_batch_norm(arrays, momentum=module.momentum, eps=module.eps, what=what)


Found = tuple[str | None, Mapping[str, float]]


def simple(name: str) -> Callable[[nn.Module], Found]:
    """Return a reader for an activation without constants."""
    return lambda module: (name, {})


def gelu(module: nn.Module) -> Found:
    """Read GELU, exact or with the tanh approximation."""
    return ("gelu_tanh" if module.approximate == "tanh" else "gelu"), {}


def softplus(module: nn.Module) -> Found:
    """Read Softplus with beta 1; other values have no counterpart."""
    return ("softplus" if module.beta == 1 else None), {}


def hard_tanh(module: nn.Module) -> Found:
    """Read Hardtanh from -1 to 1; other limits have no counterpart."""
    return ("hard_tanh" if (module.min_val, module.max_val) == (-1, 1) else None), {}


# fmt: off
ACTIVATIONS_OF: dict[str, Callable[[nn.Module], Found]] = {
    "ReLU": simple("relu"), "Tanh": simple("tanh"), "Sigmoid": simple("sigmoid"), "SiLU": simple("silu"),
    "SELU": simple("selu"), "Mish": simple("mish"), "GELU": gelu, "Softplus": softplus, "Hardtanh": hard_tanh,
    "LeakyReLU": lambda module: ("leaky_relu", {"slope": module.negative_slope}),
    "ELU": lambda module: ("elu", {"alpha": module.alpha}),
}
# fmt: on
