"""The playground's session: every number it sends is the library's, and no message harms it."""

from __future__ import annotations

import base64
import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workings import Adam, BinaryCrossEntropy, Dense, InputError, Network, SquaredError
from workings.activations import ACTIVATIONS
from workings.checks.curvature import sharpness
from workings.checks.findings import KINDS
from workings.datasets import moons
from workings.errors import WorkingsError
from workings.optimizers import OPTIMIZERS
from workings.play.advice import REMEDIES, words_of
from workings.play.messages import ACTIONS, OWN_MISTAKE, answer
from workings.play.opening import session_of
from workings.play.pictures import SIDE
from workings.play.play_data import FEATURES, GENERATED
from workings.play.replay import MOST_FRAMES, chosen
from workings.play.session import Session
from workings.play.session_settings import MOST_LAYERS, LayerSettings, Settings
from workings.play.user_data import data_of
from workings.plots import loss_plane
from workings.support.escaping import visible

SMALL = Settings(rows=40, hidden=(LayerSettings(3), LayerSettings(2)), batch_size=10)


def floats(text: str) -> Any:
    return np.frombuffer(base64.b64decode(text), np.float32)


def weights(frame: dict[str, Any]) -> dict[str, Any]:
    return {name: floats(each["data"]).reshape(each["shape"]) for name, each in frame["weights"].items()}


def fitted(session: Session, epochs: int) -> Network:
    """The same training by ``fit``, with the reference engine."""
    settings, data = session.settings, session.data
    loss = settings.make_loss(data.usual_loss)
    outputs = len(data.classes) if loss.is_multiclass else 1
    net = Network(settings.layers(outputs), loss=loss, regularizer=settings.make_regularizer(), seed=settings.seed)
    X = data.inputs(data.raw)[: data.training]
    net.fit(
        X, data.y[: data.training], optimizer=settings.make_optimizer(), epochs=epochs,
        batch_size=settings.batch_size or None, engine="reference",
    )  # fmt: skip
    return net


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "SGD", "batch_size": 0, "lr": 0.5},
        {"data": "blobs", "regularizer": "L2", "lam": 0.01, "schedule": "cosine"},
        {"data": "hills", "hidden": [{"units": 4, "activation": "relu", "dropout": 0.3, "batch_norm": True}]},
        {"data": "xor", "features": ["x1", "x1x2"], "batch_size": 7, "hidden": []},
        {"loss": "CrossEntropy", "schedule": "warm-up", "schedule_steps": 9},
    ],
)
def test_steps_are_those_of_fit_to_the_bit(changes: dict[str, Any]) -> None:
    session = Session(Settings.from_json(changes, SMALL))
    epochs = 3
    while session.run.epoch < epochs:
        session.advance(steps=min(3, session.run.steps_to_epoch()))
    expected = fitted(session, epochs)
    for name, value in expected.parameters.items():
        assert np.array_equal(session.run.model.parameters[name], value)


def test_a_frame_holds_the_numbers_of_the_library() -> None:
    session = Session(SMALL)
    frame = session.advance(steps=7)
    net, data = session.run.model, session.data
    X, y = data.inputs(data.raw), data.y
    assert frame["step"] == 7
    for name, value in weights(frame).items():
        assert np.array_equal(value, net.parameters[name].astype(np.float32))
    assert frame["measured"][0] == pytest.approx(net.objective(X[: data.training], y[: data.training]), abs=0)
    assert frame["measured"][1] == net.score(X[: data.training], y[: data.training])
    assert frame["measured"][2] == pytest.approx(net.objective(X[data.training :], y[data.training :]), abs=0)
    course = floats(frame["course"]).reshape(-1, 5)
    assert course[-1].tolist() == pytest.approx([7, *frame["measured"]], rel=1e-6)


@pytest.mark.parametrize("data", GENERATED)
def test_heat_maps_are_predictions_on_the_plane(data: str) -> None:
    session = Session(Settings.from_json({"data": data, "rows": 30, "features": list(FEATURES)}))
    session.advance(steps=3)
    frame, plane = session.frame(), session.plane
    found = np.frombuffer(base64.b64decode(frame["maps"]["output"]), np.uint8).reshape(-1, SIDE, SIDE)
    corner = [plane.low[0], plane.high[1]]  # the first point is at the top left
    p = session.run.model.outputs(session.data.inputs(np.array([corner])))[0]
    low, high = session.scale()
    assert found[:, 0, 0] == pytest.approx(np.clip(255 * (p - low) / (high - low), 0, 255), abs=0.6)
    assert len(frame["maps"]["units"]) == len(session.settings.hidden)


def test_a_weight_comes_with_its_gradient_and_both_ways_to_check_it() -> None:
    session = Session(SMALL)
    session.advance(steps=5)
    net, data = session.run.model, session.data
    trace = net.trace(data.inputs(data.raw)[: data.training], data.y[: data.training])
    for name, index in (("W1", [0, 2]), ("W3", [1, 0]), ("b2", [1])):
        found = session.weight(name, index)
        assert found["value"] == trace[name][tuple(index)]
        assert found["gradient"] == trace[f"d{name}"][tuple(index)]
        assert found["slope"] == pytest.approx(found["gradient"], rel=1e-4, abs=1e-9)
        assert found["why"]["total"] == pytest.approx(found["gradient"], rel=1e-9, abs=1e-12)
        middle = len(found["profile"]["at"]) // 2
        assert found["profile"]["J"][middle] == pytest.approx(trace["J"])
        assert found["course"][-1] == [5, found["value"]]


