"""Data: the same as scikit-learn's, the sample balanced and small, and damaged files refused."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from workings import datasets
from workings.errors import FileError, InputError, MissingExtraError

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = Path(datasets.__file__).with_name("data")
TOYS = [datasets.moons, datasets.circles, datasets.spirals]


def the_full_set() -> Path:
    """Find a real full MNIST: where WORKINGS_DATA says, or beside the repository."""
    for folder in (os.environ.get("WORKINGS_DATA"), ROOT.parent / "shared" / "mnist"):
        if folder and not datasets.missing_files(Path(folder)):
            return Path(folder)
    pytest.skip("the full MNIST is not here: set WORKINGS_DATA to a folder with its four IDX files")


def write_set(folder: Path, train: int, test: int, side: int = 28, top_label: int = 9) -> Path:
    """Write four IDX files of black images."""
    for name, count in zip(datasets.MNIST_FILES, (train, train, test, test), strict=True):
        shape = (count, side, side) if "images" in name else (count,)
        values = (
            np.zeros(shape, np.uint8) if "images" in name else (np.arange(count) % (top_label + 1)).astype(np.uint8)
        )
        datasets.write_idx(folder / f"{name}.gz", values)
    return folder


def kaggle_file(folder: Path, *rows: str, header: list[str] | None = None) -> Path:
    path = folder / "train.csv"
    path.write_text("\n".join([",".join(header or ["label", *datasets.PIXELS]), *rows, ""]))
    return path


def line(label: object, *pixels: object) -> str:
    """Give one line of Kaggle's file; the pixels that are not named are 0."""
    return ",".join(map(str, [label, *pixels, *[0] * (784 - len(pixels))]))


# The toys


def test_xor_is_true_where_the_first_two_columns_differ():
    X, y = datasets.xor()
    assert X.shape == (4, 3)
    assert (X[:, 2] == 1).all()
    assert (y == (X[:, 0] != X[:, 1])).all()


@pytest.mark.parametrize("n", [2, 3, 7, 100, 200, 1001])
@pytest.mark.parametrize("noise", [0.0, 0.1, 0.2, 1.5])
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_moons_and_circles_are_those_of_scikit_learn_bit_for_bit(n, noise, seed):
    X, y = datasets.moons(n, noise=noise, seed=seed)
    theirs = sklearn.datasets.make_moons(n, noise=noise, random_state=np.random.RandomState(seed))
    np.testing.assert_array_equal(X, theirs[0])
    np.testing.assert_array_equal(y, theirs[1])
    X, y = datasets.circles(n, noise=noise, factor=0.3, seed=seed)
    theirs = sklearn.datasets.make_circles(n, noise=noise, factor=0.3, random_state=np.random.RandomState(seed))
    np.testing.assert_array_equal(X, theirs[0])
    np.testing.assert_array_equal(y, theirs[1])


@pytest.mark.parametrize("maker", TOYS)
def test_a_source_of_random_numbers_is_drawn_from_and_moves_on(maker):
    state = np.random.RandomState(3)
    first, second = maker(50, seed=state), maker(50, seed=state)
    np.testing.assert_array_equal(first[0], maker(50, seed=3)[0])
    assert not np.array_equal(first[0], second[0])
    generators = [maker(50, seed=np.random.default_rng(3))[0] for _ in range(2)]
    np.testing.assert_array_equal(*generators)
    assert not np.array_equal(generators[0], first[0])


@pytest.mark.parametrize("maker", TOYS)
def test_toys_leave_the_global_random_state_alone(maker):
    before = np.random.get_state()[1].copy()
    X, y = maker(101)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert X.shape == (101, 2)
    assert np.bincount(y).tolist() == [50, 51]
    assert (X.dtype, y.dtype) == (np.float64, np.int64)


def test_spiral_arms_are_each_other_turned_by_half_a_circle():
    X, y = datasets.spirals(400, noise=0, turns=2)
    arms = [arm[np.argsort(np.linalg.norm(arm, axis=1))] for arm in (X[y == 0], X[y == 1])]
    np.testing.assert_allclose(arms[0], -arms[1], atol=1e-12)
    angle = np.unwrap(np.arctan2(arms[0][:, 1], arms[0][:, 0]))
    assert angle[-1] - angle[0] == pytest.approx(0.9 * 2 * 2 * np.pi)
    steps = np.linalg.norm(np.diff(arms[0], axis=0), axis=1)
    assert steps.max() < 1.25 * steps.min()


