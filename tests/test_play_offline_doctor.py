"""The doctor without a server: the checks in JavaScript find what those in Python find, word for word."""

from __future__ import annotations

import ast
import base64
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_play_offline import csv_of, site_in
from workings.errors import NotCompilableError
from workings.play.advice import advice_on
from workings.play.offline.translation import ModuleTranslation, Thing, Writer
from workings.play.session import Session

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")

RELU = {"units": 8, "activation": "relu"}
DEEP = [{"units": 8, "activation": "sigmoid"}] * 6
PLAIN = {"optimizer": "SGD", "batch_size": 0}
# name: settings and steps
RUNS: dict[str, tuple[dict[str, Any], int]] = {
    "right, before its first step": ({"rows": 100}, 0),
    "right": ({"rows": 100}, 300),
    "right, three classes": ({"data": "blobs", "rows": 120}, 200),
    "right, numbers": ({"data": "plane", "rows": 100}, 200),
    "right, softmax": ({"data": "circles", "rows": 100, "loss": "CrossEntropy"}, 300),
    "no hidden layer before the first step": ({"rows": 100, "hidden": []}, 0),
    "no activation": ({"rows": 100, "hidden": [{"units": 4, "activation": "identity"}] * 2}, 100),
    "vanishing gradient": ({**PLAIN, "rows": 100, "hidden": DEEP, "lr": 0.1}, 0),
    "deep, trained": ({**PLAIN, "rows": 100, "hidden": DEEP, "lr": 0.1}, 100),
    "rate too large": ({**PLAIN, "rows": 100, "lr": 30.0}, 100),
    "large rate at first": ({**PLAIN, "rows": 100, "lr": 90.0, "hidden": [RELU, RELU]}, 0),
    "rate too small": ({**PLAIN, "rows": 100, "lr": 1e-6}, 0),
    "numbers that overflow": ({**PLAIN, "rows": 100, "lr": 1.5, "data": "plane"}, 150),
    "oscillation": ({**PLAIN, "rows": 100, "lr": 3.0, "hidden": [RELU, RELU]}, 100),
    "strong penalty": ({"rows": 100, "regularizer": "L2", "lam": 3.0}, 200),
    "strong dropout": ({"rows": 100, "hidden": [{"units": 6, "activation": "relu", "dropout": 0.85}]}, 30),
    "small batches": ({"rows": 90, "hidden": [{"units": 6, "batch_norm": True}], "batch_size": 3}, 30),
    "one unit": ({"rows": 40, "noise": 0.0, "data": "spirals", "hidden": [{"units": 1}] * 2}, 0),
    "many parameters": ({"rows": 30, "held_out": 0, "hidden": [{"units": 32}] * 2}, 30),
    "schedule": ({"rows": 100, "optimizer": "Momentum", "schedule": "cosine", "schedule_steps": 100, "lr": 0.5}, 50),
}  # fmt: skip
EDGE = {**PLAIN, "data": "plane", "rows": 60, "lr": 0.6, "hidden": [{"units": 3}]}
TRIALS = {  # these train networks with random weights, which are other ones in JavaScript
    "no hidden layer": ({"data": "xor", "rows": 100, "hidden": [], "optimizer": "SGD"}, 100),
}
SIZES = np.random.default_rng(3)


