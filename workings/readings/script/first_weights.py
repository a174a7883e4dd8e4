"""The section of a script with the initial weights: drawn from the seed, written inline, or read from a file."""

from __future__ import annotations

import inspect
import types

import numpy as np

from workings.errors import InputError
from workings.initializers import Given
from workings.layers import Layer, number_layers
from workings.program.program import show_shape, text_of
from workings.readings.copying import inlined_call
from workings.readings.script.draft import ScriptDraft
from workings.readings.script.script_settings import MOST_INLINE
from workings.readings.script.text import INDENT, rows_of


def write_parameters(draft: ScriptDraft, weights: str) -> None:
    """Write the initial value of each parameter and statistic."""
    network = draft.network
    draft.section("Initial weights" if draft.settings.optimizer is not None else "Weights")
    if weights == "seed":
        draft.lines += [f"rng = {network.rng_made}"]
        width = network.n_in or 1
        for layer, number in number_layers(network.layers):
            write_drawn(draft, layer, number, width)
            width = layer.width(width)
        return
    values = {**network.parameters, **network.statistics}
    if weights == "inline":
        if sum(value.size for value in values.values()) > MOST_INLINE:
            raise InputError('There are too many weights for a script: use weights="file".')
        draft.lines += ["# fmt: off"]
        dtype = f", dtype={draft.dtype}" if draft.cast else ""
        draft.lines += [f"{name} = np.array({rows_of(value)}{dtype})" for name, value in values.items()]
        draft.lines += ["# fmt: on"]
    else:
        draft.lines += [f'with np.load("{"weights.npz" if weights == "file" else weights}") as weights:']
        draft.lines += [f'{INDENT}{name} = weights["{name}"]' for name in values]
    if draft.settings.optimizer is not None and draft.settings.is_random:
        write_random_state(draft)


def write_random_state(draft: ScriptDraft) -> None:
    """Write code that creates a random generator in the network's current state."""
    rng = draft.network.rng
    draft.comment("Row orders and dropout masks continue from the state of the network's random generator.")
    if isinstance(rng, np.random.RandomState):
        kind, words, *rest = rng.get_state(legacy=True)
        array = f"np.array({np.asarray(words).tolist()!r}, dtype=np.uint32)"
        state = f"({kind!r}, {array}, {', '.join(map(repr, rest))})"
        draft.lines += ["rng = np.random.RandomState()", "# fmt: off", f"rng.set_state({state})".replace("'", '"')]
    else:
        state = repr(plain(rng.bit_generator.state)).replace("'", '"')
        draft.lines += [f"rng = np.random.Generator(np.random.{type(rng.bit_generator).__name__}())", "# fmt: off"]
        draft.lines += [f"rng.bit_generator.state = {state}"]
    draft.lines += ["# fmt: on"]


def plain(state: object) -> object:
    """Convert arrays in a state to lists."""
    if isinstance(state, dict):
        return {name: plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, (np.ndarray, np.generic)) else state


def write_drawn(draft: ScriptDraft, layer: Layer, number: str, width: int) -> None:
    """Write code that draws a layer's initial values."""
    start = layer.start(np.random.default_rng(0), width)
    initializers = layer.initializers_for(width)
    for letter, value in start.items():
        name = f"{letter}{number}"
        if letter in initializers:
            words, text = initial(draft, initializers[letter], value.shape)
            draft.comment(f"{name}: {words}" if words else f"{name}, of shape {show_shape(value.shape)}.")
        elif value.size and (value == value.flat[0]).all():
            text = f"np.full({value.shape!r}, {float(value.flat[0])!r})"
        else:
            raise InputError(f'A script cannot draw the initial values of {layer!r}: use weights="inline".')
        draft.assign(name, draft.in_precision(text))


def initial(draft: ScriptDraft, initializer: object, shape: tuple[int, ...]) -> tuple[str, str]:
    """Return an initializer in words and as an expression."""
    if isinstance(initializer, Given):
        return "given values.", f"np.array({initializer.values.tolist()!r})"
    if isinstance(initializer, types.FunctionType):
        draft.copied.add(initializer.__name__, initializer)
        return (inspect.getdoc(initializer) or "").split("\n")[0], f"{initializer.__name__}(rng, {shape!r})"
    expression = inlined_call(initializer, rng="rng", shape=repr(shape))
    if expression is None:
        raise InputError(
            f'{initializer!r} is not a single expression, so a script cannot contain it: use weights="inline".'
        )
    words = (type(initializer).__doc__ or "").split("\n")[0]
    return "" if words.startswith(type(initializer).__name__) else words, text_of(expression)
