"""The program for the runner of MLPerf Tiny, as a process of this computer under sanitizers."""

from __future__ import annotations

import ctypes
import io
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlperf_runner import Runner, codes_of, score_line, timestamp, values_line

import byteprop
from byteprop.errors import ArgumentError
from byteprop.graph import DType, Tensor
from byteprop.graph.boundary import Boundary
from byteprop.image import layout
from byteprop_host.boards.board import load_board
from byteprop_host.errors import DoesNotFitError
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import baked_image
from byteprop_host.firmware.mlperf_tiny import BENCHMARKS, MlperfTiny
from c_build import CSRC, INCLUDES, ROOT, STRICT, compile_c, library_sources, missing

MODELS = ROOT / "tests/data/models"
PORT = Path(__file__).with_name("mlperf_port.c")
SANITIZE = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
TICK_HZ = 7_000_000


class Program:
    """The program with a model in it; `answers` are those to a text that is sent as a whole."""

    def __init__(self, binary: Path, model: byteprop.Model) -> None:
        self.binary = binary
        self.model = model

    def output(self, data: bytes, *, status: int = 0) -> bytes:
        done = subprocess.run([self.binary], input=data, capture_output=True, timeout=60)
        assert done.returncode == status, done.stderr.decode()
        return done.stdout

    def answers(self, text: str) -> list[list[str]]:
        """Lines of each answer, of the greeting first."""
        out = io.BytesIO(self.output(text.encode()))
        runner = Runner(lambda data: None, out.readline)
        answers = []
        while out.tell() < len(out.getvalue()):
            answers.append(runner.lines())
        return answers

    def run(self, data: bytes, commands: str = "infer 1 0%") -> list[list[str]]:
        """Answers to commands after an input was loaded."""
        digits = [f"db {data[i : i + 31].hex()}%" for i in range(0, len(data), 31)]
        loaded = self.answers(f"db load {len(data)}%" + "".join(digits) + commands)
        assert loaded[len(digits) + 1] == ["m-load-done"]
        return loaded[len(digits) + 2 :]


def compiled(folder: Path, model: byteprop.Model, benchmark: str, ticks: int = 700) -> Program:
    if reason := missing("gcc"):
        pytest.skip(reason)
    image = baked_image(model.image)
    (folder / "model.c").write_text(
        "#include <byteprop/port.h>\n"
        "const uint8_t bp_model_image[] __attribute__((aligned(16))) = {"
        + ",".join(map(str, image))
        + f"}};\nconst uint32_t bp_model_image_bytes = {len(image)};\n"
    )
    defines = {
        "BP_BOARD_NAME": '"test"',
        "BP_TICK_KIND": "1",
        "BP_TICK_HZ": f"{TICK_HZ}UL",
        "BP_POOL_BYTES": f"{model.arena_bytes}UL",
        "BP_TEST_TICKS": f"{ticks}u",
        "BP_ASSERTIONS": "1",
        **MlperfTiny.of(benchmark, image).defines(),
    }
    sources = [s for s in library_sources() if not {"anomaly", "app", "train"} & set(s.parts)]
    binary = folder / "program"
    flags = [f"-D{name}={value}" for name, value in defines.items()]
    files = [*map(str, sources), str(PORT), str(folder / "model.c")]
    compile_c(["gcc", *STRICT, *SANITIZE, *INCLUDES, *flags, *files, "-o", str(binary)], cwd=folder)
    return Program(binary, model)


def classifier() -> byteprop.Model:
    return byteprop.load(MODELS / "digits_mlp.tflite")


def autoencoder() -> byteprop.Model:
    """24 values to 24 values, in units of its inputs."""
    draw = np.random.default_rng(5)
    weights = [draw.normal(0, 0.3, shape).astype(np.float32) for shape in ((24, 6), (6, 24))]
    biases = [np.zeros(6, np.float32), np.full(24, -9, np.float32)]
    samples = draw.normal(-8, 6, (200, 24)).astype(np.float32)
    layers = list(zip(weights, biases, strict=True))
    return byteprop.quantize(layers, samples, activations=["relu", "linear"])


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return compiled(tmp_path_factory.mktemp("digits"), classifier(), "kws01")


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return compiled(tmp_path_factory.mktemp("pixels"), classifier(), "ic01")