def tables() -> dict[str, dict[str, list[Any]]]:
    """Return tables, each with a mistake in its data; ``y`` is the target."""
    n = 120
    a, b = SIZES.normal(size=(2, n)).round(4)
    y = (a + b > 0).astype(int)
    rare = (np.arange(n) % 30 == 0).astype(int)
    noisy = np.where(np.arange(n) % 9 == 0, 1 - (a > 0), a > 0).astype(int)
    twice = {name: [*values[:60], *values[:60]] for name, values in (("a", a), ("b", b), ("y", y))}
    found: dict[str, dict[str, Any]] = {
        "an identifier": {"number": SIZES.permutation(n) + 1000, "a": a, "b": b, "y": y},
        "a leak": {"a": a, "b": b, "later": (2 * y + 1 + 0.01 * b).round(4), "y": y},
        "a code for missing values": {"a": np.where(np.arange(n) % 12 == 0, -999, a), "b": b, "y": y},
        "rows that occur twice": twice,
        "a rare class": {"a": a + 2 * rare, "b": b, "y": rare},
        "wrong labels": {"a": (a + 4 * (a > 0)).round(4), "b": b, "y": noisy},
        "labels of chance": {"a": a, "b": b, "y": SIZES.integers(0, 2, n)},
        "skewed targets": {"a": a, "b": b, "y": np.exp(2 * a + b).round(4)},
        "numbers of classes": {"a": a, "b": b, "y": np.digitize(a, [-0.5, 0.5]) * 0.5 + 0.25},
    }
    return {name: {k: np.asarray(v).tolist() for k, v in columns.items()} for name, columns in found.items()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_in(tmp_path_factory.mktemp("site"))


CODE = """
import fs from "fs";
import * as np from "./arrays.js";
import { loadData } from "./data.js";
import { Session } from "./session.js";
import { adviceOn } from "./doctor-session.js";
const read = (value) => (value === null ? NaN : Number(value));
for (const one of JSON.parse(fs.readFileSync(0))) {
  await loadData(one.settings.data ?? "moons");
  const session = new Session(one.table ? undefined : one.settings);
  if (one.table) {
    await session.open_table({ name: "t.csv", content: one.table, target: "y", impute: false });
    await session.configure({ settings: one.settings });
  }
  const { run } = session, rows = ([X, y]) => ({ X: np.array(X), y: np.array(y) });
  Object.assign(run, { rows: rows(one.rows), held: one.held && rows(one.held) });
  const values = { ...run.values, ...Object.fromEntries(Object.entries(one.values).map(([k, v]) => [k, np.array(v)])) };
  run.values = values;
  if (one.is_fresh) run.birth.values = values;
  run.course = one.course.map((measured) => ({ measured: measured.map(read) }));
  const { heading, findings, checked } = adviceOn(run, session.settings, one.most ?? Infinity);
  console.log(JSON.stringify({ heading, findings, checked }));
}"""


def state_of(session: Session) -> dict[str, Any]:
    """Return what the doctor sees of a session."""
    run = session.run
    values = {**run.model.parameters, **run.model.statistics}
    return {
        "rows": [run.training.X.tolist(), run.training.y.tolist()],
        "held": None if run.validation is None else [run.validation.X.tolist(), run.validation.y.tolist()],
        "values": {name: value.tolist() for name, value in values.items()},
        "course": [
            [None if np.isnan(x) else str(x).replace("inf", "Infinity") for x in m.measured] for m in run.course
        ],
        "is_fresh": run.model.is_fresh,
    }


def trained(settings: Mapping[str, Any], steps: int, session: Session | None = None) -> Session:
    """Return a session after some steps, in moments of ten steps."""
    session = session or Session()
    session.configure(dict(settings))
    while session.run.state.step < steps and not session.run.stopped:
        session.advance(10)
    return session


def both_doctors(site: Path, sessions: list[tuple[dict[str, Any], Session]]) -> list[tuple[Any, Any]]:
    """Return what the doctor finds in Python and in JavaScript."""
    given = [{**before, **state_of(session)} for before, session in sessions]
    (site / "doctor-test.js").write_text(CODE)
    assert NODE is not None
    done = subprocess.run(
        [NODE, "doctor-test.js"], cwd=site, input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    expected = [json.loads(json.dumps(advice_on(s.run, s.data, s.settings))) for _, s in sessions]
    return list(zip(expected, found, strict=True))


def differences(expected: Any, found: Any) -> list[tuple[Any, Any]]:
    """Return the lines in which two answers differ."""
    if expected == found:  # numbers may be written in two ways
        return []
    lines = [json.dumps(one, indent=1, ensure_ascii=False).splitlines() for one in (expected, found)]
    return [pair for pair in zip_longest(*lines) if pair[0] != pair[1]]


def test_the_doctor_finds_what_it_finds_in_python(site):
    sessions = [trained(*case) for case in RUNS.values()]
    pairs = both_doctors(site, [({"settings": s.settings.to_json()}, s) for s in sessions])
    for name, (expected, found) in zip(RUNS, pairs, strict=True):
        assert differences(expected, found) == [], name
    names = {finding["name"] for expected, _ in pairs for finding in expected["findings"]}
    assert len(names) >= 10, names


@pytest.mark.slow
def test_the_edge_of_stability_is_that_of_python(site):
    session = trained(EDGE, 0)
    session.advance(300)
    for _ in range(130):  # each step is a moment of the course
        session.advance(1)
    given = {"settings": session.settings.to_json()}
    (expected, found), (_, hasty) = both_doctors(site, [(given, session), ({**given, "most": 0}, session)])
    ((wanted,), (told,)) = expected["findings"], found["findings"]
    assert wanted["name"] == told["name"] == "edge-of-stability"
    assert wanted["change"] == told["change"]
    assert hasty["findings"] == []
    assert hasty["checked"][:-1] == found["checked"]
    assert "edge of stability" in hasty["checked"][-1]
    # the way on to the minimum is chaotic at first, so it depends on rounding where it ends
    assert wanted["measured"].split(" With a smaller rate")[0] == told["measured"].split(" With a smaller rate")[0]


def test_trials_with_random_weights_lead_to_the_same_finding(site):
    session = trained(*TRIALS["no hidden layer"])
    ((expected, found),) = both_doctors(site, [({"settings": session.settings.to_json()}, session)])
    for wanted, told in zip(expected["findings"], found["findings"], strict=True):
        assert without_numbers(wanted) == without_numbers(told)


def without_numbers(finding: dict[str, Any]) -> str:
    """Return a finding as text without its numbers."""
    return re.sub(r"\d+(\.\d+)?", "0", json.dumps(finding))


def test_the_doctor_finds_mistakes_in_tables(site):
    known, cases = tables(), []
    for columns in known.values():
        content = base64.b64encode(csv_of(columns).encode()).decode()
        session = Session()
        session.open_table("t.csv", content, "y", False)
        trained({"rows": 100}, 100, session)
        cases.append(({"table": content, "settings": {"rows": 100}}, session))
    pairs = both_doctors(site, cases)
    for name, (expected, found) in zip(known, pairs, strict=True):
        assert differences(expected, found) == [], name
    names = {finding["name"] for expected, _ in pairs for finding in expected["findings"]}
    assert len(names) >= 5, names


# -- the rules of Python in JavaScript ---------------------------------------------------------


def in_node(site: Path, code: str, given: object) -> Any:
    """Return the ``result`` of code that gets values as ``given``."""
    imports = 'import fs from "fs";\nimport * as np from "./arrays.js";\nimport * as more from "./more-arrays.js";\n'
    imports += 'import * as $ from "./python.js";\nconst given = JSON.parse(fs.readFileSync(0));\nlet result;\n'
    (site / "rules-test.js").write_text(f"{imports}{code}\nconsole.log(JSON.stringify(result));\n")
    assert NODE is not None
    done = subprocess.run(
        [NODE, "rules-test.js"], cwd=site, input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_numbers_are_formatted_as_in_python(site):
    rng = np.random.default_rng(0)
    numbers = [*(rng.normal(size=150) * 10.0 ** rng.integers(-12, 18, 150)), 0.0, 0.5, 1.5, 2.5, 1e-5, 123456.0, 1e16]
    cases = [
        (float(x), spec) for x in numbers for spec in (".4g", "g", ".3g", ".2g", ".6g", ".3f", ".0%", ".1%", ".1e")
    ]
    cases += [(int(k), spec) for k in (0, 1, 999, 1000, 1234567) for spec in (",", "")]
    found = in_node(site, "result = given.map(([value, spec]) => $.format(value, spec));", cases)
    assert [one for one in zip(cases, found, strict=True) if format(one[0][0], one[0][1]) != one[1]] == []


@pytest.mark.parametrize("seed", [0, 1])
def test_random_orders_are_those_of_numpy(seed, site):
    code = "const rng = more.random.default_rng(given[0]);\n"
    code += "result = given[1].map((n) => Array.from(rng.permutation(n).data));"
    sizes, rng = [1, 2, 5, 100, 700], np.random.default_rng(seed)
    assert in_node(site, code, [seed, sizes]) == [rng.permutation(n).tolist() for n in sizes]


def test_arrays_follow_the_rules_of_numpy(site):
    X = np.random.default_rng(1).normal(size=(30, 4)).round(1)
    X[:, 3] = X[:, 0] + X[:, 1]
    code = """
    const X = np.array(given), column = np.column(X, 0), [U, sizes] = more.linalg.svd(X), ten = $.slice(null, 10, null);
    const numbers = (one) => np.tolist(one);
    result = [
      numbers(more.unique(column)), numbers(more.unique(column, $.named({ return_inverse: true }))[1]),
      numbers(more.argsort(column)), more.median(column), numbers(more.median(X, $.named({ axis: 0 }))),
      numbers(more.ptp(X, $.named({ axis: 0 }))), numbers(more.diff(column)), numbers($.item(X, $.places(ten, 1))),
      numbers($.item(X, np.greater(column, 0))), numbers($.item(X, ten)),
      more.corrcoef(column, np.column(X, 1)).data[1],
      numbers(more.delete_(X, 1, $.named({ axis: 1 }))), numbers(sizes), numbers(np.matmul(U, np.transpose(U))),
    ];"""
    column, sizes = X[:, 0], np.linalg.svd(X, compute_uv=False)
    basis = np.linalg.svd(X, full_matrices=False)[0][:, :3]
    expected = [
        np.unique(column), np.unique(column, return_inverse=True)[1], np.argsort(column, kind="stable"),
        np.median(column), np.median(X, axis=0), np.ptp(X, axis=0), np.diff(column), X[:10, 1], X[column > 0], X[:10],
        np.corrcoef(column, X[:, 1])[0, 1], np.delete(X, 1, axis=1), sizes,
    ]  # fmt: skip
    *found, projection = in_node(site, code, X.tolist())
    for one, wanted in zip(found, expected, strict=True):
        assert np.asarray(one) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert np.linalg.matrix_rank(np.asarray(projection), tol=0.5) in (3, 4)  # the last column is the sum of two
    assert np.asarray(projection) @ basis == pytest.approx(basis, abs=1e-9)


def test_what_has_no_counterpart_is_refused_by_name():
    with pytest.raises(NotCompilableError, match=r"workings\.program\.step\.step_program has no counterpart"):
        ModuleTranslation(("workings.checks.",), {}).add(Thing("workings.program.step", "step_program"))
    with pytest.raises(NotCompilableError, match="JavaScript cannot take"):
        ModuleTranslation(("workings.",), {}).add(Thing("workings.support.atomic_files", "write_bytes"))


@pytest.mark.parametrize(
    "code",
    [
        "def f(*values): return 1",
        "@staticmethod\ndef f(): return 1",
        "def f():\n    with suppress(ValueError): return 1",
        "def f():\n    try: return 1\n    except KeyError: return 2\n    finally: g()",
        "def f():\n    try: g()\n    except KeyError: return 2\n    else: return 3",
        "def f(): return lambda x=1: x",
        "def f(): return lambda *x: x",
        "def f():\n    a[0] = b = 1",
        "def f():\n    for i in range(3): pass\n    else: return 1",
        "def f(): return 1j",
    ],
)
def test_what_would_be_left_out_is_refused(code: str) -> None:
    node = ast.parse(code).body[0]
    assert isinstance(node, ast.FunctionDef)
    with pytest.raises(NotCompilableError, match="JavaScript cannot take"):
        Writer(ModuleTranslation((), {}), "workings.checks.data", "f", {"g", "a", "suppress"}).function(node, "f")


def test_a_value_for_several_names_is_computed_once() -> None:
    node = ast.parse("def f(g):\n    a = b = g()\n    return a, b").body[0]
    assert isinstance(node, ast.FunctionDef)
    lines = Writer(ModuleTranslation((), {}), "workings.checks.data", "f").function(node, "f")
    assert [line.strip() for line in lines[2:4]] == ["a = g();", "b = a;"]
