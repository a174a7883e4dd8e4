"""Pages for readers are in plain English: no retired phrases, short lines and sentences, and paths that exist."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
)
# What we wrote once and do not write any more; upper and lower case and line breaks do not matter.
RETIRED = (
    "as if you had written every line yourself",
    "the textbook's letters",
    "coded rightly",
    "leaving, and arriving",
    "in place of scikit-learn's MLP",
    "takes it by itself",
    "is worth compiling",
    "worth it where the work",
    "## the map",
    "what all others stand on",
    "the doors",
    "what people need",
    "looking on",
    "looks on",
    "(wanted",
    "| wanted",
    "files from strangers",
    "makes each epoch a call by itself",
    "what is taken for what",
    "how often all rows are seen",
    "rows in a step; 0 for all",
    "where weights and orders come from",
    "activations shut",
    "the gradient behind the activation",
    "the activation's slope",
    "the price pulls",
    "moves a little towards",
    "have something done",
    "nobody has to look",
    "everything of a step is in one loop",
    "the ways out",
    "learns nothing of a training",
    "together.py",
    "aside.py",
    "separated.py",
    "sharing.py",
    "team.py",
    "showing.py",
    "whoever",
    "of late",
    "likelier",
    "by heart",
    "it is said that",
    "those who",
    "a training anew",
    "the bends of",
)
LONGEST_LINE = 120
README_LINES = 130
MEDIAN_WORDS = 16  # of the sentences of a page
MOST_LONG = 0.05  # of the sentences of a page, with more than 25 words
# The folders of the layout that the pages describe; its paths are checked as soon as they are there.
LAYOUT = ("support", "program", "lowering", "engines", "model", "training", "museum")
HAS_LAYOUT = all((ROOT / "workings" / name).is_dir() for name in LAYOUT)


def text_of(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


@functools.cache
def tool(name: str) -> ModuleType:
    """Import a file of the folder tools."""
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_no_retired_phrase(page: str) -> None:
    text = re.sub(r"\s+", " ", text_of(page)).lower()
    assert not [phrase for phrase in RETIRED if phrase.lower() in text]


def files_with_words() -> list[Path]:
    """The files of the package whose words people read: code, help texts, messages, lessons and pages."""
    endings = {".py", ".js", ".html", ".json", ".md"}
    return sorted(
        path for path in (ROOT / "workings").rglob("*") if path.suffix in endings and "vendor" not in path.parts
    )


@pytest.mark.parametrize("path", files_with_words(), ids=lambda path: path.stem)
def test_no_retired_phrase_in_the_code(path: Path) -> None:
    """Docstrings, comments and messages, too; names of files and table heads are for pages alone."""
    text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8")).lower()
    phrases = [phrase for phrase in RETIRED if not phrase.endswith((".py", "wanted"))]
    assert not [phrase for phrase in phrases if phrase.lower() in text]


def without_code(text: str) -> str:
    """Return a page without blocks of code, and without code in its lines."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("page", PAGES)
def test_no_line_is_long(page: str) -> None:
    """A row of a table and the output of code cannot be broken."""
    text = text_of(page)
    blocks = "\n".join(re.findall(r"^```.*?^```", text, flags=re.MULTILINE | re.DOTALL)).splitlines()
    lines = [line for line in text.splitlines() if not line.startswith("|") and line not in blocks]
    assert not [line for line in lines if len(line) > LONGEST_LINE]


def test_no_line_of_the_readme_is_long() -> None:
    assert not [line for line in text_of("README.md").splitlines() if len(line) > LONGEST_LINE]


def test_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) < README_LINES


@pytest.mark.parametrize("page", PAGES)
def test_sentences_are_short(page: str) -> None:
    sentences = tool("sentences")
    count, median, share = sentences.summary(text_of(page))
    assert count
    assert median < MEDIAN_WORDS
    assert share <= MOST_LONG, f"python tools/sentences.py --long {page}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Relative links name files, and their fragments name headings."""
    for target, fragment in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", without_code(text_of(page))):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            known = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert fragment in known