@pytest.fixture(scope="module")
def anomalies(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return compiled(tmp_path_factory.mktemp("anomalies"), autoencoder(), "ad01")


def digit(n: int = 1) -> npt.NDArray[np.int8]:
    x: npt.NDArray[np.int8] = np.load(MODELS / "digits_mlp.vectors.npz")["x"][:n]
    return x


def output_of(model: byteprop.Model) -> Tensor:
    return model.graph.tensors[model.graph.outputs[0]]


def test_greeting_and_facts(digits: Program) -> None:
    greeting, name, profile, first, second = digits.answers("name%profile%timestamp%timestamp%")
    assert [greeting[0], greeting[2]] == ["m-timestamp-mode-performance", "m-init-done"]
    assert name == ["m-name-dut-[byteprop test]"]
    assert profile == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[kws01]"]
    laps = [timestamp(lines[-1]) for lines in ([greeting[1]], first, second)]
    assert laps == [100, 200, 300]  # each reading of the counter is 700 ticks of 1/7 microsecond


def test_results_are_those_of_the_host(digits: Program) -> None:
    for x in digit(20):
        (lines,) = digits.run(x.tobytes())
        y = digits.model.run(x[None])
        assert lines[-1] == values_line(y, output_of(digits.model))
        assert codes_of(lines[-1], output_of(digits.model)).tobytes() == y.tobytes()


def test_an_inference_leaves_the_input_as_it_is(digits: Program) -> None:
    x = digit()
    places = layout(digits.model.image)
    assert places.outputs[0].offset < places.inputs[0].offset + 64  # written over in the arena
    once, often, again = digits.run(x.tobytes(), "infer 1 0%infer 3 2%results%")
    assert once[-1] == often[-1] == again[0] != "m-results-[]"
    assert [often[0], often[2]] == ["m-warmup-start-2", "m-infer-start-3"]


def test_warmups_by_default(digits: Program) -> None:
    alone, with_number = digits.run(digit().tobytes(), "infer%infer 2%")
    assert [alone[0], alone[2]] == ["m-warmup-start-10", "m-infer-start-1"]
    assert [with_number[0], with_number[2]] == ["m-warmup-start-10", "m-infer-start-2"]


def test_pixels_are_shifted_to_the_models_input(pixels: Program) -> None:
    x = digit()
    codes = (x.astype(np.int16) + 128).astype(np.uint8).tobytes()
    shown, lines = pixels.run(codes, "db print%infer 1 0%")
    assert lines[-1] == values_line(pixels.model.run(x), output_of(pixels.model))
    assert bytes.fromhex("".join(line.removeprefix("m-buffer-") for line in shown).replace("-", ""))
    assert shown[0] == "m-buffer-" + codes[:8].hex("-")
    assert len(shown) == len(codes) // 8


def test_the_score_is_the_mean_squared_error(anomalies: Program) -> None:
    draw = np.random.default_rng(6)
    model = anomalies.model
    tensor = model.graph.tensors[model.graph.inputs[0]]
    for spread in (1, 6, 60):
        x = draw.normal(-8, spread, 24).astype("<f4")
        (lines,) = anomalies.run(x.tobytes())
        codes = model.run(Boundary(tensor).quantize(x.reshape(tensor.shape), "x").integers)
        assert lines[-1] == score_line(codes, output_of(model), x)
        reals = (codes.reshape(-1) - output_of(model).zero_point) * float(output_of(model).scale)
        exact = float(np.mean((reals - x) ** 2))
        assert abs(float(lines[-1][len("m-results-[") : -1]) - exact) < 0.001 + 1e-5 * exact


def test_far_values_saturate(anomalies: Program) -> None:
    """At 512: the score is 262,144 at most where an output is near 0."""
    for value in (np.inf, -np.inf, 3e38, np.nan):
        (lines,) = anomalies.run(np.full(24, value, "<f4").tobytes())
        score = float(lines[-1][len("m-results-[") : -1])
        assert 480**2 < score < 560**2


ERRORS = {
    "what%": ["e-[Unknown command: what]"],
    "%": ["e-[Unknown command: ]"],
    "names%": ["e-[Unknown command: names]"],
    "nam%": ["e-[Unknown command: nam]"],
    "db%": ["e-[Expected db load N, db print, or db with hexadecimal digits]"],
    "db load%": ["e-[Expected db load with 1 to 64 bytes]"],
    "db load 0%": ["e-[Expected db load with 1 to 64 bytes]"],
    "db load 65%": ["e-[Expected db load with 1 to 64 bytes]"],
    "db load -1%": ["e-[Expected db load with 1 to 64 bytes]"],
    "db load 4294967360%": ["e-[Expected db load with 1 to 64 bytes]"],
    "db 00%": ["e-[Expected db load first]"],
    "db 0%": ["e-[Expected two hexadecimal digits per byte]"],
    "db 0g%": ["e-[Expected hexadecimal digits, got 0g]"],
    "infer 0%": ["e-[Expected at least 1 inference]"],
    "infer x%": ["e-[Expected at least 1 inference]"],
    "infer 1 x%": ["e-[Expected a number of warmups]"],
    "infer 1 0%": ["e-[Expected an input of 64 bytes, got 0]"],
}


@pytest.mark.parametrize("command", ERRORS)
def test_errors(digits: Program, command: str) -> None:
    _, answer, name = digits.answers(command + "name%")
    assert answer == ERRORS[command]
    assert name == ["m-name-dut-[byteprop test]"]


def test_a_short_input_is_no_input(digits: Program) -> None:
    _, *answers = digits.answers("db load 2%db ABcdEF%db 00%db print%infer 1 0%")
    assert answers[:3] == [
        ["m-[Expecting 2 bytes]"],
        ["m-load-done"],
        ["e-[Expected db load first]"],
    ]
    assert answers[3] == ["m-buffer-ab-cd"]
    assert answers[4] == ["e-[Expected an input of 64 bytes, got 2]"]


def test_what_a_terminal_adds_is_ignored(digits: Program) -> None:
    _, *answers = digits.answers("\r\n  name %\nti\0mestamp%" + "x" * 300 + "%help%")
    assert answers[0] == ["m-name-dut-[byteprop test]"]
    assert timestamp(answers[1][0]) == 200
    assert answers[2] == [f"e-[Unknown command: {'x' * 80}]"]
    assert len(answers[3]) == 5


def test_the_clock_does_not_wrap_with_the_counter(tmp_path: Path) -> None:
    """Two thousand million ticks a reading: the 32 bits wrap every other time."""
    ticks = 2_000_000_000
    program = compiled(tmp_path, classifier(), "kws01", ticks)
    laps = [timestamp(lines[-1]) for lines in program.answers("timestamp%" * 30)[1:]]
    assert laps == [ticks * n * 1_000_000 // TICK_HZ for n in range(2, 32)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(["db ", "load ", "64", "infer ", "1 ", "0", "%", "ff" * 31, "results", " "])
        | st.text("dbloadinferx0123456789 %", max_size=8),
        max_size=60,
    )
)
def test_anything_is_answered(digits: Program, words: list[str]) -> None:
    text = "".join(words).replace("infer", "timestamp")  # numbers of inferences have no limit
    answers = digits.answers(text + "%")
    assert len(answers) == text.count("%") + 2


