"""`byteprop verify`, `run`, `bench`, `flash` and `monitor` on board host: the device program as a
process behind a pseudo-terminal."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byteprop
from byteprop.graph import Activation, DType, Graph, Tensor
from byteprop.ops import Concatenate, Dense, Rescale, Slice
from byteprop_host.cli import main
from byteprop_host.link import Message, replay
from byteprop_host.verify import references
from cli_process import children, interrupt, run_command, running, wait_for_child, wait_until_dead

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
FASHION = MODELS / "fashion_mlp_perchannel.tflite"
DIGITS = MODELS / "digits_mlp.tflite"
NAMES = [
    "digits_mlp",
    "fashion_mlp_floatio",
    "fashion_mlp_perchannel",
    "fashion_mlp_pertensor",
    "regression_1x1",
]
DEVICE = "byteprop-device"

needs_tflite = pytest.mark.skipif(
    importlib.util.find_spec("tflite_runtime") is None, reason="tflite-runtime is not installed"
)


def vectors(name: str) -> Path:
    return MODELS / f"{name}.vectors.npz"


def verify(
    arguments: list[str | Path], capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of a verification; nothing but JSON may be on stdout."""
    code = main(["verify", *map(str, arguments), "--no-report", "--json"])
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, result


def with_altered_weight(source: Path, op_index: int, row: int, target: Path) -> Path:
    """The model with one row of weights moved by a few steps, as a .bpm."""
    graph = byteprop.load(source).graph
    op = graph.ops[op_index]
    assert isinstance(op, Dense)
    weights = op.weights.astype(np.int16)
    weights[row] = np.where(weights[row] > 0, weights[row] - 9, weights[row] + 9)
    ops = list(graph.ops)
    ops[op_index] = dataclasses.replace(op, weights=weights.astype(np.int8))
    byteprop.Model(dataclasses.replace(graph, ops=tuple(ops))).save(target)
    return target


def wide_model(n_out: int, *, change: int = 0) -> byteprop.Model:
    """One dense layer whose outputs are too long to come with an answer."""
    draw = np.random.RandomState(7)
    weights = draw.randint(-100, 101, (n_out, 8)).astype(np.int8)
    weights[n_out - 1, 3] += change
    dense = Dense(
        input=0,
        output=1,
        weights=weights,
        bias=draw.randint(-500, 501, n_out).astype(np.int32),
        weight_scales=np.array([0.01], np.float32),
        activation=Activation.NONE,
    )
    tensors = (
        Tensor("x", (1, 8), DType.INT8, np.float32(0.1), 3),
        Tensor("y", (1, n_out), DType.INT8, np.float32(0.2), -5),
    )
    return byteprop.Model(Graph(tensors, (dense,), (0,), (1,)))


def two_chains() -> byteprop.Model:
    """Two inputs and two outputs: int8 through a dense layer, uint8 through a change of scale."""
    draw = np.random.RandomState(11)
    dense = Dense(
        input=0,
        output=2,
        weights=draw.randint(-100, 101, (5, 6)).astype(np.int8),
        bias=draw.randint(-500, 501, 5).astype(np.int32),
        weight_scales=np.array([0.01], np.float32),
        activation=Activation.RELU,
    )
    tensors = (
        Tensor("a", (1, 6), DType.INT8, np.float32(0.1), 3),
        Tensor("b", (1, 4), DType.UINT8, np.float32(0.05), 128),
        Tensor("c", (1, 5), DType.INT8, np.float32(0.2), -128),
        Tensor("d", (1, 4), DType.INT8, np.float32(0.06), -1),
    )
    return byteprop.Model(Graph(tensors, (dense, Rescale(1, 3)), (0, 1), (2, 3)))


