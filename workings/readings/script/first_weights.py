"""The start: the first value of each parameter, drawn as the network draws it, or as it is."""

from __future__ import annotations

import inspect
import types
from typing import Any

import numpy as np

from workings.errors import InputError
from workings.initializers import Given, initializer_of
from workings.layers import Dense, numbered
from workings.program.program import show_shape, text_of
from workings.readings.copying import inlined_call
from workings.readings.script.draft import Page
from workings.readings.script.settings import MOST_INLINE
from workings.readings.script.text import INDENT, rows_of


def write_parameters(page: Page, weights: str) -> None:
    """The first value of each parameter and statistic."""
    network = page.network
    page.section("First weights" if page.settings.optimizer is not None else "Weights")
    if weights == "seed":
        page.lines += [f"rng = {network.rng_made}"]
        width = network.n_in or 1
        for layer, number in numbered(network.layers):
            write_drawn(page, layer, number, width)
            width = layer.width(width)
        return
    values = {**network.parameters, **network.statistics}
    if weights == "inline":
        if sum(value.size for value in values.values()) > MOST_INLINE:
            raise InputError('So many weights cannot stand in a script: use weights="file".')
        page.lines += ["# fmt: off"]
        dtype = f", dtype={page.dtype}" if page.cast else ""
        page.lines += [f"{name} = np.array({rows_of(value)}{dtype})" for name, value in values.items()]
        page.lines += ["# fmt: on"]
    else:
        page.lines += [f'with np.load("{"weights.npz" if weights == "file" else weights}") as weights:']
        page.lines += [f'{INDENT}{name} = weights["{name}"]' for name in values]
    if page.settings.optimizer is not None and page.settings.is_random:
        write_random_state(page)


def write_random_state(page: Page) -> None:
    """The source of random numbers, as it is now."""
    rng = page.network.rng
    page.say("Orders and masks go on from where the network's source of random numbers stands.")
    if isinstance(rng, np.random.RandomState):
        kind, words, *rest = rng.get_state(legacy=True)
        told = f"np.array({np.asarray(words).tolist()!r}, dtype=np.uint32)"
        state = f"({kind!r}, {told}, {', '.join(map(repr, rest))})"
        page.lines += ["rng = np.random.RandomState()", "# fmt: off", f"rng.set_state({state})".replace("'", '"')]
    else:
        state = repr(plain(rng.bit_generator.state)).replace("'", '"')
        page.lines += [f"rng = np.random.Generator(np.random.{type(rng.bit_generator).__name__}())", "# fmt: off"]
        page.lines += [f"rng.bit_generator.state = {state}"]
    page.lines += ["# fmt: on"]


def plain(state: Any) -> Any:
    """A state with lists in the place of arrays."""
    if isinstance(state, dict):
        return {name: plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, (np.ndarray, np.generic)) else state


def write_drawn(page: Page, layer: Any, number: str, width: int) -> None:
    """How a layer's first values are drawn."""
    start = layer.start(np.random.default_rng(0), width)
    first = {"W": "weights", "b": "biases"} if isinstance(layer, Dense) else {}
    for letter, value in start.items():
        name = f"{letter}{number}"
        if letter in first:
            default = layer.bend.initializer if letter == "W" else "zeros"
            initializer = initializer_of(getattr(layer, first[letter]), default)
            words, text = initial(page, initializer, value.shape)
            page.say(f"{name}: {words}" if words else f"{name}, of shape {show_shape(value.shape)}.")
        elif value.size and (value == value.flat[0]).all():
            text = f"np.full({value.shape!r}, {float(value.flat[0])!r})"
        else:
            raise InputError(f'How {layer!r} draws its first values cannot be told: use weights="inline".')
        page.assign(name, page.in_precision(text))


def initial(page: Page, initializer: Any, shape: tuple[int, ...]) -> tuple[str, str]:
    """What an initializer does, in words and as an expression."""
    if isinstance(initializer, Given):
        return "given numbers.", f"np.array({initializer.values.tolist()!r})"
    if isinstance(initializer, types.FunctionType):
        page.copied.add(initializer.__name__, initializer)
        return (inspect.getdoc(initializer) or "").split("\n")[0], f"{initializer.__name__}(rng, {shape!r})"
    expression = inlined_call(initializer, rng="rng", shape=repr(shape))
    if expression is None:
        raise InputError(f'How {initializer!r} draws cannot be told in one line: use weights="inline".')
    words = (type(initializer).__doc__ or "").split("\n")[0]
    return "" if words.startswith(type(initializer).__name__) else words, text_of(expression)
