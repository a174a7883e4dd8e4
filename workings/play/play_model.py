"""The network of a session: made from its settings for its data, perhaps with weights that are given."""

from __future__ import annotations

from workings.errors import InputError
from workings.model.model import Model
from workings.play.play_data import PlayData
from workings.play.session_settings import Settings


def structure(settings: Settings) -> tuple[object, ...]:
    """Return what decides the shapes and the meaning of the parameters."""
    return settings.data, settings.features, settings.hidden, settings.loss


def new_model(settings: Settings, data: PlayData) -> Model:
    """Return a new network with its initial weights."""
    loss = settings.make_loss(data.usual_loss)
    if not data.classes and loss.is_classification:
        raise InputError(f"{settings.loss} needs classes, and {data.name} has numbers: choose SquaredError.")
    outputs = len(data.classes) if loss.is_multiclass else 1
    if len(data.classes) > 2 and outputs == 1:
        raise InputError(f"{type(loss).__name__} has one output; for {len(data.classes)} classes use CrossEntropy.")
    return Model(
        settings.layers(outputs), loss=loss, regularizer=settings.make_regularizer(), seed=settings.seed,
        n_in=len(data.features),
    )  # fmt: skip


def with_weights_of(source: Model, model: Model) -> Model:
    """Return the model with the parameters and statistics of another one of the same shapes."""
    arrays = {**source.parameters, **source.statistics}
    expected = {name: value.shape for name, value in {**model.parameters, **model.statistics}.items()}
    if {name: value.shape for name, value in arrays.items()} != expected:
        raise InputError(f"The network has other shapes than this data needs: {model!r}.")
    return model.place(model.n_in or 1, arrays)