def test_a_dragged_weight_moves_loss_and_gradient() -> None:
    session = Session(SMALL)
    found = session.set_weight("W1", [1, 0], 1.5, final=False)
    assert found["weight"]["value"] == 1.5
    assert weights(found["frame"])["W1"][1, 0] == 1.5
    trace = session.run.model.trace(session.data.raw[: session.data.training], session.data.y[: session.data.training])
    assert (found["weight"]["J"], found["weight"]["gradient"]) == (trace["J"], trace["dW1"][1, 0])
    assert session.set_weight("W1", [1, 0], -0.5, final=True)["details"]["value"] == -0.5
    assert len(session.run.course) == 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_walk_ends_where_the_step_ends(optimizer: str) -> None:
    session = Session(Settings.from_json({"optimizer": optimizer}, SMALL))
    session.advance(steps=2)
    count = len(session.statement(index=0, unit=1)["outline"])
    walked = [session.statement(index=k, unit=1) for k in range(count)]
    assert [one["code"] for one in walked] == [str(s) for s in session.run.program.statements]
    assert all(one["agrees"] for one in walked)
    assert all(one["equation"].startswith("<math") and one["words"] for one in walked)
    assert walked[0] == session.statement(index=0, unit=1)  # and back again
    values = dict(session.walk.runner.values) if session.walk else {}
    session.advance(steps=1)
    for name, value in session.run.model.parameters.items():
        assert np.array_equal(values[name], value)


def lbfgs_session(**changes: Any) -> Session:
    pytest.importorskip("scipy", reason="SciPy is not installed, which L-BFGS needs")
    return Session(Settings.from_json({"optimizer": "LBFGS", "batch_size": 0, **changes}, SMALL))


@pytest.mark.parametrize("messages", [[25], [1] * 25, [19, 1, 5]])
@pytest.mark.parametrize("changes", [{}, {"data": "blobs", "hidden": []}, {"data": "hills", "regularizer": "L2"}])
def test_iterations_of_lbfgs_are_those_of_fit(messages: list[int], changes: dict[str, Any]) -> None:
    """In whatever messages they are asked for, and again after a journey through time."""
    session = lbfgs_session(**changes)
    for steps in messages:
        session.advance(steps=steps)
    values = {name: value.copy() for name, value in session.run.model.parameters.items()}
    expected = fitted(session, 25).parameters
    assert all(np.array_equal(value, expected[name]) for name, value in values.items())
    session.travel(moment=0)
    session.advance(steps=25)
    assert all(np.array_equal(value, session.run.model.parameters[name]) for name, value in values.items())


def test_lbfgs_goes_on_from_a_dragged_weight_and_says_why_it_ends() -> None:
    session = lbfgs_session(regularizer="L2", lam=0.01)
    session.advance(steps=4)
    session.set_weight("W1", [0, 1], 3.0, final=True)
    before = session.frame()["measured"][0]
    assert session.advance(steps=3)["measured"][0] < before
    frame = session.advance(steps=1000)
    assert "L-BFGS has ended: no entry of the gradient is above 1e-08." in frame["stopped"]
    assert frame["step"] < 1000
    assert session.configure({"optimizer": "Adam"})["frame"]["stopped"] == ""
    assert session.advance(steps=2)["step"] == frame["step"] + 2


def test_lbfgs_keeps_a_bounded_number_of_iterates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workings.play.step_makers.NUMBERS_KEPT", 1)
    session = lbfgs_session()
    for _ in range(3):
        assert session.advance(steps=15)["stopped"] == ""
        assert len(session.run.steps.iterates) <= 21  # type: ignore[union-attr]


def test_lbfgs_is_walked_inspected_and_taken_along() -> None:
    session = Session(SMALL)
    assert session.configure({"optimizer": "LBFGS"})["settings"]["batch_size"] == 0
    session.advance(steps=3)
    outline = session.statement(index=0, unit=0)["outline"]
    assert [one["stage"] for one in outline].count("update") == 0
    assert all(session.statement(index=k, unit=0)["agrees"] for k in range(len(outline)))
    assert session.landscape("path")["limit"] is None
    assert "LBFGS(" in session.code("library")["text"]
    assert session.code("latex")["text"]
    assert session.doctor()["heading"]
    with pytest.raises(InputError, match="whose steps SciPy makes"):
        session.code("script")
    for changes in ({"batch_size": 10}, {"hidden": [{"units": 2, "dropout": 0.5}]}, {"hidden": [{"batch_norm": True}]}):
        with pytest.raises(InputError, match="all rows in each step"):
            session.configure(changes)
    assert session.advance(steps=1)["step"] == 4


NORMED = [{"units": 4}, {"units": 3, "dropout": 0.5}, {"units": 3, "batch_norm": True, "dropout": 0.3}]


