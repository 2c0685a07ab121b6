"""What numbers and labels of data files stand for, alike in every verb."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import byteprop
from byteprop import ArgumentError, DataError
from byteprop.graph import Activation, DType, Graph, Tensor
from byteprop.ops import Dense, Softmax
from byteprop_host.cli import main
from byteprop_host.data.reading import Reading, numbers_for, numbers_for_new
from byteprop_host.data.samples import SampleSet, from_file
from byteprop_host.training.data import Sources, load_parts
from byteprop_host.training.subject import Subject, encode_part, make_model

Array = npt.NDArray[Any]

N_IN, N_OUT = 4, 3
X = np.float32([[0.125, 0.5, 0.25, 0], [1, 0.25, 0, 0.5], [0.5, 0.75, 0.125, 0.25]] * 4)
Y = np.array([2, 0, 1] * 4)
WORDS = np.array(["c", "a", "b"] * 4)


def tensor(scale: float, zero_point: int, dtype: DType = DType.INT8) -> Tensor:
    return Tensor("x", (1, N_IN), dtype, np.float32(scale), zero_point)


PIXELS = tensor(1 / 255, -128)
SENSOR = tensor(0.5, 0)
NARROW = tensor(1 / 64, 0)
BYTES = tensor(0.5, 10, DType.UINT8)


def network(x: Tensor = PIXELS, outputs: int = N_OUT) -> Graph:
    weights = np.arange(outputs * N_IN).reshape(outputs, N_IN).astype(np.int8)
    y = Tensor("y", (1, outputs), DType.INT8, np.float32(0.1), 0)
    p = Tensor("p", (1, outputs), DType.INT8, np.float32(1 / 256), -128)
    dense = Dense(0, 1, weights, np.zeros(outputs, np.int32), np.float32([0.02]), Activation.NONE)
    if outputs == 1:
        return Graph((x, y), (dense,), (0,), (1,))
    return Graph((x, y, p), (dense, Softmax(1, 2)), (0,), (2,))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    byteprop.Model(network()).save("m.bpm")
    return tmp_path


def read(file: str, graph: Graph | None = None, **options: Any) -> SampleSet:
    labels = options.pop("labels", None)
    return from_file(
        graph or network(), Path(file), None, labels=labels, reading=Reading(**options)
    )


# --- numbers ---


@pytest.mark.parametrize(
    ("x", "values", "choice"),
    [
        (PIXELS, [0, 200, 255], "pixels"),
        (PIXELS, [0, 3, 100], "pixels"),
        (PIXELS, [0, 1, 1], "real"),
        (PIXELS, [-128, 0, 127], "codes"),
        (PIXELS, [0, 1000, 5], "real"),
        (PIXELS, [-300, 0, 5], "real"),
        (SENSOR, [0, 20, 60], "real"),
        (SENSOR, [0, 20, 1000], "real"),
        (SENSOR, [-100, 20, 100], "codes"),
        (NARROW, [-100, 20, 100], "codes"),
        (NARROW, [0, 20, 100], "pixels"),
        (tensor(1, 0), [-100, 20, 100], "real"),  # whatever they are, the bytes are the same
        (BYTES, [0, 100, 255], "codes"),
        (tensor(1 / 255, 0, DType.UINT8), [0, 100, 255], "codes"),
        (tensor(1 / 255, 0, DType.UINT8), [0, 1, 1], "real"),
    ],
)
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_integers_are_judged_by_their_values(
    x: Tensor, values: list[int], choice: str, dtype: type
) -> None:
    given = np.array([values], dtype)
    numbers = numbers_for(x, given, Reading(), "f")
    assert numbers.judged == choice
    expected = {
        "pixels": given.astype(np.uint8),
        "codes": given.astype(x.dtype.numpy),
        "real": given.astype(np.float32),
    }[choice]
    assert numbers.x.dtype == expected.dtype
    assert np.array_equal(numbers.x, expected)
    assert f"integers {min(values)}..{max(values)} are" in numbers.how


@pytest.mark.parametrize(("x", "values"), [(SENSOR, [-10, 5, 35]), (BYTES, [0, 5, 35])])
def test_integers_in_doubt_are_an_error(x: Tensor, values: list[int]) -> None:
    given = np.array([values])
    with pytest.raises(ArgumentError, match="--integers real or --integers codes decides"):
        numbers_for(x, given, Reading(), "f")
    assert numbers_for(x, given, Reading(integers="real"), "f").x.dtype == np.float32
    assert numbers_for(x, given, Reading(integers="codes"), "f").x.dtype == x.dtype.numpy


def test_eight_bits_say_what_they_are() -> None:
    codes, pixels = np.int8([[-1, 5]]), np.uint8([[1, 5]])
    assert numbers_for(PIXELS, codes, Reading(), "f").x is codes
    assert numbers_for(PIXELS, pixels, Reading(), "f").x is pixels
    assert numbers_for(PIXELS, pixels, Reading(), "f").how == ""
    assert "1/255" in numbers_for(SENSOR, pixels, Reading(), "f").how
    assert numbers_for_new(pixels, Reading(), "f").x is pixels


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.uint8([[0, 51]]), np.float32([[0, 0.5]])),
        (np.int64([[0, 1000]]), np.float32([[0, 1000]]) * np.float32(0.5 / 51)),
        (np.float64([[0, 102]]), np.float32([[0, 1]])),
        (np.array([[False, True]]), np.float32([[0, 0.5 / 51]])),
    ],
)
def test_a_scale_is_for_all_numbers(given: Array, expected: Array) -> None:
    for numbers in (
        numbers_for(PIXELS, given, Reading(pixel_scale=0.5 / 51), "f"),
        numbers_for_new(given, Reading(pixel_scale=0.5 / 51), "f"),
    ):
        np.testing.assert_allclose(numbers.x, expected, rtol=1e-6)
        assert "times 0.0098" in numbers.how


@pytest.mark.parametrize(
    ("x", "reading", "message"),
    [
        (np.int8([[1]]), Reading(pixel_scale=0.5), "has int8, the model's own integers"),
        (np.int64([[1]]), Reading(pixel_scale=0.5, integers="real"), "expected --integers pixels"),
        (np.int64([[300]]), Reading(integers="pixels"), "expected 0..255 in f, got 300..300"),
        (np.int64([[300]]), Reading(integers="codes"), "expected -128..127 in f, got 300..300"),
        (np.float32([[1]]), Reading(integers="codes"), "expected integers in f, got float32"),
    ],
)
def test_options_that_contradict_the_data(x: Array, reading: Reading, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        numbers_for(PIXELS, x, reading, "f")


def test_a_new_network_takes_images_as_pixels_and_tables_as_they_are() -> None:
    images = np.full((2, 64), 200)
    assert numbers_for_new(images, Reading(), "f").x.dtype == np.uint8
    for table in (np.full((2, 63), 200), images - 100, images + 100, images - 201):
        assert numbers_for_new(table, Reading(), "f").x.dtype == np.float32
    with pytest.raises(ArgumentError, match="expected a model file"):
        numbers_for_new(images, Reading(integers="codes"), "f")


def test_integers_in_text_are_those_of_an_array(folder: Path) -> None:
    codes = np.arange(-24, 24).reshape(12, 4).astype(np.int8)
    pixels = (np.arange(48) * 5).reshape(12, 4).astype(np.uint8)
    for x in (codes, pixels):
        np.save("x.npy", x)
        np.savetxt("x.csv", x, fmt="%d", delimiter=",")
        assert np.array_equal(read("x.csv").device[0], read("x.npy").device[0])


@pytest.mark.parametrize("format", ["csv", "npy", "npz", "idx"])
def test_values_that_saturate_are_counted(
    folder: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    x = X.astype(">f4")
    x[0, :3] = [2, -1, 1.5]
    file = f"x.{format}"
    if format == "csv":
        np.savetxt(file, x, fmt="%.4f", delimiter=",")
    elif format == "npy":
        np.save(file, x)
    elif format == "npz":
        np.savez(file, x=x)
    else:
        Path(file).write_bytes(bytes([0, 0, 13, 2, 0, 0, 0, 12, 0, 0, 0, 4]) + x.tobytes())
    expected = f"{file}: 3 of 48 values are outside 0 .. 1 and saturate"
    assert read(file).warnings == (expected,)
    for verb in ("verify --no-report", "run -o y.npy", "bench"):
        assert main([*verb.split(), "m.bpm", "--data", file, "--samples", "12"]) == 0
        assert expected in capsys.readouterr().out
        assert main([*verb.split(), "m.bpm", "--data", file, "--json", "--samples", "1"]) == 0
        assert "3 of 4 values" in json.loads(capsys.readouterr().out)["warnings"][0]


# --- labels ---


def one_hot(y: Array) -> Array:
    return np.eye(N_OUT)[y]


LABELS: dict[str, Callable[[], Array]] = {
    "int": lambda: Y,
    "uint8": lambda: Y.astype(np.uint8),
    "float": lambda: Y.astype(np.float32),
    "column": lambda: Y[:, np.newaxis],
    "words": lambda: WORDS,
    "words in bytes": lambda: WORDS.astype("S"),
    "column of words": lambda: WORDS[:, np.newaxis],
    "one-hot": lambda: one_hot(Y),
    "one-hot integers": lambda: one_hot(Y).astype(np.int64),
    "one-hot booleans": lambda: one_hot(Y).astype(bool),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_every_kind_are_the_same(folder: Path, name: str) -> None:
    y = LABELS[name]()
    np.savez("data.npz", x=X, y=y)
    np.savez("x.npz", x=X)
    np.save("y.npy", y)
    alone = read("x.npz", labels=Path("y.npy"))
    for samples in (read("data.npz"), alone):
        assert samples.labels is not None and samples.labels.tolist() == Y.tolist()
        assert samples.expected is None
        assert ("a=0, b=1, c=2" in samples.source) == ("words" in name)
    sources = Sources(Path("data.npz"), validation=Path("data.npz"))
    subject = Subject(net="4-3")
    parts = load_parts(sources, seed=0)
    for made in (Subject(file=Path("m.bpm")), subject):
        model, taken = make_model(made, parts, Reading(), seed=0)
        assert [encode_part(model, p).samples.y.tolist() for p in taken.all] == [Y.tolist()] * 2
    model = byteprop.load("m.bpm")
    assert model.evaluate(X, y) == model.evaluate(X, Y)
    assert np.array_equal(model.confusion_matrix(X, y), model.confusion_matrix(X, Y))
    weights = []
    for labels in (y, Y):
        model = byteprop.load("m.bpm")
        model.fit(X, labels)
        weights.append(model.image)
    assert weights[0] == weights[1]


def test_booleans_are_two_classes(folder: Path) -> None:
    np.savez("data.npz", x=X, y=Y == 1)
    labels = read("data.npz").labels
    assert labels is not None and labels.tolist() == (Y == 1).tolist()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y + 1, "expected labels in 0..2, got 3 at position 0"),
        (Y - 0.5, "expected integers as labels, got 1.5 at position 0"),
        (np.array(["a", "b"] * 6), "expected 3 different labels, .*, got 2: a=0, b=1"),
    ],
)
def test_labels_that_do_not_fit(folder: Path, y: Array, message: str) -> None:
    np.savez("data.npz", x=X, y=y)
    with pytest.raises(ArgumentError, match=f"data.npz: y: {message}"):
        read("data.npz")
    parts = load_parts(Sources(Path("data.npz")), seed=0)
    with pytest.raises(ArgumentError, match=f"data.npz: y: {message}"):
        model, taken = make_model(Subject(file=Path("m.bpm")), parts, Reading(), seed=0)
        encode_part(model, taken.training)
    with pytest.raises(ArgumentError, match=message):
        byteprop.load("m.bpm").evaluate(X, y)


def test_words_do_not_fit_one_output(folder: Path) -> None:
    np.savez("data.npz", x=X, y=WORDS)
    with pytest.raises(ArgumentError, match="as the model has one output, got words: a=0"):
        read("data.npz", network(outputs=1))


def test_outputs_are_no_labels(folder: Path) -> None:
    outputs = np.full((12, N_OUT), -43, np.int8)
    np.savez("data.npz", x=X, y=outputs)
    samples = read("data.npz")
    assert samples.labels is None
    assert samples.expected is not None and np.array_equal(samples.expected, outputs)


def test_a_title_too_many_is_named(folder: Path) -> None:
    np.save("x.npy", X)
    Path("y.csv").write_text("0\n" + "\n".join(map(str, Y)))
    with pytest.raises(ArgumentError, match=r"y.csv: .* got 13 for 12 samples of x.npy; is "):
        read("x.npy", labels=Path("y.csv"))
    samples = read("x.npy", labels=Path("y.csv"), header=True)
    assert samples.labels is not None and samples.labels.tolist() == Y.tolist()


# --- parts ---


def test_a_part_is_chosen(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez("k.npz", x_test=X[:6], x_train=X, y_train=WORDS, y_test=WORDS[:6])
    with pytest.raises(DataError, match="--split train or test chooses"):
        read("k.npz")
    assert read("k.npz", split="train").n == 12
    assert main("verify m.bpm --data k.npz --split test --no-report".split()) == 0
    assert "6 from k.npz; labels in sorted order: a=0, b=1, c=2" in capsys.readouterr().out


def test_parts_of_one_file_are_found_by_their_names(folder: Path) -> None:
    np.savez(
        "k.npz",
        x_train=X, y_train=WORDS, x_test=X[:3], y_test=WORDS[:3], x_val=X[:2], y_val=WORDS[:2],
    )  # fmt: skip
    file = Path("k.npz")
    sources = Sources(file, validation=file, test=file, reading=Reading(split="train"))
    parts = load_parts(sources, seed=0)
    assert [p.y.tolist() for p in parts.all] == [Y.tolist(), Y[:2].tolist(), Y[:3].tolist()]


def test_words_of_another_part_get_the_numbers_of_the_training(folder: Path) -> None:
    np.savez("train.npz", x=X, y=WORDS)
    np.savez("few.npz", x=X[:2], y=np.array(["c", "b"]))
    np.savez("new.npz", x=X[:2], y=np.array(["c", "d"]))
    np.savez("numbers.npz", x=X[:2], y=[0, 1])
    few = load_parts(Sources(Path("train.npz"), test=Path("few.npz")), seed=0).test
    assert few is not None and few.y.tolist() == [2, 1]
    for name, message in (("new", "expected labels of --data, .*, got d"), ("numbers", "words")):
        with pytest.raises(ArgumentError, match=message):
            load_parts(Sources(Path("train.npz"), test=Path(f"{name}.npz")), seed=0)


# --- the command line ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--data x.npy --header yes", "--header: expected a .csv, got x.npy"),
        ("--data x.npy --split test", "--split: expected an .npz or a folder, got x.npy"),
        ("--pixel-scale 1/255", "--pixel-scale: expected samples from a file, got no --data"),
        ("--integers real", "--integers: expected samples from a file, got no --data"),
        ("--labels x.npy", "--labels: expected --data with it"),
        ("--data x.npy --pixel-scale 1/0", "--pixel-scale: expected a number above 0"),
        ("--data x.npy --pixel-scale x", "--pixel-scale: expected a number above 0"),
        ("--data x.npy --pixel-scale nan", "--pixel-scale: expected a number above 0"),
        ("--data x.npy --pixel-scale 1e999999999", "--pixel-scale: expected a number above 0"),
        ("--data x.npy --samples 0", "--samples/-n: expected a whole number from 1"),
        ("--data x.npy --samples 1e3", "--samples/-n: expected a whole number from 1"),
        ("--data x.npy --timeout nan", "--timeout: expected a number of seconds above 0"),
        ("--data x.npy --timeout soon", "--timeout: expected a number of seconds above 0"),
    ],
)
def test_wrong_options_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str], options: str, message: str
) -> None:
    np.save("x.npy", X)
    try:
        code = main(["verify", "m.bpm", "--no-report", *options.split()])
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


@pytest.mark.parametrize(
    "options", ["--seed 1e3", "--learning-rate fast", "--test-split x", "--validation-split nan"]
)
def test_wrong_numbers_of_train_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str], options: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "--net", "4-3", "--data", "x.npz", *options.split()])
    assert stop.value.code == 2
    assert "expected a" in capsys.readouterr().err


def test_text_trains_as_an_array_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = (np.arange(20 * 64) * 37 % 256).reshape(20, 64).astype(np.uint8)
    y = np.arange(20) % 2
    np.savez("d.npz", x=x, y=y)
    rows = np.column_stack([y, x])
    titles = ",".join(["label", *(f"pixel{i}" for i in range(64))])
    np.savetxt("d.csv", rows, fmt="%d", delimiter=",", header=titles, comments="")
    results = []
    for file in ("d.npz", "d.csv"):
        command = f"train --net 64-4-2 --data {file} --no-report --json --epochs 1 -q"
        assert main(command.split()) == 0
        results.append(json.loads(capsys.readouterr().out))
    assert results[0]["finals"] == results[1]["finals"]
