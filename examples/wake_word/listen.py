"""Listens for "hey byteprop", and draws what the network thinks.

    python examples/wake_word/listen.py SOUND.wav [--board mps2-an386] [--fast]
    arecord -q -f S16_LE -r 16000 -c 1 -t raw | python examples/wake_word/listen.py -
    python examples/wake_word/listen.py --made 20 [--save SOUND.wav]

SOUND: a .wav of 16 bits, 16,000 samples per second, one channel, or - for such samples without a
header on the standard input. --made makes some seconds of sound with voices of voices.py. With
--board, features go over the link to a board or its emulator, which runs the network with its
state; with --program, samples go to the firmware in firmware/, which makes the features too. Every
output is compared with this computer's.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

import byteprop
import detector
import network
import voices
from byteprop import audio
from byteprop.errors import BytepropError, DataError
from byteprop_host.deployment import Deployment, deploy
from byteprop_host.target import BoardTarget
from byteprop_host.watch.screen import Screen
from byteprop_host.watch.views import InferenceView

HERE = Path(__file__).resolve().parent
STEP_SAMPLES = network.STEP * audio.HOP
FIRST_STEP_SAMPLES = STEP_SAMPLES - audio.HOP + audio.WINDOW
STEP_SECONDS = STEP_SAMPLES / audio.RATE
Samples = npt.NDArray[np.int16]
Scores = npt.NDArray[np.int8]


class WavePieces:
    """A .wav in pieces of a step."""

    def __init__(self, path: Path) -> None:
        try:
            with wave.open(str(path), "rb") as file:
                found = (file.getframerate(), file.getsampwidth(), file.getnchannels())
                if found != (audio.RATE, 2, 1):
                    raise DataError(
                        f"{path}: expected {audio.RATE} samples per second of 16 bits in one "
                        f"channel, got {found[0]} of {8 * found[1]} bits in {found[2]}; `ffmpeg "
                        f"-i IN.wav -ar {audio.RATE} -ac 1 -c:a pcm_s16le OUT.wav` converts it"
                    )
                self.samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        except (wave.Error, EOFError) as error:
            raise DataError(f"{path}: expected a .wav file: {error}") from None

    def __iter__(self) -> Iterator[Samples]:
        return pieces_of(self.samples.astype(np.int16))


def pieces_of(samples: Samples) -> Iterator[Samples]:
    for start in range(0, len(samples), STEP_SAMPLES):
        yield samples[start : start + STEP_SAMPLES]


def pieces_of_input() -> Iterator[Samples]:
    while data := sys.stdin.buffer.read(2 * STEP_SAMPLES):
        yield np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16)


@dataclass(frozen=True)
class Step:
    """What is new in a step: samples, and features [STEP, bands]."""

    samples: Samples
    features: npt.NDArray[np.int8]


def steps_of(pieces: Iterator[Samples]) -> Iterator[Step]:
    """Features [STEP, bands] per step."""
    front_end = audio.FrontEnd()
    heard, rows = np.zeros(0, np.int16), np.zeros((0, audio.BANDS), np.int8)
    needed = FIRST_STEP_SAMPLES
    for piece in pieces:
        heard = np.concatenate([heard, piece])
        rows = np.concatenate([rows, front_end.feed(piece)])
        while len(rows) >= network.STEP:
            yield Step(heard[:needed], np.ascontiguousarray(rows[: network.STEP]))
            heard, rows = heard[needed:], rows[network.STEP :]
            needed = STEP_SAMPLES


def as_fast_as_spoken(pieces: Iterator[Samples]) -> Iterator[Samples]:
    began, heard = time.monotonic(), 0.0
    for piece in pieces:
        heard += len(piece) / audio.RATE
        time.sleep(max(0.0, began + heard - time.monotonic()))
        yield piece


class Ears(Protocol):
    """What runs the network. cost: of a step, in `unit`."""

    title: str
    unit: str
    cost: int | None

    def hear(self, step: Step) -> Scores: ...


class Computer:
    """This computer."""

    title, unit, cost = "this computer", "none", None

    def __init__(self, model: byteprop.Model) -> None:
        self.model = model
        model.reset()

    def hear(self, step: Step) -> Scores:
        x = step.features.reshape(1, network.STEP, 1, audio.BANDS)
        return np.asarray(self.model.run(x)).reshape(-1)


class Board:
    """A board: features go over the link."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.title, self.unit = deployment.board.title, deployment.unit
        self.cost: int | None = None

    def hear(self, step: Step) -> Scores:
        answer = self.deployment.device.infer(step.features.tobytes())
        self.cost = self.deployment.cost(answer.ticks)
        return np.frombuffer(answer.output, np.int8)


class Firmware:
    """A program of firmware/, which takes samples and makes features and decisions itself."""

    title, unit, cost = "the firmware", "none", None

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.detector = detector.Detector()

    def hear(self, step: Step) -> Scores:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(step.samples.astype("<i2").tobytes())
        self.process.stdin.flush()
        answer = self.process.stdout.read(len(network.CLASSES) + 1)
        if len(answer) <= len(network.CLASSES):
            raise DataError(f"the firmware ended, with {answer!r} in place of scores")
        scores = np.frombuffer(answer[:-1], np.int8)
        if self.detector.heard(int(scores[-1])) != bool(answer[-1]):
            raise DataError("the firmware decides otherwise: is THRESHOLD that of detector.py?")
        return scores


