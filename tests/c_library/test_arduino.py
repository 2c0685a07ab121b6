"""The Arduino library: compiled by arduino-builder for the AVR core, run in simavr; on a PC with a
stand-in for cores with 32 bits. `byteprop verify` speaks to the sketch Device."""

from __future__ import annotations

import functools
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import byteprop
from byteprop_host.cli import main
from byteprop_host.errors import ToolMissingError
from byteprop_host.flash.simavr import simulator
from library_tools import ROOT, need, on_a_line, run

HERE = Path(__file__).resolve().parent
HARDWARE = Path("/usr/share/arduino/hardware")
BUILDER = Path("/usr/share/arduino-builder")
SINE = ROOT / "packages/arduino/models/sine.tflite"
FASHION = ROOT / "examples/fashion_mnist/fashion_mlp.tflite"
IMAGES = ROOT / "examples/fashion_mnist/t10k-1000.npz"
BOARDS = {"uno": ("uno", "atmega328p"), "mega": ("mega:cpu=atmega2560", "atmega2560")}


# --- the AVR core, as the IDE builds it ---


@pytest.fixture(scope="module")
def build_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cores")


def compiled(board: str, sketch: Path, library: Path, build_cache: Path, folder: Path) -> Path:
    """The program as a raw image. Everything but the machine's paths is the IDE's: prototypes of
    the sketch, libraries by their headers, core.a, recipes of the core's platform.txt."""
    need("arduino-builder", "arduino-ctags", "avr-g++")
    if not (HARDWARE / "arduino/avr/cores").is_dir():
        pytest.skip("not installed: arduino-core-avr")
    build = folder / "build"
    build.mkdir()
    run(
        *("arduino-builder", "-compile", "-hardware", HARDWARE, "-hardware", BUILDER),
        *("-tools", "/usr/bin", "-fqbn", f"arduino:avr:{BOARDS[board][0]}"),
        *("-libraries", library.parent, "-build-path", build, "-build-cache", build_cache),
        # Debian's core expects a later compiler than Debian's, whose C++11 lacks this.
        "-prefs=compiler.cpp.extra_flags=-DDECIMAL_DIG=__DECIMAL_DIG__",
        sketch,
    )
    (elf,) = build.glob("*.elf")
    run("avr-objcopy", "-O", "binary", elf, folder / "program.bin")
    return folder / "program.bin"


def simavr(board: str, program: Path) -> list[str]:
    try:
        return [str(simulator()), BOARDS[board][1], "16000000", str(program)]
    except ToolMissingError as missing:
        pytest.skip(str(missing))