@pytest.mark.parametrize(
    ("maker", "arguments", "message"),
    [
        (datasets.moons, {"n": 1}, "whole number from 2"),
        (datasets.moons, {"n": 10.0}, r"10.0 \(float\)"),
        (datasets.moons, {"noise": -0.1}, "standard deviation"),
        (datasets.moons, {"noise": float("nan")}, "standard deviation"),
        (datasets.moons, {"seed": 2**32}, r"2\*\*32 - 1"),
        (datasets.moons, {"seed": None}, "None"),
        (datasets.moons, {"seed": "0"}, "'0'"),
        (datasets.circles, {"factor": 1.0}, "radius"),
        (datasets.spirals, {"turns": 0}, "turns"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(maker, arguments, message):
    with pytest.raises(InputError, match=message):
        maker(**arguments)


def test_digits_are_scikit_learns():
    X, y = datasets.digits()
    theirs = sklearn.datasets.load_digits()
    np.testing.assert_array_equal(X, theirs.data)
    np.testing.assert_array_equal(y, theirs.target)
    assert (X.dtype, y.dtype, X.min(), X.max()) == (np.float64, np.int64, 0, 16)


def test_every_data_set_in_the_registry_gives_rows_and_as_many_targets():
    assert set(datasets.DATASETS) == {"xor", "moons", "circles", "spirals", "digits"}
    for maker in datasets.DATASETS.values():
        X, y = maker()
        assert X.ndim == 2
        assert y.shape == (len(X),)


@pytest.mark.parametrize("call", [datasets.digits, lambda: datasets.mnist("full", fetch=True)])
def test_without_scikit_learn_the_extra_is_named(monkeypatch, call):
    monkeypatch.delenv("WORKINGS_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[sklearn\]'"):
        call()


# MNIST


def test_the_sample_is_balanced_and_small(monkeypatch):
    monkeypatch.delenv("WORKINGS_DATA", raising=False)
    data = datasets.mnist()
    assert not data.full
    assert "7,500 + 1,700" in data.source
    assert data.X_train.shape == (7500, 784)
    assert data.X_test.shape == (1700, 784)
    assert {data.X_train.dtype, data.X_test.dtype} == {np.dtype(np.uint8)}
    assert {data.y_train.dtype, data.y_test.dtype} == {np.dtype(np.int64)}
    assert np.bincount(data.y_train).tolist() == [750] * 10
    assert np.bincount(data.y_test).tolist() == [170] * 10
    assert np.abs(np.diff(data.y_train)).mean() > 2  # shuffled: in sorted order this would be nearly 0
    assert sum(file.stat().st_size for file in SAMPLE.iterdir()) <= 1_500_000


def test_no_image_of_the_sample_occurs_twice():
    data = datasets.mnist("sample")
    images = {image.tobytes() for image in np.vstack([data.X_train, data.X_test])}
    assert len(images) == 7500 + 1700


def test_the_licence_of_the_sample_lies_beside_it():
    text = (SAMPLE / "LICENSE-MNIST.txt").read_text()
    for words in ("LeCun", "Cortes", "Burges", "https://creativecommons.org/licenses/by-sa/3.0/", "750", "170"):
        assert words in text


def test_the_full_set_is_found_through_the_environment(monkeypatch):
    folder = the_full_set()
    monkeypatch.setenv("WORKINGS_DATA", str(folder))
    data = datasets.mnist()
    assert data.full
    assert str(folder) in data.source
    assert data.X_train.shape == (60_000, 784)
    assert data.X_test.shape == (10_000, 784)
    assert data.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(data.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (data.X_train.mean() / 255).round(4) == 0.1307


def test_the_sample_is_drawn_from_the_full_set_with_its_labels(monkeypatch):
    monkeypatch.setenv("WORKINGS_DATA", str(the_full_set()))
    full, sample = datasets.mnist("full"), datasets.mnist("sample")
    for part in ("train", "test"):
        images, labels = getattr(full, f"X_{part}"), getattr(full, f"y_{part}")
        known = {(image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)}
        drawn = zip(getattr(sample, f"X_{part}"), getattr(sample, f"y_{part}"), strict=True)
        assert all((image.tobytes(), int(label)) in known for image, label in drawn)


def test_the_tool_draws_the_sample_again(tmp_path):
    tool = ROOT / "tools" / "make_mnist_sample.py"
    command = [sys.executable, str(tool), str(the_full_set()), str(tmp_path)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": path})
    for name in datasets.MNIST_FILES:
        drawn = datasets.read_idx(tmp_path / f"{name}.gz")
        np.testing.assert_array_equal(drawn, datasets.read_idx(SAMPLE / f"{name}.gz"))


def test_plain_and_gzipped_files_may_lie_side_by_side(tmp_path, monkeypatch):
    write_set(tmp_path, 60_000, 10_000)
    zipped = tmp_path / f"{datasets.MNIST_FILES[1]}.gz"
    (tmp_path / datasets.MNIST_FILES[1]).write_bytes(gzip.decompress(zipped.read_bytes()))
    zipped.unlink()
    monkeypatch.setenv("WORKINGS_DATA", str(tmp_path))
    data = datasets.mnist("full")
    assert data.full
    assert np.bincount(data.y_train).tolist() == [6000] * 10


def test_without_the_full_set_auto_takes_the_sample_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKINGS_DATA", str(tmp_path))
    data = datasets.mnist()
    assert not data.full
    assert str(tmp_path) in data.source


def test_a_part_is_not_passed_off_as_the_full_set(monkeypatch):
    monkeypatch.setenv("WORKINGS_DATA", str(SAMPLE))
    with pytest.raises(FileError, match="7,500 training"):
        datasets.mnist()


@pytest.mark.parametrize(
    ("settings", "message"), [({"side": 14}, r"\(n, 28, 28\)"), ({"top_label": 10}, "labels from 0 to 9")]
)
def test_files_that_are_not_mnist_are_refused(tmp_path, monkeypatch, settings, message):
    monkeypatch.setenv("WORKINGS_DATA", str(write_set(tmp_path, 30, 20, **settings)))
    with pytest.raises(FileError, match=message):
        datasets.mnist()


def test_images_and_labels_of_different_number_are_refused(tmp_path, monkeypatch):
    write_set(tmp_path, 30, 20)
    datasets.write_idx(tmp_path / f"{datasets.MNIST_FILES[3]}.gz", np.zeros(19, np.uint8))
    monkeypatch.setenv("WORKINGS_DATA", str(tmp_path))
    with pytest.raises(FileError, match="as many labels"):
        datasets.mnist()


def test_the_full_set_that_is_not_there_names_both_ways_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("WORKINGS_DATA", raising=False)
    with pytest.raises(FileError, match="WORKINGS_DATA is not set") as caught:
        datasets.mnist("full")
    assert "fetch=True" in str(caught.value)
    monkeypatch.setenv("WORKINGS_DATA", str(tmp_path))
    with pytest.raises(FileError, match="has no train-images-idx3-ubyte"):
        datasets.mnist("full")


def test_a_misspelt_size_is_answered_with_the_nearest_one():
    with pytest.raises(InputError, match="Did you mean 'sample'"):
        datasets.mnist("sampel")


@pytest.mark.parametrize("failure", [urllib.error.URLError("no network"), ValueError("no such data set")])
def test_a_fetch_that_fails_says_so(monkeypatch, failure):
    def fetch(*arguments, **options):
        raise failure

    monkeypatch.delenv("WORKINGS_DATA", raising=False)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    with pytest.raises(FileError, match=r"openml.org \(.*no .*WORKINGS_DATA"):
        datasets.mnist(fetch=True)


def test_a_fetched_set_is_split_into_60000_and_10000(monkeypatch):
    def fetch(*arguments, **options):
        return np.zeros((70_000, 784)), np.array(["5"] * 60_000 + ["7"] * 10_000, dtype=object)

    monkeypatch.delenv("WORKINGS_DATA", raising=False)
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    data = datasets.mnist("full", fetch=True)
    assert data.full
    assert (data.X_train.shape, data.X_test.shape) == ((60_000, 784), (10_000, 784))
    assert data.X_train.dtype == np.uint8
    assert (set(data.y_train.tolist()), set(data.y_test.tolist())) == ({5}, {7})


# IDX files


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 4), (2, 3, 5)])
def test_idx_files_come_back_as_they_were_written(tmp_path, shape):
    values = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    datasets.write_idx(tmp_path / "a.gz", values)
    np.testing.assert_array_equal(datasets.read_idx(tmp_path / "a.gz"), values)
    (tmp_path / "plain").write_bytes(gzip.decompress((tmp_path / "a.gz").read_bytes()))
    np.testing.assert_array_equal(datasets.read_idx(tmp_path / "plain"), values)


def test_idx_numbers_of_several_bytes_have_their_highest_byte_first(tmp_path):
    (tmp_path / "a").write_bytes(bytes([0, 0, 12, 1, 0, 0, 0, 2, 0, 0, 1, 0, 255, 255, 255, 255]))
    values = datasets.read_idx(tmp_path / "a")
    assert values.tolist() == [256, -1]
    assert values.dtype == np.int32


def test_the_same_array_always_gives_the_same_file(tmp_path):
    for name in ("a", "b"):
        datasets.write_idx(tmp_path / name, np.arange(10, dtype=np.uint8))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_only_bytes_are_written():
    with pytest.raises(InputError, match="float64"):
        datasets.write_idx("never-written", np.zeros(3))


GOOD = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(6)
BROKEN = {
    "empty": (b"", "not an IDX file"),
    "wrong first bytes": (b"\1" + GOOD[1:], "not an IDX file"),
    "unknown type": (GOOD[:2] + b"\7" + GOOD[3:], "not an IDX file"),
    "no dimensions": (bytes([0, 0, 8, 0, 1]), "not an IDX file"),
    "header cut off": (GOOD[:9], "within its header"),
    "numbers cut off": (GOOD[:-1], "6 bytes of data by its header, but holds only 5"),
    "too many numbers": (GOOD + b"\0", "6 bytes of data by its header, but holds more"),
    "nothing in it": (bytes([0, 0, 8, 1, 0, 0, 0, 0]), "empty"),
    "a header that claims 2^64 bytes": (bytes([0, 0, 8, 2] + [255] * 8) + bytes(6), "above"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("packed", [False, True])
def test_broken_idx_files_are_refused_with_the_reason(tmp_path, name, packed):
    content, message = BROKEN[name]
    path = tmp_path / "broken"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(FileError, match=message) as caught:
        datasets.read_idx(path)
    assert str(path) in str(caught.value)


def test_damaged_gzip_files_are_refused(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8)
    datasets.write_idx(tmp_path / "a", values)
    content = (tmp_path / "a").read_bytes()
    for damaged in (content[:-1000], content[:30], content[:200] + b"\xff" * 100 + content[300:]):
        (tmp_path / "a").write_bytes(damaged)
        with pytest.raises(FileError, match="damaged"):
            datasets.read_idx(tmp_path / "a")


def test_files_that_cannot_be_opened_are_named(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(FileError, match="cannot be read"):
            datasets.read_idx(path)
        with pytest.raises(FileError, match="cannot be read"):
            datasets.kaggle_csv(path)


# Kaggle's table


def test_kaggles_table_is_read(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 784))
    X, y = datasets.kaggle_csv(kaggle_file(tmp_path, *(line(i, *row) for i, row in enumerate(pixels))))
    np.testing.assert_array_equal(X, pixels)
    assert y.tolist() == [0, 1, 2, 3, 4]
    assert (X.dtype, y.dtype) == (np.uint8, np.int64)


def test_quoted_headers_and_windows_line_ends_are_read(tmp_path):
    header = [f'"{name}"' for name in ["label", *datasets.PIXELS]]
    path = kaggle_file(tmp_path, line(3, 255), header=header)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    X, y = datasets.kaggle_csv(path)
    assert (X[0, 0], y[0]) == (255, 3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (line(7, 0, 256), "256 in line 3, column pixel1"),
        (line(7, -1), "-1 in line 3, column pixel0"),
        (line(10), "10 in line 3, column label"),
        (line(7, "x"), "whole numbers.*'x'"),
        (line(7, "3.5"), "whole numbers.*'3.5'"),
        (line(7, ""), "whole numbers"),
        (line(7) + ",0", "786"),
        ("7,0,0", "whole numbers"),
    ],
)
def test_values_that_are_no_pixels_are_refused(tmp_path, row, message):
    with pytest.raises(FileError, match=message):
        datasets.kaggle_csv(kaggle_file(tmp_path, line(1), row))


def test_other_columns_are_refused(tmp_path):
    with pytest.raises(FileError, match="no labels"):
        datasets.kaggle_csv(kaggle_file(tmp_path, "0", header=datasets.PIXELS))
    with pytest.raises(FileError, match="has 2 columns, starting with 'a, b'"):
        datasets.kaggle_csv(kaggle_file(tmp_path, "0,1", header=["a", "b"]))
    with pytest.raises(FileError, match="no rows"):
        datasets.kaggle_csv(kaggle_file(tmp_path))
    (tmp_path / "train.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="CSV"):
        datasets.kaggle_csv(tmp_path / "train.csv")
