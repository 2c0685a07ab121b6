"""The example of a wake word: its network, its sounds and its programs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop import audio

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/wake_word"
sys.path.insert(0, str(EXAMPLE))
import detector  # noqa: E402
import evaluate  # noqa: E402
import network  # noqa: E402
import train  # noqa: E402
import voices  # noqa: E402

MODEL = EXAMPLE / "wake_word.tflite"


def run(
    script: str, *args: str, cwd: Path, data: bytes | None = None, code: int = 0
) -> tuple[str, str]:
    """What a script prints, and prints as errors."""
    done = subprocess.run(
        [sys.executable, EXAMPLE / script, *args],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        input=data,
        capture_output=True,
        timeout=170.0,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def model() -> byteprop.Model:
    return byteprop.load(MODEL)


def test_the_shipped_model_has_the_input_of_the_front_end(model: byteprop.Model) -> None:
    (x,) = (model.graph.tensors[t] for t in model.graph.inputs)
    assert x.shape == (1, network.STEP, 1, audio.BANDS)
    assert (float(x.scale), x.zero_point) == (audio.SCALE, audio.ZERO_POINT)
    assert model.is_stateful
    # Each convolution keeps what it has seen, and nothing is copied: arena and image stay small.
    states = sum(rows * n for (rows, _, _), n in zip(network.LAYERS, (32, 24, 32), strict=True))
    assert states < model.arena_bytes < 6000


def test_a_stream_gives_what_whole_windows_give() -> None:
    draw = np.random.default_rng(4)
    frames = draw.integers(-128, 128, (90, audio.BANDS)).astype(np.int8)
    windows = np.stack([frames[i : i + network.FRAMES] for i in range(31)])
    model = network.quantized(network.initial(3), windows)
    stream = network.streaming(model)
    train.check(model, stream, frames)
    # Frames in another order are another history.
    with pytest.raises(SystemExit, match="different outputs"):
        train.check(model, stream_that_forgets(stream), frames)


def stream_that_forgets(stream: byteprop.Model) -> byteprop.Model:
    class Forgetful(byteprop.Model):
        def run(self, x, *, steps=False):  # type: ignore[no-untyped-def]
            parts = []
            for step in x:
                self.reset()
                parts.append(super().run(step[None]))
            return np.concatenate(parts)

    return Forgetful(stream.graph)


def test_gradients_are_those_of_the_loss() -> None:
    draw = np.random.default_rng(5)
    x = draw.uniform(0, 30, (3, network.FRAMES, audio.BANDS)).astype(np.float32)
    labels = np.array([0, 2, 1])
    p = [w.astype(np.float64) for w in network.initial(6)]
    _, found = network.gradients(p, x, labels)  # type: ignore[arg-type]
    for layer, gradient in zip(p, found, strict=True):
        at = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        losses = []
        for change in (1e-3, -2e-3):
            layer[at] += change
            losses.append(network.gradients(p, x, labels)[0])  # type: ignore[arg-type]
        layer[at] += 1e-3
        assert (losses[0] - losses[1]) / 2e-3 == pytest.approx(gradient[at], rel=0.02)


def test_detections_pause() -> None:
    loud, silent = [127] * 10, [-128] * 20
    scores = np.array([*silent, *loud, *silent, *loud[:2], *silent], np.int8)
    (first,) = detector.detections(scores)
    assert first == 20 + -(-detector.THRESHOLD // 255) - 1
    assert detector.detections(np.full(40, 127, np.int8)) == [2, 19, 36]
    main = (EXAMPLE / "firmware/main.c").read_text()
    for name in ("STEPS", "THRESHOLD", "PAUSE"):
        assert re.search(rf"\b{name} = {getattr(detector, name)}\b", main), name


def test_sounds_follow_from_seeds() -> None:
    first, again, other = (voices.scene(np.random.default_rng(s), 6.0) for s in (1, 1, 2))
    assert np.array_equal(first.samples, again.samples) and first.words == again.words
    assert not np.array_equal(first.samples, other.samples)
    draw = np.random.default_rng(3)
    lengths = [len(voices.say(voices.voice(draw), voices.WAKE_WORD, draw)) for _ in range(20)]
    assert 0.6 * audio.RATE < min(lengths) < max(lengths) < 1.5 * audio.RATE


def test_voices_that_it_never_heard(model: byteprop.Model) -> None:
    found = evaluate.figures(model, 6.0, (detector.THRESHOLD,), seed=7000)
    figures = {figure.condition: figure for figure in found}
    others, near = (figures.pop(name) for name in (evaluate.OTHERS, evaluate.RESEMBLING))
    words = [f for name, f in figures.items() if "much noise" not in name and "unusual" not in name]
    assert len(words) == 2 and sum(f.total for f in words) >= 15
    assert sum(f.missed for f in words) <= 0.2 * sum(f.total for f in words)
    # Of other words next to none is accepted; of those that are made to resemble it, some.
    assert others.total >= 100 and others.missed <= 2
    assert near.total >= 30 and near.missed <= 0.2 * near.total


def test_listening_to_a_file_and_to_the_standard_input(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    printed, words = run("listen.py", "--made", "20", "--save", str(sound), cwd=tmp_path)
    ends = [float(x) for x in re.findall(r"- +([\d.]+) s  hey byteprop", words)]
    heard = [float(x) for x in re.findall(r"^([\d.]+) s: ", printed, re.M)]
    assert len(ends) >= 3
    near = [any(end - 0.1 < at < end + 0.6 for at in heard) for end in ends]
    assert sum(near) >= len(ends) - 1 and len(heard) <= len(ends)
    with wave.open(str(sound)) as file:
        samples = file.readframes(file.getnframes())
    assert run("listen.py", "-", cwd=tmp_path, data=samples)[0] == printed
    assert run("listen.py", str(sound), cwd=tmp_path)[0] == printed


def test_a_file_of_another_rate(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(bytes(400))
    _, errors = run("listen.py", "a.wav", cwd=tmp_path, code=2)
    assert "got 44100 of 16 bits in 2; `ffmpeg -i IN.wav -ar 16000 -ac 1" in errors
    assert "Traceback" not in errors


def test_training_makes_a_model_that_listens(tmp_path: Path) -> None:
    file = tmp_path / "small.tflite"
    printed, _ = run("train.py", "--minutes", "1", "--steps", "40", "-o", str(file), cwd=tmp_path)
    assert "outputs of the stream equal those of whole windows" in printed
    found = re.search(r"step +40  loss ([\d.]+)", printed)
    assert found is not None and float(found[1]) < 1.0
    assert byteprop.load(file).graph.tensors[0].shape == (1, network.STEP, 1, audio.BANDS)
