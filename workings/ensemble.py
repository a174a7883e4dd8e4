"""Ensembles: several networks that predict together, with the mean of their outputs and its spread.

Networks with different seeds make different errors, so the mean of their outputs is usually more accurate than one
network.  Where they disagree, the prediction is uncertain (Lakshminarayanan et al. 2017).  The networks are trained
together by :func:`workings.fit_many`, and each is saved as a file of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike

from workings.activations import Activation
from workings.errors import FileError, InputError
from workings.files.merging import merged
from workings.metrics import METRICS
from workings.model.data_files import opened_array
from workings.model.model import as_weights
from workings.network import Network
from workings.support.arrays import Array, describe, same_length
from workings.support.atomic_files import as_path, write_bytes
from workings.support.conversion import as_array
from workings.support.keywords import CheckedKeywords, checked_keywords
from workings.support.row_stream import in_memory
from workings.training.fit_many import checked_networks, fit_many
from workings.training.history import History

LIST = "ensemble.json"  # the file that lists the networks
FORMAT = "workings ensemble 1"
MOST_BYTES = 2**20  # of the list


class Ensemble(CheckedKeywords, Sequence[Network]):
    """Several networks with the same inputs and outputs, which predict with the mean of their outputs.

    Parameters
    ----------
    networks : sequence of Network
        Networks that are trained or not; usually with equal layers and different seeds.

    Raises
    ------
    InputError
        If the networks' inputs, outputs or class labels differ.

    Examples
    --------
    >>> from workings import CrossEntropy, Dense, SGD
    >>> from workings.datasets import moons
    >>> X, y = moons(60)
    >>> ensemble = Ensemble([Network([Dense(4, "tanh"), Dense(2)], loss=CrossEntropy(), seed=s) for s in range(3)])
    >>> histories = ensemble.fit(X, y, optimizer=SGD(0.3), epochs=30)
    >>> ensemble.predict_proba(X).shape, ensemble.spread(X).shape
    ((60, 2), (60, 2))
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        for network in checked_networks(networks):
            if not isinstance(network, Network):
                raise InputError(f"An ensemble holds networks, not {describe(network)}: use Network.from_model.")
        self.networks = tuple(networks)
        self.check_equal()

    def __len__(self) -> int:
        return len(self.networks)

    @overload
    def __getitem__(self, index: int) -> Network: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Network, ...]: ...
    def __getitem__(self, index: int | slice) -> Network | tuple[Network, ...]:
        return self.networks[index]

    def __iter__(self) -> Iterator[Network]:
        return iter(self.networks)

    def __repr__(self) -> str:
        return f"Ensemble of {len(self)}: {self.networks[0]!r}"

    def check_equal(self) -> None:
        """Raise an error if the networks' inputs, outputs or class labels differ."""
        about: dict[str, Callable[[Network], object]] = {
            "numbers of columns": lambda network: network.n_in,
            "numbers of outputs": lambda network: network.n_out,
            "kinds of targets": lambda network: network.targets.kind,
            "class labels": lambda network: None if network.classes is None else network.classes.tolist(),
        }
        for words, read in about.items():
            found = [read(network) for network in self.networks]
            other = next((index for index, value in enumerate(found) if value != found[0]), None)
            if other is not None:
                raise InputError(
                    f"The networks of an ensemble have equal {words}, but networks[0] has {found[0]} and "
                    f"networks[{other}] has {found[other]}."
                )

    @checked_keywords
    def fit(self, X: ArrayLike, y: ArrayLike, **settings: Any) -> list[History]:
        """Train all networks together; it takes the settings of :func:`workings.fit_many`."""
        return fit_many(self.networks, X, y, **settings)

    # -- predictions -----------------------------------------------------------------------

    @checked_keywords
    def predict(self, X: ArrayLike, *, engine: str = "auto") -> Array:
        """Return the labels of the mean probabilities, of shape (n,), or the mean of the predicted numbers."""
        self.check_equal()
        targets = self.networks[0].targets
        if targets.is_classification:
            outputs = [network.outputs(X, engine=engine) for network in self.networks]
            return targets.decode(np.mean(outputs, axis=0))
        return np.asarray(np.mean(self.of_each(X, engine), axis=0))

    @checked_keywords
    def predict_proba(self, X: ArrayLike, *, engine: str = "auto") -> Array:
        """Return the mean of the class probabilities of all networks, of shape (n, classes)."""
        self.check_equal()
        return np.asarray(np.mean([network.predict_proba(X, engine=engine) for network in self.networks], axis=0))

    @checked_keywords
    def spread(self, X: ArrayLike, *, engine: str = "auto") -> Array:
        """Return the standard deviation over the networks of their probabilities or of their predicted numbers.

        For classes it has the shape of ``predict_proba``, for numbers the shape of ``predict``.
        """
        self.check_equal()
        return np.asarray(np.std(self.of_each(X, engine), axis=0))

    def of_each(self, X: ArrayLike, engine: str) -> list[Array]:
        """Return the probabilities of each network, or its predicted numbers."""
        if self.networks[0].targets.is_classification:
            return [network.predict_proba(X, engine=engine) for network in self.networks]
        return [network.predict(X, engine=engine) for network in self.networks]

    @checked_keywords
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy for labels, or R² for numbers, of the ensemble's predictions."""
        self.check_equal()
        first = self.networks[0]
        X, y = first.opened(X, y)
        y, predicted = in_memory(y), self.predict(X)
        same_length(predicted, as_array(y, "y"))
        w = opened_array(sample_weight, "sample_weight")
        weights = None if w is None else as_weights(w, predicted, np.float64)[:, 0]
        known = first.targets.learn(y)
        return float(METRICS[known.metric](known.comparable(y), predicted, weights))

    # -- files -----------------------------------------------------------------------------

    @checked_keywords
    def merged(self) -> Network:
        """Return one network that predicts the mean, for one file: ``ensemble.merged().save("model.safetensors")``.

        A layer has the units of all networks.  The outputs are averaged before the loss's function: for classes, the
        scores z before the softmax.  So its probabilities differ a little from
        ``predict_proba``, which is the mean of the probabilities.

        Raises
        ------
        InputError
            If the networks' layers, losses or precisions differ, or for layers with statistics, such as ``BatchNorm``.

        Examples
        --------
        >>> from workings import Dense
        >>> networks = [Network([Dense(3, "tanh"), Dense(1)], loss="SquaredError", n_in=2, seed=k) for k in range(2)]
        >>> one, X = Ensemble(networks).merged(), [[1.0, 2.0]]
        >>> bool(np.allclose(one.predict(X), Ensemble(networks).predict(X)))
        True
        """
        self.check_equal()
        return Network.from_model(merged(self.networks))

    @checked_keywords
    def save(self, folder: str | Path) -> Path:
        """Write each network to a file in a folder, and a list of them with their checksums.

        The list is written last, so that a save that was cut short is detected by ``load``.

        Raises
        ------
        InputError
            If a network has no parameters yet.
        FileError
            If the folder cannot be written to.
        """
        folder = as_path(folder)
        for network in self.networks:
            network.check_built()
        files = {}
        for number, network in enumerate(self.networks):
            path = network.save(folder / f"network-{number:03}.safetensors")
            files[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        write_bytes(folder / LIST, json.dumps({"format": FORMAT, "files": files}, indent=2).encode())
        return folder

    @classmethod
    @checked_keywords
    def load(cls, folder: str | Path, *, custom: Iterable[Activation | type] = ()) -> Self:
        """Read an ensemble that ``save`` wrote; ``custom`` as in :meth:`workings.Network.load`.

        Raises
        ------
        FileError
            If a file is missing, damaged, or does not belong to the list.
        """
        folder, custom = as_path(folder), list(custom)
        networks = []
        for name, checksum in files_of(folder).items():
            path = folder / name
            network = Network.load(path, custom=custom)
            if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
                raise FileError(f"{path} is not the file that {LIST} lists: save the ensemble again.")
            networks.append(network)
        try:
            return cls(networks)
        except InputError as error:
            raise FileError(f"{folder} holds no ensemble: {error}") from error


def files_of(folder: Path) -> dict[str, str]:
    """Return the names of an ensemble's files with their checksums."""
    try:
        with open(folder / LIST, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise FileError(f"Cannot read {folder / LIST}: {error.strerror or error}.") from error
    try:
        about = json.loads(content[:MOST_BYTES])
        files = about["files"]
        is_valid = about["format"] == FORMAT and bool(files) and len(content) <= MOST_BYTES
        is_valid = is_valid and all(isinstance(checksum, str) and is_plain(name) for name, checksum in files.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        is_valid = False
    if not is_valid:
        raise FileError(f"{folder / LIST} is not the list of an ensemble that Ensemble.save wrote.")
    return dict(files)


def is_plain(name: str) -> bool:
    """Whether a name belongs to a network's file in the folder itself."""
    return name.endswith(".safetensors") and Path(name).name == name and "\\" not in name