def test_dropout_and_batch_norm_are_walked_dragged_and_travelled() -> None:
    """The third layer's mask is mask2, because dropouts are counted by themselves."""
    session = Session(Settings.from_json({"hidden": NORMED}, SMALL))
    session.advance(steps=4)
    count = len(session.statement(index=0, unit=0)["outline"])
    walked = [session.statement(index=k, unit=0) for k in range(count)]
    assert session.walk is not None
    values = dict(session.walk.runner.values)
    assert all(one["agrees"] for one in walked)
    assert sum(one["slope"] != "" for one in walked) >= 10
    assert {name: np.flatnonzero(values[f"mask{name}"][session.walk.row] == 0).tolist() for name in "12"} == walked[0][
        "off"
    ]
    assert [one["target"] for one in session.unit(3, 1)["statements"]][-1] == "a3_drop"
    later = weights(session.advance(steps=1))
    for name, value in session.run.model.parameters.items():
        assert np.array_equal(values[name], value)
    session.travel(moment=1)
    assert np.array_equal(weights(session.advance(steps=1))["gamma1"], later["gamma1"])
    found = session.set_weight("gamma1", [2], 1.5, final=True)["details"]
    assert found["value"] == 1.5
    assert found["slope"] == pytest.approx(found["gradient"], rel=1e-4, abs=1e-9)
    assert found["why"]["total"] == pytest.approx(found["gradient"], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("changes", [{"batch_size": 1}, {"batch_size": 27}, {"rows": 46, "batch_size": 31}])
def test_a_batch_of_one_row_is_refused_with_batch_norm(changes: dict[str, Any]) -> None:
    """Its running variance would be 0 / 0.  28 training rows in batches of 27 leave one row over."""
    session = Session(Settings.from_json({"hidden": NORMED}, SMALL))
    session.advance(steps=2)
    before = session.view()
    with pytest.raises(InputError, match="at least 2 rows in every batch"):
        session.configure(changes | {"regularizer": "L2"})
    assert session.view() == before
    assert not session.run.model.regularizers


def test_the_walk_shows_the_chosen_row() -> None:
    session = Session(Settings.from_json({"batch_size": 0}, SMALL))
    session.choose_row(17)
    shown = session.statement(index=0, unit=0)
    assert shown["index_shown"] == [17, 0]
    assert shown["value"] == session.run.model.trace(session.data.raw[:28], session.data.y[:28])["z1"][17, 0]


def test_units_and_loss_are_written_out() -> None:
    session = Session(SMALL)
    assert [one["target"] for one in session.unit(2, 1)["statements"]] == ["z2", "a2"]
    assert [one["target"] for one in session.loss()["statements"]] == ["p", "losses", "J"]
    assert session.loss()["target"] in session.data.classes


def test_time_travel_returns_to_the_same_numbers_and_goes_on_alike() -> None:
    session = Session(Settings.from_json({"hidden": [{"units": 3, "dropout": 0.2}]}, SMALL))
    for _ in range(6):
        session.advance(steps=2)
    later = weights(session.frame())
    back = session.travel(moment=2)
    assert (back["step"], back["latest"], back["moments"]) == (4, 12, 7)
    session.advance(steps=8)
    assert all(np.array_equal(later[name], value) for name, value in weights(session.frame()).items())
    assert [moment.step for moment in session.run.course] == [0, 2, 4, 12]  # another future


@pytest.mark.parametrize("optimizers", [("Adam", "SGD"), ("SGD", "Adam"), ("Momentum", "Adam"), ("Adam", "RMSProp")])
def test_time_travel_goes_on_with_another_optimizer(optimizers: tuple[str, str]) -> None:
    """The moment has the state of the first optimizer; what the second does not know is left behind."""
    session = Session(Settings.from_json({"optimizer": optimizers[0]}, SMALL))
    session.advance(steps=3)
    session.advance(steps=3)
    session.configure({"optimizer": optimizers[1]})
    assert session.advance(steps=1)["step"] == 7
    session.travel(moment=1)
    assert session.advance(steps=2)["step"] == 5
    assert set(session.run.state.values) == set(session.run.program.parameters) | set(session.run.program.states)


def test_the_course_stays_short() -> None:
    session = Session(SMALL)
    for _ in range(300):
        session.run.advance(1)
    steps = [moment.step for moment in session.run.course]
    assert len(steps) <= 240
    assert (steps[0], steps[-1]) == (0, 300)
    assert steps == sorted(set(steps))


def test_training_can_change_and_keeps_the_weights() -> None:
    session = Session(SMALL)
    session.advance(steps=5)
    before = session.run.model.theta.copy()
    session.configure({"optimizer": "SGD", "lr": 0.3, "regularizer": "L2", "batch_size": 0})
    assert np.array_equal(session.run.model.theta, before)
    assert session.run.state.step == 5
    session.configure({"hidden": [{"units": 5}]})
    assert session.run.state.step == 0


def test_divergence_stops_at_finite_weights() -> None:
    session = Session(Settings.from_json({"data": "plane", "optimizer": "SGD", "lr": 50, "hidden": []}, SMALL))
    frame = {}
    for _ in range(60):
        frame = session.advance(steps=20)
    assert "not finite" in frame["stopped"]
    assert np.isfinite(session.run.model.theta).all()
    assert session.reset()["frame"]["stopped"] == ""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": "moon"}, "moons"),
        ({"data": 7}, "name"),
        ({"lr": 0}, "lr"),
        ({"lr": "fast"}, "lr"),
        ({"hidden": [{"units": 1000}]}, "units"),
        ({"hidden": [{}] * (MOST_LAYERS + 1)}, "layers"),
        ({"hidden": [{"activation": "rellu"}]}, "relu"),
        ({"hidden": "three"}, "hidden"),
        ({"features": []}, "feature"),
        ({"features": ["sin"]}, "Did you mean"),
        ({"features": ["x3"]}, "x1"),
        ({"features": [1]}, "names"),
        ({"loss": "CrossEntropy", "data": "plane"}, "numbers"),
        ({"loss": "BinaryCrossEntropy", "data": "blobs"}, "CrossEntropy"),
        ({"rows": 1e9}, "rows"),
        ({"colour": "red"}, "setting"),
        ([], "object"),
    ],
)
def test_settings_that_cannot_be_are_refused_and_change_nothing(changes: Any, words: str) -> None:
    session = Session(SMALL)
    before = session.view()
    with pytest.raises(InputError, match=words):
        session.configure(changes)
    assert session.view() == before


