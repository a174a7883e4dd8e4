"""Install the wheel and the sdist in empty environments, and check each: ``make matrix``.

The environments are each supported Python that is found, with NumPy alone and with each extra alone, in the newest
versions; and on the oldest Python the oldest versions that ``pyproject.toml`` allows.  A table of the results is
printed.  The extras torch, keras, bench and tables are left out because of their size.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("", "sklearn", "plots", "cli", "fast", "excel", "play", "jax", "cluster", "stream", "onnx", "all")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True)
class Environment:
    """What is installed with which Python."""

    python: str
    extra: str
    oldest: bool = False
    sdist: bool = False

    @property
    def label(self) -> str:
        """The environment in words."""
        what = f"workings[{self.extra}]" if self.extra else "workings"
        return f"{self.python:<5} {'oldest' if self.oldest else 'newest'}  {'sdist' if self.sdist else 'wheel'}  {what}"


def find_python(name: str) -> str | None:
    """Return the interpreter of a Python version: on the path, or installed by pyenv; None if there is none."""
    folders = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{name}.*/bin/python"))
    for found in (*map(str, folders), shutil.which(f"python{name}")):
        if found is not None and works(found):
            return found
    return None


def works(python: str) -> bool:
    """Whether an interpreter runs and can make environments."""
    done = subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False)
    return done.returncode == 0


def oldest_versions() -> list[str]:
    """Return the requirements with the oldest versions that pyproject.toml allows.

    >>> [line for line in oldest_versions() if line.startswith("numpy")]
    ['numpy==2.0']
    """
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return sorted({line.replace(">=", "==") for lines in lists for line in lines if re.match(r"[\w-]+>=", line)})


def environments(found: list[str]) -> Iterator[Environment]:
    """Return all environments for the Python versions that were found."""
    for python in found:
        yield from (Environment(python, extra) for extra in EXTRAS)
    yield Environment(found[0], "", sdist=True)
    yield from (Environment(found[0], extra, oldest=True) for extra in EXTRAS)


def build(folder: Path) -> dict[bool, Path]:
    """Build the wheel and the sdist; return their paths by whether it is the sdist."""
    tool = folder / "tool"
    run([sys.executable, "-m", "venv", str(tool)])
    python = str(tool / "bin" / "python")
    run([python, "-m", "pip", "install", "--quiet", *requirements_of_build()])
    run([python, "-m", "hatchling", "build", "-d", str(folder / "dist")])
    (wheel,), (sdist,) = (list((folder / "dist").glob(end)) for end in ("*.whl", "*.tar.gz"))
    return {False: wheel, True: sdist}


def requirements_of_build() -> list[str]:
    """Return the build requirements of pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(settings["build-system"]["requires"])


def run(command: list[str], **settings: object) -> None:
    """Run a command in the repository; raise an error with its output if it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def check(environment: Environment, built: dict[bool, Path], folder: Path) -> str:
    """Install into an empty environment and check it; return the result as one line."""
    place = Path(tempfile.mkdtemp(dir=folder))
    python = str(place / "bin" / "python")
    interpreter = find_python(environment.python) or sys.executable
    try:
        run([interpreter, "-m", "venv", str(place)])
        what = str(built[environment.sdist]) + (f"[{environment.extra}]" if environment.extra else "")
        limits: list[str] = []
        if environment.oldest:
            (place / "oldest.txt").write_text("\n".join(oldest_versions()), encoding="utf-8")
            limits = ["--constraint", str(place / "oldest.txt")]
        run([python, "-m", "pip", "install", "--quiet", "--prefer-binary", *limits, what])
        done = subprocess.run(
            [python, "-I", str(ROOT / "tools" / "installed_check.py")],
            cwd=place, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.strip() if done.returncode == 0 else f"FAILS: {done.stderr.strip()[-1500:]}"
    except RuntimeError as error:
        return f"FAILS: {error}"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def main() -> None:
    """Build, check all environments, and print a table; exit code 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythons", default=",".join(PYTHONS), help="Python versions, separated by commas")
    parser.add_argument("--only", choices=("all", "oldest", "newest"), default="all", help="versions of the packages")
    parser.add_argument("--extras", default=",".join(EXTRAS), help="extras, separated by commas; none for NumPy alone")
    options = parser.parse_args()
    names, extras = options.pythons.split(","), options.extras.replace("none", "").split(",")
    found = [name for name in names if find_python(name)]
    print(f"Python versions: {', '.join(found)}; not found: {', '.join(set(names) - set(found)) or 'none'}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        built = build(folder)
        for environment in environments(found):
            if options.only not in ("all", "oldest" if environment.oldest else "newest"):
                continue
            if environment.extra not in extras:
                continue
            result = check(environment, built, folder)
            failed += result.startswith("FAILS")
            print(f"{environment.label:<38} {result}", flush=True)
    print(f"{failed} failed")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