@contextmanager
def opened(args: argparse.Namespace, model: byteprop.Model) -> Iterator[Ears]:
    if args.program is not None:
        command = shlex.split(args.program)
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise DataError(f"--program: {error}; `make` in firmware/ builds it") from None
        try:
            yield Firmware(process)
        finally:
            process.kill()
            process.wait()
    elif args.board is not None:
        target = BoardTarget.of(args.board, port=args.port)
        print(f"starting {target.board.title}", file=sys.stderr)
        with deploy(target, model.image) as deployment:
            yield Board(deployment)
    else:
        yield Computer(model)


@dataclass
class Heard:
    """moments: of detections, in seconds. same: steps whose outputs equal this computer's."""

    moments: list[float]
    steps: int = 0
    same: int = 0


def seconds_of(steps: int) -> float:
    """Of the sound that so many steps have heard."""
    return (FIRST_STEP_SAMPLES + (steps - 1) * STEP_SAMPLES) / audio.RATE


def listen(
    ears: Ears,
    reference: Computer,
    pieces: Iterator[Samples],
    draw: Callable[[InferenceView], object] | None,
) -> Heard:
    """draw: None where lines of text are printed instead."""
    title = f'"{voices.WAKE_WORD}" on {ears.title}'
    view = InferenceView(title, network.CLASSES, ears.unit)
    heard, decision = Heard([]), detector.Detector()
    for step in steps_of(pieces):
        y = ears.hear(step)
        heard.same += int(ears is reference or np.array_equal(y, reference.hear(step)))
        heard.steps += 1
        shares = ((y.astype(int) + 128) / 256).tolist()
        view.add(heard.steps, shares, None, ears.cost, 1 / STEP_SECONDS)
        if decision.heard(int(y[-1])):
            heard.moments.append(seconds_of(heard.steps))
            moment = f"{heard.moments[-1]:.2f} s"
            view.title = f"{title}; last heard at {moment}"
            if draw is None:
                print(f'{moment}: "{voices.WAKE_WORD}"', flush=True)
        if draw is not None:
            draw(view)
    return heard


def sound(args: argparse.Namespace) -> Iterator[Samples]:
    if args.made is not None:
        made = voices.scene(np.random.default_rng(args.seed), args.made, snr=(15.0, 30.0))
        if args.save is not None:
            save(args.save, made.samples)
        for word, begin, end in made.words:
            print(f"{begin / audio.RATE:6.2f} - {end / audio.RATE:5.2f} s  {word}", file=sys.stderr)
        return pieces_of(made.samples)
    return pieces_of_input() if str(args.sound) == "-" else iter(WavePieces(args.sound))


def save(path: Path, samples: Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(audio.RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sound", type=Path, nargs="?", help=".wav, or - for the standard input")
    parser.add_argument("--made", type=float, metavar="SECONDS", help="make a sound")
    parser.add_argument("--seed", type=int, default=2000, help="of --made (default: 2000)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="with --made: write it as .wav")
    parser.add_argument("--board", help="board that runs the network")
    parser.add_argument("--port", help="its serial port; without it, a board that is found")
    parser.add_argument("--program", help="command that runs the firmware in firmware/")
    parser.add_argument("--fast", action="store_true", help="do not wait for the end of each piece")
    parser.add_argument("--model", type=Path, default=HERE / "wake_word.tflite")
    args = parser.parse_args()
    if (args.sound is None) == (args.made is None):
        parser.error("expected a sound or --made SECONDS")
    return args


def run(args: argparse.Namespace) -> int:
    model = byteprop.load(args.model)
    pieces = sound(args)
    is_live = sys.stdout.isatty()
    if is_live and not args.fast and str(args.sound) != "-":
        pieces = as_fast_as_spoken(pieces)
    views: list[InferenceView] = []
    screen = Screen(sys.stdout, lambda width: views[0].lines(width) if views else ["listening"])

    def draw(view: InferenceView) -> None:
        views[:] = [view]
        screen.draw()

    reference = Computer(model)
    with opened(args, model) as ears, suppress(KeyboardInterrupt):
        if isinstance(ears, Computer):
            ears = reference
        with screen if is_live else nullcontext():
            heard = listen(ears, reference, pieces, draw if is_live else None)
        return report(ears, heard)
    return 0


def report(ears: Ears, heard: Heard) -> int:
    """Prints what was heard; 1 if the bytes differ."""
    print(f"{len(heard.moments)} detections in {heard.steps * STEP_SECONDS:.1f} s")
    if isinstance(ears, Computer):
        return 0
    verdict = "identical" if heard.same == heard.steps else "DIFFERENT"
    print(f"{verdict}: {heard.same:,} of {heard.steps:,} steps gave this computer's bytes")
    if ears.cost is not None and ears.unit == "instructions":
        second = ears.cost / STEP_SECONDS
        print(f"{ears.cost:,} instructions per step, {second / 1e6:.2f} million per second")
    return int(heard.same != heard.steps)


def main() -> int:
    try:
        return run(parse())
    except BytepropError as error:
        print(f"listen.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