def test_a_network_of_your_own_keeps_its_weights() -> None:
    X, y = moons(60, seed=1)
    labels = np.array(["no", "yes"])[y]
    net = Network([Dense(4, "relu"), Dense(1)], loss=BinaryCrossEntropy(), seed=3)
    net.fit(X, labels, optimizer=Adam(0.05), epochs=20)
    session = session_of(net, X, labels)
    assert np.array_equal(session.run.model.theta, net.theta)
    assert session.data.classes == ("no", "yes")
    assert session.frame()["measured"][0] == pytest.approx(net.objective(X, labels))
    before = net.theta.copy()
    session.advance(steps=5)
    assert np.array_equal(net.theta, before)
    assert np.array_equal(weights(session.reset()["frame"])["W1"], before[:8].reshape(2, 4).astype(np.float32))


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (Network([Dense(2, bias=False), Dense(1)], loss=SquaredError(), n_in=3), "bias=False"),
        (Network([Dense(1)], loss=SquaredError(half=True), n_in=3), "usual settings"),
        (Network([Dense(2), Dense(1)], loss=SquaredError(), n_in=2), "3 columns"),
    ],
)
def test_a_network_that_cannot_be_shown_is_refused(net: Network, words: str) -> None:
    with pytest.raises(InputError, match=words):
        session_of(net, np.eye(3), [1.0, 2.0, 3.0])


# -- data of your own, and images ------------------------------------------------------------

CSV = "age,city,bought\n" + "".join(f"{20 + k * k % 17},{'ab'[k % 2]},{'no' if k < 15 else 'yes'}\n" for k in range(30))


def as_base64(content: str | bytes) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


def test_a_table_becomes_data() -> None:
    pytest.importorskip("polars", reason="the extra 'cli' is not installed")
    session = Session(SMALL)
    asked = session.open_table(name="shop.csv", content=as_base64(CSV), target="", impute=False)
    assert asked == {"columns": ["age", "city", "bought"]}
    view = session.open_table(name="shop.csv", content=as_base64(CSV), target="bought", impute=False)
    assert view["data"]["columns"] == ["age", "city=a", "city=b"]
    assert view["data"]["classes"] == ["no", "yes"]
    assert view["network"]["inputs"] == ["age", "city=a", "city=b"]
    assert session.choose_axes(first=1, second=0)["data"]["axes"] == [1, 0]
    assert session.advance(steps=10)["step"] == 10
    assert session.configure({"features": ["age"]})["network"]["inputs"] == ["age"]


@pytest.mark.parametrize(
    ("name", "content", "target", "words"),
    [
        ("shop.csv", CSV, "boughtt", "Did you mean 'bought'"),
        ("shop.csv", "a,b\n,1\n2,3\n", "a", "no value"),
        ("shop.csv", "a,a\n1,2\n", "a", "shop.csv"),
        ("shop.csv", "", "a", "shop.csv"),
        ("shop.parquet", b"PAR1 nonsense", "a", "shop.parquet"),
        ("shop.xls", CSV, "bought", "ends in"),
        ("big.csv", "a,b\n" + "1,2\n2,3\n" * 11_000, "b", "22,000 rows"),
    ],
    ids=range(7),
)
def test_a_table_that_cannot_be_used_is_refused_as_everywhere(
    name: str, content: str | bytes, target: str, words: str
) -> None:
    pytest.importorskip("polars", reason="the extra 'cli' is not installed")
    session = Session(SMALL)
    before = session.view()
    with pytest.raises(WorkingsError, match=words) as refused:
        session.open_table(name=name, content=as_base64(content), target=target, impute=False)
    assert "/tmp" not in str(refused.value)
    assert session.view() == before


def test_markup_in_a_table_stays_text() -> None:
    """Names of columns and classes reach the page as JSON text, and equations do not contain them."""
    pytest.importorskip("polars", reason="the extra 'cli' is not installed")
    evil = "<img src=x onerror=alert(1)>"
    table = f"{evil},y\n" + "".join(f"{k},{evil if k % 2 else 'no'}\n" for k in range(20))
    session = Session(SMALL)
    view = session.open_table(name="evil.csv", content=as_base64(table), target="y", impute=False)
    assert view["data"]["columns"] == [evil]
    for found in (session.loss()["statements"], session.unit(1, 0)["statements"], [session.statement(0, 0)]):
        assert all("<img" not in one["equation"] + one["entry"] for one in found)