def test_model_with_several_inputs_and_outputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = two_chains()
    model.save(tmp_path / "two.bpm")
    code, result = verify([tmp_path / "two.bpm", "--samples", "20"], capsys)
    assert code == 0
    assert result["comparison"]["bytes"] == 20 * 9
    real = np.random.RandomState(2).uniform(-1, 1, (7, 10)).astype(np.float32)
    np.save(tmp_path / "real.npy", real)
    target = tmp_path / "out.npz"
    arguments = ["run", str(tmp_path / "two.bpm"), "--data", str(tmp_path / "real.npy")]
    assert main([*arguments, "-o", str(target)]) == 0
    expected = model.predict((real[:, :6], real[:, 6:]))
    written = np.load(target)
    for i, (y, info) in enumerate(zip(expected, model.outputs, strict=True)):
        got = (written[f"output_{i}"].astype(np.float32) - info.zero_point) * np.float32(info.scale)
        assert np.array_equal(got, y)
    assert main([*arguments, "-o", str(tmp_path / "out.npy")]) == 2
    assert ".npz" in capsys.readouterr().err


def test_model_for_a_fixed_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = wide_model(12).graph
    pair = [dataclasses.replace(t, shape=(2, t.shape[1])) for t in graph.tensors]
    model = byteprop.Model(dataclasses.replace(graph, tensors=tuple(pair)))
    model.save(tmp_path / "pair.bpm")
    x = np.random.RandomState(4).randint(-128, 128, (5, 2, 8)).astype(np.int8)
    np.save(tmp_path / "x.npy", x)
    code, result = verify([tmp_path / "pair.bpm", "--data", tmp_path / "x.npy"], capsys)
    assert code == 0
    assert result["comparison"]["bytes"] == 5 * 24
    arguments = ["run", str(tmp_path / "pair.bpm"), "--data", str(tmp_path / "x.npy")]
    assert main([*arguments, "-o", str(tmp_path / "y.npy")]) == 0
    assert np.array_equal(np.load(tmp_path / "y.npy"), model.run(x.reshape(10, 8)))


