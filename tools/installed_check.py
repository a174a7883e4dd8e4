"""Check an installed Workings: one fit, one save and load, the command, and a clear error for each missing extra.

Run it with the interpreter of an environment, outside the repository.  It prints one line: the versions, or what fails.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import workings as w
from workings import datasets, files, plots, tables
from workings.errors import MissingExtraError

X = np.random.default_rng(0).normal(size=(60, 2))
y = (X[:, 0] > 0).astype(int)


def fitted(optimizer: object = None, **settings: object) -> w.Network:
    """Return a network after a short training."""
    net = w.Network([w.Dense(3, "tanh"), w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    net.fit(X, y, optimizer=optimizer or w.SGD(0.5), epochs=5, **settings)  # type: ignore[arg-type]
    return net


def estimator() -> object:
    """Fit an estimator."""
    from workings.sklearn import MLPClassifier

    return MLPClassifier((3,), max_iter=1000, random_state=0).fit(X, y)


def read_csv() -> object:
    """Read a table."""
    Path("t.csv").write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    return tables.read_table("t.csv")


def read_excel() -> object:
    """Read the smallest Excel file that there is."""
    schemas = "http://schemas.openxmlformats.org"
    related = f"{schemas}/officeDocument/2006/relationships"
    sheets = f'xmlns="{schemas}/spreadsheetml/2006/main" xmlns:r="{related}"'

    def relation(kind: str, target: str) -> str:
        head = f'<Relationships xmlns="{schemas}/package/2006/relationships">'
        return f'{head}<Relationship Id="r1" Type="{related}/{kind}" Target="{target}"/></Relationships>'

    parts = {
        "_rels/.rels": relation("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook {sheets}><sheets><sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relation("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f'<worksheet {sheets}><sheetData><row r="1">'
        '<c r="A1" t="inlineStr"><is><t>a</t></is></c></row><row r="2"><c r="A2"><v>3</v></c></row>'
        "</sheetData></worksheet>",
    }
    with zipfile.ZipFile("t.xlsx", "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return tables.read_table("t.xlsx")


def stream() -> object:
    """Train on a table on disk."""
    if find_spec("pyarrow") is not None:
        import pyarrow as arrow
        from pyarrow import parquet

        parquet.write_table(arrow.table({"a": X[:, 0], "b": X[:, 1], "kind": y}), "t.parquet")
    data = tables.stream("t.parquet", "kind")
    net = w.Network([w.Dense(2)], loss=w.CrossEntropy(), seed=0)
    net.fit(data.X, data.y, optimizer=w.SGD(0.1), epochs=2, batch_size=20)
    return net


def workers_of_dask() -> None:
    """Train with workers of Dask, if it is installed; without it there is nothing to call."""
    if find_spec("distributed") is None:
        return
    from distributed import Client

    with Client(processes=False, n_workers=1, dashboard_address=None) as client:
        fitted(batch_size=20, workers=w.Workers(client))


def playground() -> object:
    """Make the server of the playground, and close its socket."""
    from workings.play.server import Playground

    made = Playground()
    made.socket.close()
    return made


# The extra, the package that shows that it is installed, and something that needs it.
FEATURES: tuple[tuple[str, str, Callable[[], object]], ...] = (
    ("sklearn", "sklearn", estimator),
    ("sklearn", "sklearn", datasets.digits),
    ("sklearn", "scipy", lambda: fitted(w.LBFGS(), batch_size=None)),  # other extras install SciPy, too
    ("plots", "matplotlib", lambda: plots.png(plots.boundary(fitted(), X, y, steps=9))),
    ("cli", "polars", read_csv),
    ("excel", "fastexcel", read_excel),
    ("stream", "pyarrow", stream),
    ("play", "uvicorn", playground),
    ("fast", "llvmlite", lambda: fitted(engine="compiled")),
    ("jax", "jax", lambda: fitted(engine="jax")),
    ("onnx", "onnx", lambda: files.save(fitted(), "m.onnx")),
    ("onnx", "onnx", lambda: files.load("m.onnx")),
    ("torch", "torch", lambda: files.save(fitted(), "m.pt")),
    ("keras", "keras", lambda: files.save(fitted(), "m.keras")),
)


def check_core() -> None:
    """Fit, save and load a network."""
    net = fitted()
    net.save("m.safetensors")
    assert (w.Network.load("m.safetensors").predict_proba(X) == net.predict_proba(X)).all()
    assert net.script()
    assert files.save(net, "m.json")


def check_feature(extra: str, package: str, feature: Callable[[], object]) -> None:
    """Run a feature that needs an extra; without the package, there must be one line that names the extra."""
    if find_spec(package) is not None:
        feature()
        return
    message = ""
    try:
        feature()
    except MissingExtraError as error:
        message = str(error)
    assert len(message.splitlines()) == 1, (extra, message)
    assert f"[{extra}]" in message, (extra, message)


def check_command() -> None:
    """Run the command: its version, and a summary, or one line that names the extra."""
    run = subprocess.run(
        [sys.executable, "-I", "-m", "workings", "--version"], capture_output=True, text=True, check=False
    )
    assert run.stdout == f"workings {w.__version__}\n", (run.stdout, run.stderr)
    run = subprocess.run(
        [sys.executable, "-I", "-m", "workings", "summary", "m.safetensors"], capture_output=True, text=True,
        encoding="utf-8", check=False,
    )  # fmt: skip
    if find_spec("typer") is None or find_spec("rich") is None:
        assert run.returncode == 1, run
        assert len(run.stderr.splitlines()) == 1, run.stderr
        assert "[cli]" in run.stderr, run.stderr
    else:
        assert run.returncode == 0, run.stderr
        assert "parameters" in run.stdout, run.stdout


def main() -> None:
    """Run all checks in a temporary folder."""
    import os

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        check_core()
        check_command()
        for extra, package, feature in FEATURES:
            check_feature(extra, package, feature)
        workers_of_dask()
        os.chdir("/")
    print(f"Python {sys.version.split()[0]}, NumPy {version('numpy')}: ok")


if __name__ == "__main__":
    main()