def test_the_page_gets_only_visible_characters() -> None:
    """Marks that reverse the direction of text, and escape sequences, become backslash escapes."""
    pl = pytest.importorskip("polars", reason="the extra 'cli' is not installed")
    names = ["a\u202eb", "c\x1b[31m", "\u200bd"]
    table = pl.DataFrame({"\u2066x": range(12), "y\u200f": range(12), "kind\u202e": names * 4}).write_csv()
    session = Session(SMALL)
    columns = session.open_table(name="t.csv", content=as_base64(table), target="", impute=False)["columns"]
    assert columns == ["\\u2066x", "y\\u200f", "kind\\u202e"]
    view = session.open_table(name="t.csv", content=as_base64(table), target=columns[2], impute=False)
    assert sorted(view["data"]["classes"]) == sorted(map(visible, names))
    shown = json.dumps([view, session.hello(), session.reset(), session.row_view()], ensure_ascii=False)
    assert visible(shown) == shown


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits"])
def test_tables_of_scikit_learn_are_learned(name: str) -> None:
    pytest.importorskip("sklearn", reason="the extra 'sklearn' is not installed")
    session = Session(Settings.from_json({"hidden": [{"units": 12, "activation": "relu"}]}))
    session.configure({"data": name})
    for _ in range(4):
        frame = session.advance(steps=50)
    assert frame["measured"][1] > (0.5 if name == "diabetes" else 0.9)
    assert (frame["maps"] is None) == (name == "digits")
    space: dict[str, Any] = {}
    exec(session.code(kind="library")["text"].replace("epochs=100", "epochs=1"), space)
    assert np.allclose(space["X"], session.data.inputs(session.data.raw), rtol=0, atol=1e-12)


def test_a_drawing_shows_the_activations_of_every_layer() -> None:
    pytest.importorskip("sklearn", reason="the extra 'sklearn' is not installed")
    session = Session(Settings.from_json({"hidden": [{"units": 5}, {"units": 3}]}))
    session.configure({"data": "digits"})
    drawing = np.random.default_rng(0).uniform(size=64)
    found = session.draw(pixels=drawing.tolist())
    trace = session.run.model.trace(drawing[None, :], [3.0])
    assert found["output"] == pytest.approx(trace["p"][0].tolist(), abs=1e-6)
    assert found["units"][1] == pytest.approx(trace["a2"][0].tolist(), abs=1e-6)
    assert session.draw(pixels=[])["pixels"] == session.data.raw[0].tolist()
    for pixels in ([0.0] * 63, [0.0] * 784):
        with pytest.raises(InputError, match="8×8"):
            session.draw(pixels=pixels)


def test_a_point_is_added_and_the_weights_stay() -> None:
    session = Session(SMALL)
    session.advance(steps=9)
    before = session.run.model.theta.copy()
    view = session.add_point(x=0.25, y=-0.5, target=1)
    assert (view["data"]["rows"], view["data"]["name"]) == (41, "your points")
    assert session.data.raw[0].tolist() == [0.25, -0.5]
    assert np.array_equal(session.run.model.theta, before)
    with pytest.raises(InputError, match="from 0 to 1"):
        session.add_point(x=0, y=0, target=2)


# -- comparison ------------------------------------------------------------------------------


def test_a_kept_network_goes_on_as_it_would_alone() -> None:
    session, alone = Session(SMALL), Session(SMALL)
    session.advance(steps=7)
    session.keep()
    session.configure({"lr": 0.5, "optimizer": "SGD"})
    frame = session.advance(steps=20)
    session.epoch()
    alone.advance(steps=7)
    alone.advance(steps=20)
    assert frame["other"]["measured"] == alone.frame()["measured"] != frame["measured"]
    assert frame["other"]["weights"] == alone.frame()["weights"]
    assert frame["other"]["maps"] == alone.frame()["maps"]
    assert session.travel(moment=0)["other"]["step"] == session.run.state.step == 0
    changed = session.advance(steps=5)
    view = session.swap()
    assert view["settings"] == SMALL.to_json() | {"hidden": view["settings"]["hidden"]}
    assert view["other"]["settings"]["lr"] == 0.5
    assert view["frame"]["other"]["weights"] == changed["weights"]
    assert session.end_comparison()["other"] is None
    with pytest.raises(InputError, match="No network is kept"):
        session.swap()


@pytest.mark.parametrize(
    "changes",
    [{"data": "blobs"}, {"data": "hills"}, {"rows": 90}, {"held_out": 0.5}, {"hidden": []}, {"features": ["x1"]}],
)
def test_both_networks_have_the_same_rows_and_one_clock(changes: dict[str, Any]) -> None:
    session = Session(SMALL)
    session.keep()
    session.advance(steps=6)
    session.configure({"hidden": [{"units": 2, "dropout": 0.2}]})
    session.configure(changes)
    assert session.other is not None
    frame = session.advance(steps=3)
    assert frame["step"] == frame["other"]["step"] == 3
    assert np.array_equal(session.data.raw, session.other.data.raw)
    assert len(session.other.settings.hidden) == 2
    if session.data.columns == ("x1", "x2"):
        session.add_point(x=0.0, y=0.0, target=1)
        assert len(session.other.data.y) == len(session.data.y)
        assert session.advance(steps=2)["other"]["step"] == 2
    before = session.view()
    with pytest.raises(InputError):
        session.configure({"batch_size": 1, "lr": -1})
    assert session.view() == before