def test_a_damaged_model_is_reported(digits: Program, tmp_path: Path) -> None:
    binary = bytearray(digits.binary.read_bytes())
    at = binary.find(baked_image(digits.model.image))
    binary[at + 100] ^= 1
    damaged = tmp_path / "damaged"
    damaged.write_bytes(binary)
    damaged.chmod(0o755)
    lines = Program(damaged, digits.model).output(b"na").decode().splitlines()
    assert lines[2:] == ["e-[The model in flash is damaged: status 5]"] * 3


# --- the arithmetic ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if reason := missing("gcc"):
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("real")
    files = [str(CSRC / f"mlperf/{name}.c") for name in ("real", "divide")]
    output = str(folder / "real.so")
    compile_c(["gcc", *STRICT, "-O1", "-shared", "-fPIC", *files, "-o", output], cwd=folder)
    made = ctypes.CDLL(output)
    made.mlperf_quantize.restype = ctypes.c_int8
    made.mlperf_quantize.argtypes = [ctypes.c_uint32, ctypes.c_uint32, ctypes.c_int32]
    made.mlperf_fixed.restype = ctypes.c_int32
    made.mlperf_fixed.argtypes = [ctypes.c_uint32, ctypes.c_int32, ctypes.c_uint8]
    return made


def test_quantize_is_the_hosts(real: ctypes.CDLL) -> None:
    """Any finite float32, and values on both sides of every half step."""
    draw = np.random.default_rng(7)
    for _ in range(40):
        scale = np.float32(2.0 ** draw.uniform(-30, 20))
        zero_point = int(draw.integers(-128, 128))
        tensor = Tensor("x", (4000,), DType.INT8, scale, zero_point)
        halves = ((draw.integers(-300, 300, 2000) + 0.5) * scale).astype(np.float32)
        halves = (halves.view(np.int32) + draw.integers(-2, 3, 2000).astype(np.int32)).view("f4")
        any_bits = draw.integers(0, 2**32, 2000, np.uint32).view(np.float32)
        x = np.concatenate([halves, any_bits])
        x[~np.isfinite(x)] = 0
        expected = Boundary(tensor).quantize(x, "x").integers
        bits = int(np.array(scale).view(np.uint32))
        got = [real.mlperf_quantize(int(v), bits, zero_point) for v in x.view(np.uint32)]
        assert got == expected.tolist()


