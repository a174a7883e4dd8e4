"""Open the playground from Python, on a network and data of your own."""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.model.model import Model
from workings.play.server import Playground, open_soon
from workings.play.session import Session
from workings.play.user_data import data_of, settings_of


def session_of(model: Model, X: ArrayLike, y: ArrayLike) -> Session:
    """Return a session with a copy of a network, on given rows; the network itself does not change.

    Raises
    ------
    InputError
        If the playground cannot show the network or the rows.
    """
    model = copy.deepcopy(model.built_for(X, y))
    if model.preprocessing is not None:
        raise InputError("This network was trained on a table: open its file with `workings play MODEL --data FILE`.")
    data = data_of(X, y, model.loss.is_classification)
    if data.raw.shape[1] != model.n_in:
        raise InputError(f"X has {data.raw.shape[1]} columns, but the network has {model.n_in} inputs.")
    known = model.classes
    if known is not None and not np.isin(np.asarray(y), known).all():
        raise InputError(f"y has labels that the network does not know; it knows {', '.join(map(str, known))}.")
    return Session(settings_of(model), data, model)


def play(model: Model, X: ArrayLike, y: ArrayLike, *, port: int = 0, browser: bool = True) -> Playground:
    """Open the playground in the browser, with a copy of a network and its data; the server runs in the background.

    Parameters
    ----------
    model : Model
    X, y : arrays of shape (n, n_in) and (n,)
    port : int
        The port of the server; 0 for a free one.
    browser : bool
        Whether to open the browser.  A notebook shows the page as the result of the cell.

    Returns
    -------
    Playground
        With ``url`` and ``close()``.

    Raises
    ------
    InputError
        If the playground cannot show the network or the rows.
    MissingExtraError
        If a package of the extra ``play`` is not installed.
    """
    session_of(model, X, y)  # refuses before the server starts
    playground = Playground(lambda: session_of(model, X, y), port).start()
    if browser:
        open_soon(playground.url)
    return playground