# -- the landscape ---------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"data": "blobs", "regularizer": "L2"}, {"data": "hills", "held_out": 0}])
def test_the_landscape_has_the_numbers_of_the_library(changes: dict[str, Any]) -> None:
    session = Session(Settings.from_json({"optimizer": "SGD", "lr": 0.5, "batch_size": 0, **changes}, SMALL))
    for _ in range(6):
        session.advance(steps=4)
    before, rng = session.run.model.theta.copy(), session.run.model.rng.bit_generator.state
    found = session.landscape(directions="path")
    model, data = session.run.model, session.data
    X, y = data.inputs(data.raw)[: data.training], data.y[: data.training]
    assert found["J"] == model.objective(X, y)
    assert found["curvature"] == sharpness(model, X, y)
    assert (found["limit"], found["path"][-1]) == (4.0, [0.0, 0.0])
    losses = floats(found["losses"]).reshape(len(found["alphas"]), len(found["betas"]))
    here = found["alphas"].index(0.0), found["betas"].index(0.0)
    assert losses[here] == pytest.approx(found["J"], rel=1e-6)
    assert len(found["path"]) == len(session.run.course)
    thetas = np.array(
        [np.concatenate([m.values[name].ravel() for name in model.parameters]) for m in session.run.course]
    )
    shares = np.linalg.svd(thetas - thetas[-1], compute_uv=False) ** 2
    assert found["shares"] == pytest.approx(shares[:2] / shares.sum())
    random = session.landscape(directions="random")
    expected = loss_plane(model, X, y, steps=len(random["alphas"]))
    assert floats(random["losses"]) == pytest.approx(expected.losses.ravel(), rel=1e-5)
    assert np.array_equal(session.run.model.theta, before)
    assert session.run.model.rng.bit_generator.state == rng
    session.travel(moment=3)
    assert len(session.landscape(directions="path")["path"]) == 4


def test_a_landscape_without_a_path_or_with_dropout_says_so() -> None:
    session = Session(Settings.from_json({"hidden": NORMED}, SMALL))
    for directions, words in (("path", "no path yet"), ("north", "Unknown directions")):
        with pytest.raises(InputError, match=words):
            session.landscape(directions=directions)
    state = session.run.model.rng.bit_generator.state
    assert session.landscape(directions="random")["curvature"] is None  # the loss is random
    assert session.run.model.rng.bit_generator.state == state


# -- replays ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", ["moons", pytest.param("hills", marks=pytest.mark.slow), pytest.param("digits", marks=pytest.mark.slow)]
)
def test_a_replay_has_a_frame_for_each_moment(data: str) -> None:
    images = pytest.importorskip("PIL.Image", reason="the extra 'plots' is not installed")
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    session = Session(SMALL)
    session.configure({"data": data})
    with pytest.raises(InputError, match="nothing to replay"):
        session.replay(kind="gif")
    for _ in range(3):
        session.advance(steps=4)
    theta = session.run.model.theta.copy()
    (gif,) = session.replay(kind="gif")["files"]
    with images.open(io.BytesIO(base64.b64decode(gif["content"]))) as picture:
        assert (gif["name"], picture.n_frames) == ("replay.gif", 4)
    session.travel(moment=2)
    (page,) = session.replay(kind="html")["files"]
    text = base64.b64decode(page["content"]).decode()
    assert "step 8" in text
    assert "step 12" not in text  # the run up to the present moment
    assert not np.array_equal(session.run.model.theta, theta)
    with pytest.raises(InputError, match="Unknown kind of replay"):
        session.replay(kind="mov")


def test_a_long_replay_is_thinned() -> None:
    session = Session(SMALL)
    for _ in range(90):
        session.advance(steps=1)
    moments = chosen(session.run)
    assert len(moments) == MOST_FRAMES
    assert (moments[0].step, moments[-1].step) == (0, 90)


# -- advice, and taking along ----------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{}, {"optimizer": "SGD", "hidden": [{"units": 3, "dropout": 0.2, "batch_norm": True}]}]
)
def test_the_script_makes_the_next_steps_to_the_bit(changes: dict[str, Any]) -> None:
    session = Session(Settings.from_json(changes, SMALL))
    session.advance(steps=11)
    session.restart()
    before = session.run.model.theta.copy()
    space: dict[str, Any] = {}
    exec(session.code(kind="script")["text"], space)
    for _ in range(100):
        session.epoch()
    assert session.run.state.step == 300
    assert not np.array_equal(before, session.run.model.theta)
    for name, value in session.run.model.parameters.items():
        assert np.array_equal(space[name], value)