@given(st.floats(width=32, allow_nan=False), st.integers(-(2**24) + 1, 2**24 - 1),
       st.integers(0, 31))  # fmt: skip
def test_fixed_is_the_rounded_product(
    real: ctypes.CDLL, value: float, factor: int, fraction: int
) -> None:
    bits = int(np.float32(value).view(np.uint32))
    got = real.mlperf_fixed(bits, factor, fraction)
    if abs(value) < 2.0**-126 or factor == 0:
        assert got == 0
        return
    limit = 2**31 - 1
    if np.isinf(value) or abs(Fraction(value) * factor * 2**fraction) >= limit:
        assert got == (limit if (value > 0) == (factor > 0) else -limit)
        return
    exact = Fraction(value) * factor * 2**fraction
    size = int(abs(exact) + Fraction(1, 2))
    assert got == (-size if exact < 0 else size)


# --- what is refused before the build ----------------------------------------------------------


def test_what_the_runner_can_not_use_is_refused() -> None:
    board = load_board("mps2-an386")
    image = classifier().image
    with pytest.raises(ArgumentError, match=r"expected one of kws01, vww01, ic01, ad01, got 'kws'"):
        build(board, image, mlperf="kws")
    with pytest.raises(ArgumentError, match="kws01 needs a model"):
        build(board, mlperf="kws01")
    with pytest.raises(ArgumentError, match="expected as many values in both, .* got 64 and 10"):
        build(board, image, mlperf="ad01")
    with pytest.raises(ArgumentError, match="host has no firmware; name a board"):
        build(load_board("host"), image, mlperf="kws01")


def test_the_input_counts_before_the_build() -> None:
    """ad01 keeps 24 values as float32 and as int8: 120 bytes of RAM more."""
    board = load_board("microbit")
    image = autoencoder().image
    needs = board.memory.firmware_ram_bytes + 120 + byteprop.load(image).arena_bytes
    small = replace(board, memory=replace(board.memory, ram_bytes=needs - 1, pool_bytes=0))
    with pytest.raises(DoesNotFitError, match=f"needs {needs} bytes of RAM, board has {needs - 1}"):
        build(small, image, mlperf="ad01")


def test_benchmarks_are_those_of_the_runner() -> None:
    assert sorted(BENCHMARKS) == ["ad01", "ic01", "kws01", "vww01"]
