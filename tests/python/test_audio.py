"""The front end for sound: C against the reference, and against what it approximates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byteprop import audio
from byteprop.errors import ArgumentError
from byteprop.reference import audio as reference

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks/audio_bench"))
import audio_bench  # noqa: E402

Samples = npt.NDArray[np.int16]
EXTREMES = (-32768, -32767, -1, 0, 1, 32767)


def test_tables_are_those_of_the_script() -> None:
    script = ROOT / "scripts/audio_tables.py"
    done = subprocess.run([sys.executable, script, "--check"], check=False, timeout=60)
    assert done.returncode == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 15), st.sampled_from(["flat", "tone", "two"]))
def test_features_are_those_of_the_page(seed: int, bits: int, kind: str) -> None:
    draw = np.random.default_rng(seed)
    at = np.arange(audio.WINDOW)
    if kind == "flat":
        x = draw.integers(-(2**bits), 2**bits, audio.WINDOW)
    elif kind == "tone":
        x = np.round((2**bits - 1) * np.sin(draw.uniform(0, np.pi) * at + draw.uniform(0, 6)))
    else:
        x = draw.choice(draw.choice(EXTREMES, 2), audio.WINDOW)
    window = x.astype(np.int16)
    assert np.array_equal(audio.features(window)[0], reference.window_features(window))


def worst_windows() -> list[Samples]:
    """Full scale with the signs of a sine, which makes single bins as large as they can be, and
    everywhere the same value."""
    at = np.arange(audio.WINDOW)
    waves = [
        np.sin(2 * np.pi * (k / 512 * at + 0.1)) for k in (0, 4, 64, 127.5, 128, 200, 240, 256)
    ]
    signs = [np.where(wave >= 0, 32767, -32768).astype(np.int16) for wave in waves]
    return [*signs, *(np.full(audio.WINDOW, value, np.int16) for value in EXTREMES)]


def test_extremes_are_those_of_the_page() -> None:
    """The reference has no bounds: a sum of the C code that overflowed would differ."""
    for window in worst_windows():
        assert np.array_equal(audio.features(window)[0], reference.window_features(window))
    assert max(int(audio.features(w).max()) for w in worst_windows()) == 127
    assert audio.features(np.zeros(audio.WINDOW, np.int16)).tolist() == [[-128] * audio.BANDS]


def test_no_step_overflows(tmp_path: Path) -> None:
    """Under UndefinedBehaviorSanitizer, which ends the program at the first overflow."""
    windows = np.stack(worst_windows())
    program = tmp_path / "program"
    source = tmp_path / "main.c"
    source.write_text(
        "#include <byteprop/audio.h>\n#include <stdio.h>\n"
        "int main(void) {\n    static int16_t x[BP_AUDIO_WINDOW], work[BP_AUDIO_POINTS];\n"
        "    int8_t y[BP_AUDIO_BANDS];\n"
        "    while (fread(x, sizeof x, 1, stdin) == 1) {\n        bp_audio_window(y, x, work);\n"
        "        fwrite(y, sizeof y, 1, stdout);\n    }\n    return 0;\n}\n"
    )
    files = [str(source), *map(str, sorted((ROOT / "csrc/audio").glob("*.c")))]
    flags = "-std=c99 -O1 -fsanitize=undefined,address -fno-sanitize-recover=all".split()
    includes = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc/include'}"]
    try:
        subprocess.run(["gcc", *flags, *includes, *files, "-o", str(program)], check=True)
    except FileNotFoundError:
        pytest.skip("not installed: gcc")
    done = subprocess.run(
        [program], input=windows.tobytes(), capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    expected = np.concatenate([audio.features(w) for w in windows])
    assert done.stdout == expected.tobytes()


def test_features_are_logarithms_of_power() -> None:
    """Within a step of floating point, where the sound has 14 bits or fewer below its loudest."""
    draw = np.random.default_rng(2)
    edges = np.linspace(185.2, 2773.3, audio.BANDS + 2)
    bins = np.arange(257)
    middle = 700 * (10 ** (edges / 2595) - 1) / 31.25
    rise = (bins - middle[:-1, None]) / np.diff(middle)[:, None]
    weights = np.clip(np.minimum(rise[:-1], 1 - rise[1:]), 0, None)
    hann = np.sin(np.pi * (np.arange(audio.WINDOW) + 0.5) / audio.WINDOW) ** 2
    for loudness in (20, 300, 9000):
        window = np.round(draw.normal(0, loudness, audio.WINDOW)).astype(np.int16)
        power = np.abs(np.fft.rfft(window * hann, 512)) ** 2
        expected = 8 * (np.log2(weights @ power) - 12) - 128
        assert np.abs(audio.features(window)[0] - expected).max() < 1.5


def test_pieces_give_the_same_as_the_whole() -> None:
    sound = audio_bench.sound(0.5)
    whole = audio.features(sound)
    assert len(whole) == (len(sound) - audio.WINDOW) // audio.HOP + 1
    front_end = audio.FrontEnd()
    for sizes in ((1, 319, 2), (5000,), (480, 320), (0, 7)):
        front_end.reset()
        found, at = [], 0
        while at < len(sound):
            for size in sizes:
                found.append(front_end.feed(sound[at : at + size]))
                at += size
        assert np.array_equal(np.concatenate(found), whole)
    assert audio.features(sound[:479]).shape == (0, audio.BANDS)


@pytest.mark.parametrize("samples", [np.zeros(4), np.zeros((2, 2), np.int16), [0.5]])
def test_what_is_no_sound(samples: object) -> None:
    with pytest.raises(ArgumentError, match=r"samples: expected int16 in one dimension"):
        audio.features(samples)  # type: ignore[arg-type]


@pytest.mark.emulated
@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m0"])
def test_emulated_cpus_give_the_same_bytes(cpu: str) -> None:
    machine = audio_bench.MACHINES[cpu]
    missing = machine.missing_tools()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    figure = audio_bench.measure(machine, ["-O2"])
    assert figure.windows == len(audio.features(audio_bench.sound()))
    assert 20_000 < figure.instructions < {"cortex-m4": 80_000, "cortex-m0": 125_000}[cpu]