@pytest.mark.parametrize("changes", [{}, {"data": "blobs", "regularizer": "L1", "schedule": "cosine"}, {"held_out": 0}])
def test_the_library_code_trains_as_the_page_does(changes: dict[str, Any]) -> None:
    session = Session(Settings.from_json(changes, SMALL))
    for _ in range(100):
        session.epoch()
    space: dict[str, Any] = {}
    exec(session.code(kind="library")["text"].replace("epochs=100", "epochs=100, engine='reference'"), space)
    assert np.array_equal(space["net"].theta, session.run.model.theta)


def with_points(session: Session, folder: Path) -> dict[str, Any]:
    session.add_point(x=0.25, y=-0.5, target=1)
    session.configure({"features": ["x1", "x2", "x1x2"]})
    return {}


def with_chosen_columns(session: Session, folder: Path) -> dict[str, Any]:
    pytest.importorskip("sklearn", reason="the extra 'sklearn' is not installed")
    session.configure({"data": "iris", "features": list(session.sets.named("iris").columns[1:3])})
    return {}


def with_table(session: Session, folder: Path) -> dict[str, Any]:
    pl = pytest.importorskip("polars", reason="the extra 'cli' is not installed")
    rows = range(40)
    table = {"a": rows, "b": [k * k % 7 for k in rows], "kind": ["one", "two"] * 20, "size": [k % 11 for k in rows]}
    pl.DataFrame(table).write_csv(folder / "t.csv")
    content = as_base64((folder / "t.csv").read_text())
    session.open_table(name="t.csv", content=content, target="kind", impute=False)
    return {}


def with_arrays(session: Session, folder: Path) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((30, 2)), np.array(["no", "yes"] * 15)
    own = Session(own=data_of(X, y, True))
    own.configure({"features": ["x1", "x1²"], "held_out": 0.2})
    vars(session).update(vars(own))
    return {"X": X, "y": y}