@pytest.mark.parametrize("name", NAMES)
def test_every_byte_is_the_references(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = verify([MODELS / f"{name}.tflite", "--data", vectors(name)], capsys)
    assert code == 0
    assert result["identical"] is True
    assert result["comparison"]["samples"] == result["comparison"]["samples_identical"] == 64
    assert result["comparison"]["bytes"] == result["comparison"]["bytes_identical"]
    assert result["expected_outputs"]["bytes_identical"] == result["comparison"]["bytes"]
    assert result["first_different_layer"] is None
    assert result["board"] == "host"


def test_generated_samples_hold_both_extremes(capsys: pytest.CaptureFixture[str]) -> None:
    from byteprop_host.data.samples import generated

    code, result = verify([DIGITS, "--samples", "5"], capsys)
    assert code == 0
    assert result["samples"]["n"] == 5
    assert "all-minimum, all-maximum" in result["samples"]["source"]
    made = generated(byteprop.load(DIGITS).graph, 5).device[0]
    assert (made[0] == -128).all() and (made[1] == 127).all()
    assert np.array_equal(made, generated(byteprop.load(DIGITS).graph, 5).device[0])


def test_figures_are_in_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    _, result = verify([FASHION, "--samples", "3"], capsys)
    figures = result["figures"]
    assert figures["macs"] == 15880
    assert figures["arena_bytes"] == byteprop.load(FASHION).arena_bytes
    assert figures["unit"] == "ns" and figures["inference_median"] > 0
    assert figures["wire_bytes"] > 3 * 784
    assert len(result["layers"]) == 4


@needs_tflite
def test_reference_is_the_reference_kernels_of_tflite(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tflite_runtime import interpreter as tflite

    given: list[dict[str, Any]] = []
    made = tflite.Interpreter

    def spy(**arguments: Any) -> Any:
        given.append(arguments)
        return made(**arguments)

    monkeypatch.setattr(tflite, "Interpreter", spy)
    code, result = verify([DIGITS, "--samples", "4", "--no-other-kernels"], capsys)
    assert code == 0
    assert "BUILTIN_REF" in result["reference"]["name"]
    assert [g["experimental_op_resolver_type"] for g in given] == [
        tflite.OpResolverType.BUILTIN_REF
    ]
    assert not any(g.get("experimental_preserve_all_tensors") for g in given)


def test_numpy_takes_the_place_of_a_missing_tflite_runtime(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "tflite_version", lambda: None)
    code, result = verify([DIGITS, "--data", vectors("digits_mlp")], capsys)
    assert code == 0
    assert "NumPy" in result["reference"]["name"]
    assert result["reference"]["why"] == "tflite-runtime is not installed"
    assert main(["verify", str(DIGITS), "--reference", "tflite"]) == 2
    assert "tflite-runtime is not installed" in capsys.readouterr().err


def test_bpm_is_compared_with_numpy_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    byteprop.load(DIGITS).save(tmp_path / "digits.bpm")
    code, result = verify([tmp_path / "digits.bpm"], capsys)
    assert code == 0
    assert result["reference"]["why"] == "the model is not a .tflite file"


@pytest.mark.parametrize(("op_index", "row"), [(1, 1), (2, 4)])
def test_altered_weight_is_found_in_its_layer(
    op_index: int, row: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    altered = with_altered_weight(FASHION, op_index, row, tmp_path / "altered.bpm")
    data = vectors("fashion_mlp_perchannel")
    code, result = verify([altered, "--against", FASHION, "--data", data], capsys)
    assert code == 1
    assert result["identical"] is False
    layer = result["first_different_layer"]
    assert layer["op_index"] == op_index
    assert layer["op"] == "Dense"
    assert layer["position"] == [0, row]
    assert layer["n_different"] == 1
    first = result["comparison"]["differences"][0]
    x = np.load(data)["x"][first["sample"]][np.newaxis]
    at = tuple(first["position"])
    assert first["board"] == byteprop.load(altered).run(x)[at]
    assert first["reference"] == byteprop.load(FASHION).run(x)[at]


def two_branches() -> byteprop.Model:
    """The halves of the input go through a dense layer each; a third reads both."""
    draw = np.random.RandomState(12)

    def dense(x: int, y: int, n_in: int, n_out: int) -> Dense:
        weights = draw.randint(-100, 101, (n_out, n_in)).astype(np.int8)
        bias = draw.randint(-50, 51, n_out).astype(np.int32)
        return Dense(x, y, weights, bias, np.array([0.01], np.float32))

    names = {"x": 8, "left": 4, "right": 4, "a": 3, "b": 3, "both": 6, "y": 2}
    tensors = tuple(
        Tensor(name, (1, n), DType.INT8, np.float32(0.1), 0) for name, n in names.items()
    )
    ops = (
        Slice(0, 1, (0, 0), (1, 1)),
        dense(1, 3, 4, 3),
        Slice(0, 2, (0, 4), (1, 1)),
        dense(2, 4, 4, 3),
        Concatenate(3, 5, (4,), 1),
        dense(5, 6, 6, 2),
    )
    return byteprop.Model(Graph(tensors, ops, (0,), (6,)))


@pytest.mark.parametrize(("op_index", "name"), [(1, "a"), (3, "b"), (5, "y")])
def test_altered_weight_is_found_in_its_branch(
    op_index: int, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_branches().save(tmp_path / "right.bpm")
    altered = with_altered_weight(tmp_path / "right.bpm", op_index, 1, tmp_path / "altered.bpm")
    code, result = verify([altered, "--against", tmp_path / "right.bpm"], capsys)
    assert code == 1
    layer = result["first_different_layer"]
    assert (layer["op_index"], layer["tensor"], layer["position"]) == (op_index, name, [0, 1])


def test_operands_in_another_order_are_another_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Layers of such models cannot be compared."""
    graph = two_branches().graph
    two_branches().save(tmp_path / "right.bpm")
    turned = (*graph.ops[:4], Concatenate(4, 5, (3,), 1), graph.ops[5])
    byteprop.Model(dataclasses.replace(graph, ops=turned)).save(tmp_path / "turned.bpm")
    arguments = [tmp_path / "turned.bpm", "--against", tmp_path / "right.bpm"]
    code, result = verify(arguments, capsys)
    assert code == 1 and result["first_different_layer"] is None
    assert "different ops" in result["layer_note"]


def test_difference_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    altered = with_altered_weight(FASHION, 1, 1, tmp_path / "altered.bpm")
    data = str(vectors("fashion_mlp_perchannel"))
    arguments = ["verify", str(altered), "--against", str(FASHION), "--data", data, "--no-report"]
    assert main(arguments) == 1
    text = capsys.readouterr().out
    assert text.startswith("DIFFERENT: ")
    assert "first different layer 1 (Dense, " in text


def test_altered_expected_output_is_told_apart_from_the_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = np.load(vectors("digits_mlp"))
    y = stored["y"].copy()
    y[7, 3] ^= 1
    np.savez(tmp_path / "altered.npz", x=stored["x"], y=y)
    code, result = verify([DIGITS, "--data", tmp_path / "altered.npz"], capsys)
    assert code == 1
    assert result["comparison"]["identical"] is True
    (difference,) = result["expected_outputs"]["differences"]
    assert difference["sample"] == 7
    assert difference["position"] == [0, 3]
    assert difference["board"] == stored["y"][7, 3]
    assert difference["reference"] == y[7, 3]
    assert "data file" in result["layer_note"]


def test_long_outputs_are_settled_by_their_digest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide_model(700).save(tmp_path / "wide.bpm")
    code, result = verify([tmp_path / "wide.bpm", "--samples", "6"], capsys)
    assert code == 0
    assert result["compared_by_digest"] == 6
    assert result["comparison"]["bytes"] == 6 * 700


def test_long_outputs_are_fetched_where_the_digest_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide_model(700).save(tmp_path / "wide.bpm")
    wide_model(700, change=20).save(tmp_path / "changed.bpm")
    arguments = [tmp_path / "changed.bpm", "--against", tmp_path / "wide.bpm", "--samples", "6"]
    code, result = verify(arguments, capsys)
    assert code == 1
    differences = result["comparison"]["differences"]
    assert {tuple(d["position"]) for d in differences} == {(0, 699)}
    assert result["compared_by_digest"] == 6 - len(differences)
    assert result["first_different_layer"]["op_index"] == 0


def test_accuracy_and_confusion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.load(vectors("digits_mlp"))["x"]
    labels = byteprop.load(DIGITS).run(x).argmax(axis=1)
    labels[:16] = (labels[:16] + 1) % 10
    np.savez(tmp_path / "labelled.npz", x=x, y=labels)
    code, result = verify([DIGITS, "--data", tmp_path / "labelled.npz"], capsys)
    assert code == 0
    assert result["accuracy"]["board"] == result["accuracy"]["reference"] == 0.75
    confusion = np.array(result["accuracy"]["confusion"])
    assert confusion.sum() == 64 and np.trace(confusion) == 48


def test_pixels_and_real_values_are_the_same_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = np.random.RandomState(3).randint(0, 256, (9, 28, 28)).astype(np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    np.save(tmp_path / "real.npy", pixels.astype(np.float32) / np.float32(255))
    np.save(tmp_path / "raw.npy", (pixels.astype(np.int16) - 128).astype(np.int8))
    answers = []
    for name in ("pixels", "real", "raw"):
        target = tmp_path / f"{name}.out.npy"
        data = str(tmp_path / f"{name}.npy")
        assert main(["run", str(FASHION), "--data", data, "-o", str(target)]) == 0
        answers.append(np.load(target))
    capsys.readouterr()
    assert np.array_equal(answers[0], answers[2])
    assert np.array_equal(answers[1], answers[2])


@pytest.mark.parametrize("name", ["fashion_mlp_perchannel", "fashion_mlp_floatio"])
def test_run_writes_what_the_library_gives(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.npy"
    model = MODELS / f"{name}.tflite"
    code = main(["run", str(model), "--data", str(vectors(name)), "-o", str(target), "--json"])
    assert code == 0
    assert json.loads(capsys.readouterr().out)["samples"] == 64
    expected = byteprop.load(model).run(np.load(vectors(name))["x"])
    written = np.load(target)
    assert written.dtype == expected.dtype
    assert np.array_equal(written, expected)


def test_data_of_another_shape_is_refused_with_both_shapes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "wrong.npy", np.zeros((3, 10), np.int8))
    assert main(["verify", str(DIGITS), "--data", str(tmp_path / "wrong.npy")]) == 2
    error = capsys.readouterr().err
    assert "got 10 " in error and "expected 64 values" in error


def test_bench_counts_whole_and_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(DIGITS), "--json", "--samples", "3"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["unit"] == "ns"
    assert result["minimum"] <= result["median"] <= result["maximum"]
    assert [layer["macs"] for layer in result["layers"]] == [64 * 32, 32 * 10, 0]
    total = sum(layer["cost"] for layer in result["layers"])
    for layer in result["layers"]:
        assert layer["share"] == layer["cost"] / total
        assert layer["per_mac"] == (layer["cost"] / layer["macs"] if layer["macs"] else None)
    assert main(["bench", str(DIGITS), "--samples", "1"]) == 0
    header = next(s for s in capsys.readouterr().out.splitlines() if "share" in s)
    assert header.split() == ["layer", "MACs", "ns", "share", "per", "MAC"]
    assert result["latency"]["samples_per_second"] > 0


@pytest.mark.parametrize("n", [1, 20])
def test_each_sample_runs_once_and_one_is_profiled(
    n: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wire.jsonl"
    code, _ = verify([DIGITS, "--samples", str(n), "--wire-log", path], capsys)
    assert code == 0
    requests = Counter(f.frame.type for f in replay(path) if f.direction == "tx")
    assert (requests[Message.INFER], requests[Message.PROFILE]) == (n, 1)


def test_wire_log_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "wire.log"
    code, _ = verify([DIGITS, "--samples", "2", "--wire-log", log], capsys)
    assert code == 0
    assert main(["monitor", "--replay", str(log), "--json"]) == 0
    frames = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert frames[0]["direction"] == "tx" and frames[0]["text"].startswith("HELLO")
    assert sum(f["text"].startswith("INFER answer") for f in frames) >= 2
    assert main(["monitor", "--replay", str(log)]) == 0
    assert "-> HELLO" in capsys.readouterr().out


def test_report_is_written_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "report.html"
    arguments = ["verify", str(DIGITS), "--samples", "2", "--report", str(target)]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == str(target)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_no_progress_where_there_is_no_terminal(tmp_path: Path) -> None:
    done = run_command(["verify", DIGITS, "--samples", "2", "--no-report"], cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_flash_starts_the_board_and_tells_where_it_is(tmp_path: Path) -> None:
    done = run_command(["flash", "--no-wait", "--json"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["board"] == "host"
    assert result["port"].startswith("/dev/")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_signal_leaves_no_board_behind(number: int, code: int, tmp_path: Path) -> None:
    with running(["flash"], cwd=tmp_path) as process:
        assert process.stdout is not None
        assert "host" in process.stdout.readline()
        (child,) = children(process.pid)
        _, errors = interrupt(process, number)
        assert process.returncode == code
        assert wait_until_dead(child)
        assert "Traceback" not in errors
        assert "error" not in errors  # Ctrl-C is the documented end


@pytest.fixture
def streaming(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A verification in the middle of its stream, and the process of its board."""
    x = np.random.RandomState(5).randint(-128, 128, (200_000, 64)).astype(np.int8)
    np.save(tmp_path / "long.npy", x)
    log = tmp_path / "wire.log"
    arguments = ["verify", DIGITS, "--data", tmp_path / "long.npy", "--reference", "numpy"]
    with running([*arguments, "--wire-log", log], cwd=tmp_path) as process:
        child = wait_for_child(process, DEVICE)
        deadline = time.monotonic() + 60.0
        while not (log.exists() and log.stat().st_size > 50_000):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        yield process, child


def test_ctrl_c_in_the_middle_of_a_verification(
    streaming: tuple[subprocess.Popen[str], int],
) -> None:
    process, child = streaming
    out, errors = interrupt(process)
    assert process.returncode == 130
    assert wait_until_dead(child)
    assert out == ""
    assert "interrupted" in errors and "Traceback" not in errors


def test_board_that_goes_away_is_an_error(streaming: tuple[subprocess.Popen[str], int]) -> None:
    process, child = streaming
    os.kill(child, signal.SIGKILL)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert errors.startswith("byteprop: error: ") and "Traceback" not in errors
    assert "cable" in errors