@pytest.mark.skipif(not HAS_LAYOUT, reason="the folders that the pages describe are not there yet")
@pytest.mark.parametrize("page", PAGES)
def test_paths_exist(page: str) -> None:
    paths = re.findall(r"`((?:workings|tests|docs|tools|examples)/[\w./-]+)`", text_of(page))
    assert not [path for path in paths if not (ROOT / path).exists()]


def definitions() -> set[str]:
    """The classes and functions of the package by name, and its methods as ``Class.method``."""
    found: set[str] = set()
    for path in (ROOT / "workings").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found.add(node.name)
    return found


def test_names_in_the_architecture_exist() -> None:
    """The page names classes, functions and methods without parentheses: `run_epoch`, `Network.fit`."""
    code = re.findall(
        r"`([A-Za-z]\w*(?:\.\w+)?)`", re.sub(r"^```.*?^```", "", text_of("docs/architecture.md"), flags=re.M | re.S)
    )
    names = [name for name in code if not name.endswith(".py") and name not in ("W1", "theta", "workings")]
    own = [name for name in names if not name.startswith(("history.", "net."))]
    assert own
    assert not set(own) - definitions() - {"lr", "y", "X"}


@pytest.mark.skipif(not HAS_LAYOUT, reason="the folders that README describes are not there yet")
def test_the_layout_in_the_readme_exists() -> None:
    tree = text_of("README.md").partition("```\nworkings/\n")[2].partition("```")[0]
    names = [word for line in tree.splitlines() for word in re.split(r" {2,}", line.lstrip("├└─ "))[0].split()]
    assert names
    assert not [name for name in names if not any((root / name).exists() for root in (ROOT, ROOT / "workings"))]


def test_the_citation_has_the_version_of_the_package() -> None:
    from workings import __version__

    assert f"\nversion: {__version__}\n" in text_of("CITATION.cff")


@pytest.mark.slow
@pytest.mark.parametrize("library", ["torch", "keras", "joblib"])
def test_the_glossary_names_what_exists(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    module = pytest.importorskip(library)
    importlib.import_module("torch.optim.lr_scheduler" if library == "torch" else library)
    names = re.findall(rf"\b{library}((?:\.\w+)+)", text_of("docs/glossary.md"))
    assert names
    for name in names:
        thing: Any = module
        for part in name.split(".")[1:]:
            assert hasattr(thing, part), f"{library}{name}"
            thing = getattr(thing, part)


def test_the_glossary_names_parameters_of_scikit_learn() -> None:
    MLPRegressor = pytest.importorskip("sklearn.neural_network").MLPRegressor
    known = {*MLPRegressor().get_params(), "sample_weight"}
    rows = [line.split("|")[2] for line in text_of("docs/glossary.md").splitlines() if line.count("|") == 5]
    used = re.findall(r"`(\w+)=", " ".join(rows))
    assert used
    assert set(used) <= known


def test_sentences_are_counted_as_said() -> None:
    sentences = tool("sentences")
    text = (
        "# A heading. Not counted.\n\nOne two three. Four `a.b c` six:\n\n```\nnot. this\n```\n"
        "- seven eight\n- [nine](x.md) ten? Yes!\n\n| not | this |\n|---|---|\n\nSee e.g. the end; it\nis 3.5 here.\n"
    )
    assert [sentences.words(sentence) for sentence in sentences.sentences(text)] == [3, 3, 2, 2, 1, 8]
    assert sentences.summary(text) == (6, 2.5, 0.0)
    assert sentences.summary("") == (0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("workings/activations.py", "tests/test_mathematics.py"),
        ("workings/network.py", "tests/test_network.py"),
        ("workings/readings/script/data_section.py", "tests/test_script.py"),
        ("workings/version.py", "tests/test_network.py"),
        ("tests/test_plots.py", "tests/test_plots.py"),
        ("docs/guide.md", "tests/test_language.py"),
    ],
)
def test_make_quick_selects_the_tests_of_a_change(path: str, expected: str) -> None:
    quick = tool("quick")
    assert expected in quick.selection([path])
    assert quick.ALWAYS in quick.selection([path])