def verify(port: str, model: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    arguments = ["verify", str(model), "--board", "arduino", "--port", port, "--no-report"]
    code = main([*arguments, "--no-other-kernels", *more])
    said = capsys.readouterr()
    return f"{code} {said.out}{said.err}"


@pytest.mark.emulated
def test_an_uno_answers(
    library: Path, build_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sketch = library / "examples/Device/Device.ino"
    program = compiled("uno", sketch, library, build_cache, tmp_path)
    with on_a_line(simavr("uno", program), speaks=True) as port:
        said = verify(port, SINE, capsys, "--samples", "20")
        assert said.startswith("0 identical: 20 of 20 samples, 20 of 20 output bytes")
        assert "ATmega328P" in said and "in flash" in said
        said = verify(port, FASHION, capsys, "--samples", "1")
        assert said.startswith("2 ") and "takes no uploads" in said
        reset_and_answer(port)


def reset_and_answer(port: str) -> None:
    """The watchdog resets the chip, and the session is opened again."""
    from byteprop_host.link import Device

    with Device.open(port, baud=115_200) as device:
        device.select()
        frames = device.stats().frames
        device.reset()
        assert device.stats().frames < frames + 2
        assert device.info.flash_crc32 == device.selected.crc32


@pytest.mark.emulated
def test_a_mega_answers_with_a_model_of_its_own(
    library: Path, build_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sketch = tmp_path / "Device/Device.ino"
    shutil.copytree(library / "examples/Device", sketch.parent)
    byteprop.load(FASHION).save(sketch.parent / "model.h")
    program = compiled("mega", sketch, library, build_cache, tmp_path)
    with on_a_line(simavr("mega", program), speaks=True) as port:
        said = verify(port, FASHION, capsys, "--data", str(IMAGES), "--samples", "4")
    assert said.startswith("0 identical: 4 of 4 samples, 40 of 40 output bytes"), said


@pytest.mark.emulated
def test_hello_world_on_an_uno(library: Path, build_cache: Path, tmp_path: Path) -> None:
    sketch = library / "examples/HelloWorld/HelloWorld.ino"
    program = compiled("uno", sketch, library, build_cache, tmp_path)
    with on_a_line(simavr("uno", program), speaks=True) as port:
        check_sine(text_of(port))


def text_of(port: str) -> str:
    """What a sketch prints, up to its last line."""
    import serial

    with serial.Serial(port, 115_200, timeout=60) as line:
        return str(line.read_until(b"end\r\n").decode("ascii"))


def check_sine(text: str) -> None:
    """The second column is what the PC computes for the same x."""
    rows = [line.split() for line in text.splitlines() if " " in line]
    x = np.arange(0, 6.28, 0.1, dtype=np.float32)[:, None]
    y = byteprop.load(SINE).predict(x)[:, 0]
    printed = [f"{value:.2f}" for value in y]
    assert len(rows) == len(x)
    # A sketch adds up x in float, so the last bit of x may differ, and with it the input.
    assert sum(row[1] != value for row, value in zip(rows, printed, strict=True)) <= 2


# --- the same sketches on a PC, as boards with 32 bits have them ---


@pytest.fixture(scope="module")
def on_pc(library: Path, c_library: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory):
    """Compiles a sketch against the stand-in; the library once for all of them."""
    need("g++", "gcc", "ar")
    folder = tmp_path_factory.mktemp("on_pc")
    include = [f"-I{library / 'src'}", f"-I{HERE / 'arduino_on_pc'}", "-DARDUINO=10819"]
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-DBP_ISA_PORTABLE=1", *include]
    described = c_library.read()
    files = [described.place(s) for s in described.sources() if not s.startswith("prepared/")]
    run("gcc", "-std=gnu11", *flags, "-c", *(library / "src" / f for f in files), cwd=folder)
    cpp = [*(library / "src").glob("*.cpp"), HERE / "arduino_on_pc/core.cpp"]
    run("g++", "-std=gnu++11", *flags, "-c", *cpp, cwd=folder)
    run("ar", "rcs", "library.a", *sorted(p.name for p in folder.glob("*.o")), cwd=folder)

    @functools.cache
    def program(name: str) -> str:
        sketch = library / f"examples/{name}/{name}.ino"
        out = folder / name
        given = ["-x", "c++", "-include", "Arduino.h", sketch, "-x", "none", folder / "library.a"]
        run("g++", "-std=gnu++11", *flags, f"-I{sketch.parent}", *given, "-o", out)
        return str(out)

    return program


def test_hello_world(on_pc) -> None:
    check_sine(run(on_pc("HelloWorld")))


def test_fashion(on_pc) -> None:
    lines = run(on_pc("Fashion")).splitlines()
    assert [re.sub(r"us: \d+", "", line) for line in lines[:2]] == [
        "ankle boot, bytes that differ from the PC: 0, ",
        "pullover, bytes that differ from the PC: 0, ",
    ]


def test_learn_on_device(on_pc) -> None:
    lines = run(on_pc("LearnOnDevice")).splitlines()
    losses = [float(line.rpartition(" ")[2]) for line in lines if line.startswith("epoch")]
    assert len(losses) == 5 and losses[-1] < 0.01 < losses[0] * 10
    assert lines[-2] == "x = 10 gives 19.00"


def test_device_takes_uploads(on_pc, capsys: pytest.CaptureFixture[str]) -> None:
    with on_a_line([on_pc("Device")]) as port:
        said = verify(port, SINE, capsys, "--samples", "20")
        assert said.startswith("0 identical: 20 of 20 samples") and "in flash" in said
        other = ROOT / "tests/data/models/digits_mlp.tflite"
        said = verify(port, other, capsys, "--samples", "20")
        assert said.startswith("0 identical: 20 of 20 samples") and "in RAM" in said
        said = verify(port, FASHION, capsys, "--samples", "1")
        assert said.startswith("2 ") and "the model does not fit: needs 18," in said


def test_device_trains(on_pc, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = tmp_path / "points.csv"
    points.write_text("x,y\n" + "".join(f"{x},{2 * x - 1}\n" for x in range(-1, 5)))
    arguments = ["train", "--net", "1-1", "--data", str(points), "--epochs", "5"]
    with on_a_line([on_pc("Device")]) as port:
        code = main([*arguments, "--board", "arduino", "--port", port, "--no-report"])
    said = capsys.readouterr()
    assert code == 0 and said.out.startswith("identical: "), said


def test_the_board_is_neither_built_nor_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--board", "arduino"]) == 2
    assert "Arduino IDE builds" in capsys.readouterr().err
    assert main(["flash", "--board", "arduino", "--port", "x"]) == 2
    assert "Arduino IDE builds" in capsys.readouterr().err
    assert main(["boards"]) == 0
    assert "sketch-gcc" not in capsys.readouterr().out
    assert main(["verify", str(SINE), "--board", "arduino"]) == 2
    assert "--port" in capsys.readouterr().err
