"""Firmware for the runner of MLPerf Tiny, over the serial port of every emulated board."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import serial
from mlperf_runner import Runner, codes_of, score_line, timestamp, values_line

import byteprop
from byteprop.graph import Tensor
from byteprop.graph.boundary import Boundary
from byteprop_host.boards.board import Board, load_board
from byteprop_host.errors import DoesNotFitError
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import baked_image, memory_needs
from byteprop_host.firmware.mlperf_tiny import MlperfTiny
from byteprop_host.flash import start
from emulation import MODELS, require

TIMEOUT = 60.0
CNN = Path(__file__).resolve().parents[2] / "examples/fashion_mnist/fashion_cnn.tflite"
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", "no-such-folder"))


@contextmanager
def running(board: Board, model: byteprop.Model, benchmark: str) -> Iterator[Runner]:
    """The firmware, connected. A UART drops what arrives before it is on, and the greeting may be
    sent before the line is open, so the name is asked for until it is answered."""
    firmware = build(board, baked_image(model.image), mlperf=benchmark, flags=["-Werror"])
    needed = MlperfTiny.of(benchmark, model.image).buffer_bytes
    assert firmware.ram_bytes <= memory_needs(board, model.image, more_ram=needed).ram_needed
    with (
        start(board, firmware, timeout=TIMEOUT) as started,
        serial.Serial(started.port, board.serial.baud, timeout=1.0) as line,
    ):
        for _ in range(int(TIMEOUT)):
            line.write(b"%name%")
            if b"m-name-dut" in line.read_until(b"m-name-dut"):
                break
        else:
            pytest.fail(f"{board.name} does not answer")
        while line.read(256):
            pass
        line.timeout = TIMEOUT
        yield Runner(line.write, lambda: line.read_until(b"\n"))


def output_of(model: byteprop.Model) -> Tensor:
    return model.graph.tensors[model.graph.outputs[0]]


def check_classes(runner: Runner, model: byteprop.Model, x: np.ndarray, sent: bytes) -> None:
    """Results of a board, of single inferences and of several, are the host's byte for byte."""
    y = model.run(x)
    runner.load(sent)
    passed = []
    for n, warmups in ((1, 0), (3, 2)):
        results, microseconds = runner.infer(n, warmups)
        passed.append(microseconds)
        assert results == values_line(y, output_of(model))
        assert codes_of(results, output_of(model)).tobytes() == y.tobytes()
    # An emulator's counter may step back once, which the clock takes for no time.
    assert sum(passed) > 0
    assert runner.ask("results") == [results]


def test_the_protocol_on_every_board(board: Board) -> None:
    model = byteprop.load(MODELS / "digits_mlp.tflite")
    inputs = np.load(MODELS / "digits_mlp.vectors.npz")["x"]
    with running(board, model, "kws01") as runner:
        assert runner.ask("name") == [f"m-name-dut-[byteprop {board.name}]"]
        assert runner.ask("profile")[1] == "m-model-[kws01]"
        first, second = (timestamp(runner.ask("timestamp")[0]) for _ in range(2))
        assert first < second
        for x in inputs[:3]:
            check_classes(runner, model, x[None], x.tobytes())
        assert runner.ask("infer 0") == ["e-[Expected at least 1 inference]"]


def test_a_convolutional_network_with_pixels() -> None:
    board = require(load_board("mps2-an386"))
    model = byteprop.load(CNN)
    shape = model.inputs[0].shape
    pixels = np.load(CNN.with_name("t10k-1000.npz"))["x"][:2]
    with running(board, model, "ic01") as runner:
        for image in pixels:
            x = (image.astype(np.int16) - 128).astype(np.int8).reshape(shape)
            check_classes(runner, model, x, image.tobytes())


def check_score(board: Board, model: byteprop.Model) -> None:
    tensor = model.graph.tensors[model.graph.inputs[0]]
    draw = np.random.default_rng(3)
    with running(board, model, "ad01") as runner:
        for _ in range(2):
            x = (draw.normal(-20, 9, tensor.shape)).astype("<f4")
            codes = model.run(Boundary(tensor).quantize(x, "x").integers)
            runner.load(x.tobytes())
            results, _ = runner.infer(1, 0)
            assert results == score_line(codes, output_of(model), x)


@pytest.mark.parametrize("name", ["mps2-an386", "rv32-virt"])
def test_the_anomaly_score(name: str) -> None:
    draw = np.random.default_rng(4)
    layers = [
        (draw.normal(0, 0.2, shape).astype(np.float32), np.full(shape[1], -3, np.float32))
        for shape in ((40, 8), (8, 40))
    ]
    samples = draw.normal(-20, 9, (100, 40)).astype(np.float32)
    model = byteprop.quantize(layers, samples, activations=["relu", "linear"])
    check_score(require(load_board(name)), model)


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="BYTEPROP_PUBLIC_MODELS names no folder")
class TestModelsOfTheBenchmark:
    @pytest.mark.parametrize("name", ["microbit", "mps2-an386"])
    def test_keyword_spotting(self, name: str) -> None:
        board = require(load_board(name))
        model = byteprop.load(PUBLIC / "kws_dscnn.tflite")
        x = np.load(PUBLIC / "kws_dscnn.vectors.npz")["x"][0]
        with running(board, model, "kws01") as runner:
            check_classes(runner, model, x, x.tobytes())

    def test_images(self) -> None:
        board = require(load_board("mps2-an386"))
        for file, benchmark in (("ic01_resnet8", "ic01"), ("vww_mobilenet_96", "vww01")):
            model = byteprop.load(PUBLIC / f"{file}.tflite")
            x = np.load(PUBLIC / f"{file}.vectors.npz")["x"][0]
            sent = (x.astype(np.int16) + 128).astype(np.uint8).tobytes()
            with running(board, model, benchmark) as runner:
                check_classes(runner, model, x, sent)

    def test_anomalies(self) -> None:
        model = byteprop.load(PUBLIC / "ad01_int8.tflite")
        check_score(require(load_board("mps2-an386")), model)

    def test_what_does_not_fit_is_refused_with_numbers(self) -> None:
        model = byteprop.load(PUBLIC / "vww_mobilenet_96.tflite")
        with pytest.raises(DoesNotFitError, match=r"needs \d+ bytes of RAM, board has 16384"):
            build(load_board("microbit"), model.image, mlperf="vww01")