@pytest.mark.parametrize("prepare", [with_points, with_chosen_columns, with_table, with_arrays])
def test_the_library_code_has_the_data_of_the_page(
    prepare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawn points, a part of the columns, a table, and arrays with features made of them."""
    monkeypatch.chdir(tmp_path)
    session = Session(SMALL)
    space = prepare(session, tmp_path)
    session.configure({"batch_size": 0})
    session.epoch()
    code = session.code(kind="library")["text"]
    exec(code.replace("epochs=100", "epochs=1, engine='reference'"), space)
    assert np.allclose(space["net"].theta, session.run.model.theta, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["safetensors", "json"])
def test_a_file_opens_with_the_same_numbers(kind: str) -> None:
    session = Session(Settings.from_json({"hidden": [{"units": 3, "activation": "relu", "batch_norm": True}]}, SMALL))
    session.advance(steps=20)
    (file,) = session.export(kind=kind)["files"]
    other = Session(SMALL)
    view = other.open_model(name=file["name"], content=file["content"])
    assert view["frame"]["measured"] == session.frame()["measured"]
    assert view["frame"]["maps"] == session.frame()["maps"]
    assert np.array_equal(other.run.model.theta, session.run.model.theta)


def test_files_that_cannot_be_opened_are_refused_and_change_nothing() -> None:
    session = Session(SMALL)
    (file,) = session.export(kind="json")["files"]
    before = session.view()
    session.configure({"features": ["x1", "x2", "x1x2"]})
    for name, content, words in (
        ("network.json", file["content"], "2 inputs"),
        ("network.pt", file["content"], "ends in"),
        ("network.json", "###", "base64"),
        ("network.json", "aGk=", "network.json|model.json"),
    ):
        with pytest.raises(WorkingsError, match=words):
            session.open_model(name=name, content=content)
    session.configure({"features": ["x1", "x2"]})
    assert session.view() == before
    session.configure({"data": "blobs"})
    with pytest.raises(InputError, match="one output"):
        session.open_model(name="network.json", content=file["content"])


def test_the_doctor_offers_a_change_that_helps() -> None:
    session = Session(Settings.from_json({"hidden": [{"units": 4, "activation": "identity"}]}, SMALL))
    session.advance(steps=50)
    (finding,) = session.doctor()["findings"]
    assert (finding["name"], finding["button"]) == ("no-bend", "Set the hidden layers to 4 tanh")
    session.configure(finding["change"])
    session.advance(steps=50)
    assert "no-bend" not in [one["name"] for one in session.doctor()["findings"]]


def test_the_doctor_says_what_it_checked() -> None:
    advice = Session(SMALL).doctor()
    assert (advice["heading"], advice["findings"]) == ("The checks found nothing.", [])
    assert "the data" in advice["checked"]


def test_a_statement_names_the_row_of_its_numbers() -> None:
    session = Session(Settings.from_json({"batch_size": 10}, SMALL))
    rows = np.asarray(session.run.training.X)
    shown = {}
    for row in range(len(rows)):
        session.choose_row(row)
        statement = session.statement(0, 0)
        X = np.asarray(session.run.peek()["X"])
        assert (X[statement["place"]] == rows[statement["row"]]).all()
        shown[row] = statement["row"]
    in_batch = {row for row in shown if (rows[row] == X).all(axis=1).any()}
    assert len(in_batch) == 10
    assert {row for row, found in shown.items() if row == found} == in_batch
    assert {found for row, found in shown.items() if row not in in_batch} <= in_batch


def test_every_remedy_gives_settings_that_can_be() -> None:
    for name, remedy in REMEDIES.items():
        for settings in (SMALL, Settings.from_json({"hidden": [], "regularizer": "L1"}, SMALL)):
            change = remedy(settings)
            assert Settings.from_json(change, settings), name
            assert words_of(change).startswith("Set the ")
        assert name in KINDS


# -- messages -------------------------------------------------------------------------------


def ask(session: Session, **message: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer(session, json.dumps(message)))
    return found


def test_messages_call_actions() -> None:
    session = Session(SMALL)
    assert ask(session, id=3, do="advance", steps=4)["reply"]["step"] == 4
    assert ask(session, id=3, do="advance", steps=4)["id"] == 3
    assert ask(session, id=4, do="hello")["reply"]["choices"]["activations"] == list(ACTIVATIONS)


@pytest.mark.parametrize(
    "message",
    [
        "", "[", "[]", "null", "7", '"text"', "{}", '{"do": 7}', '{"do": "run_everything"}', '{"do": "__init__"}',
        '{"do": "advance"}', '{"do": "advance", "steps": 1e99}', '{"do": "advance", "steps": NaN}',
        '{"do": "advance", "steps": -1}', '{"do": "advance", "steps": 10, "more": 1}',
        '{"do": "weight", "name": "W1", "index": [9, 9]}', '{"do": "weight", "name": "W9", "index": [0, 0]}',
        '{"do": "weight", "name": "W1", "index": [0]}', '{"do": "travel", "moment": 99}',
        '{"do": "statement", "index": 99999, "unit": 0}', '{"do": "statement", "index": 0, "unit": 0.5}',
        '{"do": "unit", "layer": 9, "unit": 0}', '{"do": "choose_row", "row": 5000}',
        '{"do": "set_weight", "name": "W1", "index": [0, 0], "value": Infinity, "final": true}',
        '{"do": "configure", "settings": {"lr": 1e400}}', "[" * 100_000, "9" * 10_000, b"\xff\xfe", "x" * (7 * 2**20),
    ],
    ids=range(29),
)  # fmt: skip
def test_a_wrong_message_gets_an_error_of_ours(message: str | bytes) -> None:
    session = Session(SMALL)
    found = json.loads(answer(session, message))
    assert len(found["error"]) < 1000
    assert OWN_MISTAKE not in found["error"]
    assert "reply" not in found


def test_a_mistake_of_the_playground_itself_does_not_end_the_tab(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session(SMALL)
    monkeypatch.setattr(session, "doctor", lambda: {}["nothing"])
    assert ask(session, id=1, do="doctor")["error"].startswith(OWN_MISTAKE)
    assert "KeyError" in caplog.text
    assert ask(session, id=2, do="frame")["reply"]["step"] == 0


def test_too_many_paths_are_counted_and_not_followed() -> None:
    session = Session(Settings.from_json({"hidden": [{"units": 8}] * 5}, SMALL))
    assert "4,096 paths" in session.weight("W1", [0, 0])["why"]["words"]
    assert session.weight("W5", [0, 0])["why"]["total"] == pytest.approx(session.weight("W5", [0, 0])["gradient"])


def random_value(rng: random.Random, depth: int = 0) -> Any:
    """A JSON value: hostile numbers and texts, names of the schema, and nested lists and objects of them."""
    simple = [None, True, False, 0, 1, -1, 3, 10**30, 0.5, -2.5, 1e300, "", "W1", "b1", "moons", "relu", "CrossEntropy",
              "<script>alert(1)</script>", "\x1b[31m", "ü" * 50, "../../etc/passwd", "x1", "Adam"]  # fmt: skip
    if depth > 2 or rng.random() < 0.7:
        return rng.choice(simple)
    if rng.random() < 0.5:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    keys = [*vars(SMALL), "units", "activation", "dropout", "batch_norm", "other"]
    return {rng.choice(keys): random_value(rng, depth + 1) for _ in range(rng.randrange(4))}


def random_message(rng: random.Random, actions: list[str]) -> str:
    name = rng.choice([*actions, "other"])
    fields = list(ACTIONS[name].fields) if name in ACTIONS else []
    message = {"id": rng.choice([1, "one", None]), "do": name}
    message |= {field: random_value(rng) for field in fields if rng.random() < 0.95}
    text = json.dumps(message)
    if rng.random() < 0.1:
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice(["", "{", "\\", "\0", "é"]) + text[place + 1 :]
    return text


def check_random_messages(count: int, seed: int, actions: list[str]) -> None:
    rng, session = random.Random(seed), Session(SMALL)
    refused = 0
    for _ in range(count):
        text = random_message(rng, actions)
        found = json.loads(answer(session, text))
        refused += "error" in found
        assert set(found) in ({"id", "reply"}, {"id", "error"}), text
        assert OWN_MISTAKE not in str(found.get("error")), text
    assert 0.3 * count < refused < count
    assert session.advance(steps=3)["step"] >= 3 or session.run.stopped


def test_random_messages_are_answered() -> None:
    check_random_messages(600, 0, [name for name in ACTIONS if name != "doctor"])  # which takes its time


@pytest.mark.slow
def test_ten_thousand_random_messages_are_answered() -> None:
    check_random_messages(10_000, 1, list(ACTIONS))
