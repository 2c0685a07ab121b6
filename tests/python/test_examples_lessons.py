"""The lessons in examples/ run on this computer, and reach what they promise."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FASHION = Path("/usr/share/datasets/fashion-mnist")
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None

needs_fashion = pytest.mark.skipif(
    not (FASHION / "train-images-idx3-ubyte.gz").exists(),
    reason="training images: apt install dataset-fashion-mnist",
)


def run(script: str, *args: str, cwd: Path, timeout: float = 170.0) -> str:
    """What a lesson prints."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), *args],
        cwd=cwd,
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_pictures(folder: Path, names: set[str]) -> None:
    if not HAS_MATPLOTLIB:
        assert not folder.exists()
        return
    assert {path.name for path in folder.iterdir()} == names
    for path in folder.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} is not in\n{text}"
    return float(found.group(1))


@dataclass(frozen=True)
class Lesson:
    """What a lesson printed, and the folder that it ran in."""

    told: str
    folder: Path


@pytest.fixture(scope="module")
def neuron(tmp_path_factory: pytest.TempPathFactory) -> Lesson:
    folder = tmp_path_factory.mktemp("neuron")
    return Lesson(run("regression/first_neuron.py", cwd=folder), folder)


@pytest.fixture(scope="module")
def activity(tmp_path_factory: pytest.TempPathFactory) -> Lesson:
    folder = tmp_path_factory.mktemp("activity")
    return Lesson(run("activity/activity.py", cwd=folder), folder)


@pytest.fixture(scope="module")
def signals() -> ModuleType:
    path = EXAMPLES / "activity/signals.py"
    spec = importlib.util.spec_from_file_location("activity_signals", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class TestFirstNeuron:
    @pytest.mark.parametrize(
        ("guess", "root_of_sum", "rmse"),
        [("3x - 1", 5.57, 2.27), ("2x - 2", 2.45, 1.0), ("2x - 1", 0.0, 0.0)],
    )
    def test_errors_by_hand(
        self, neuron: Lesson, guess: str, root_of_sum: float, rmse: float
    ) -> None:
        line = rf"y = {re.escape(guess)} +root of the sum "
        assert number(rf"{line}([\d.]+)", neuron.told) == root_of_sum
        assert number(rf"{line}[\d.]+ +RMSE ([\d.]+)", neuron.told) == rmse

    def test_is_as_close_as_keras(self, neuron: Lesson) -> None:
        part = neuron.told.split("learned in 500 epochs")[1]
        assert abs(number(r"w = ([-\d.]+)", part) - 2) <= 0.0025
        assert abs(number(r"b = ([-\d.]+)", part) + 1) <= 0.0077
        assert abs(number(r"x = 10: ([-\d.]+)", part) - 19) <= 0.0172
        assert number(r"last loss ([-\d.e]+)", part) <= 3.47e-5

    def test_a_line_off_every_grid(self, neuron: Lesson) -> None:
        part = neuron.told.split("learned in 500 epochs")[2]
        assert abs(number(r"w = ([-\d.]+)", part) - 1.7) <= 0.01
        assert abs(number(r"b = ([-\d.]+)", part) + 0.3) <= 0.01
        step = number(r"steps of ([\d.]+)", part)
        assert abs(number(r"x = 10: ([-\d.]+)", part) - 16.7) <= step

    def test_pictures(self, neuron: Lesson) -> None:
        lines = ("line_2x-1", "line_1.7x-0.3")
        kinds = ("loss", "descent", "fit")
        assert_pictures(neuron.folder / "pictures", {f"{n}_{k}.png" for n in lines for k in kinds})


FASHION_PICTURES = {f"fashion_{kind}.png" for kind in ("curves", "confusion", "images")}


class TestFashion:
    def accuracy(self, told: str, way: str) -> float:
        return number(rf"{re.escape(way)}.* (0\.\d{{4}})", told)

    def test_without_the_data_set(self, tmp_path: Path) -> None:
        told = run(
            "fashion_mnist/train.py", "--data", str(tmp_path), "--epochs", "5",
            "--baselines", "adam", cwd=tmp_path,
        )  # fmt: skip
        assert "no training images" in told and "800 images to learn from" in told
        assert self.accuracy(told, "byteprop") >= 0.65
        assert_pictures(tmp_path / "pictures", FASHION_PICTURES)

    @needs_fashion
    def test_three_epochs(self, tmp_path: Path) -> None:
        told = run("fashion_mnist/train.py", "--baselines", "adam", cwd=tmp_path)
        assert "60,000 images to learn from, 10,000 to be tested on, 3 epochs" in told
        assert self.accuracy(told, "byteprop") >= 0.85

    @needs_fashion
    @pytest.mark.slow
    @pytest.mark.timeout(900)
    def test_twenty_epochs_of_five_seeds(self, tmp_path: Path) -> None:
        told = run(
            "fashion_mnist/train.py", "--full", "--seeds", "5", "--baselines", "none",
            cwd=tmp_path, timeout=890,
        )  # fmt: skip
        assert "20 epochs" in told
        assert number(r"byteprop.*? (0\.\d{4}) \(sd", told) >= 0.868

    @needs_fashion
    def test_a_rate_is_chosen_on_training_images(self, tmp_path: Path) -> None:
        output = tmp_path / "rates.csv"
        run(
            "fashion_mnist/choose_rate.py", "--epochs", "1", "--seeds", "1",
            "--output", str(output), cwd=tmp_path,
        )  # fmt: skip
        rows = [line.split(",") for line in output.read_text().splitlines()[1:]]
        ours = {float(row[1]): float(row[4]) for row in rows if row[0] == "byteprop"}
        assert len(rows) == 10 and len(ours) == 5
        assert ours[0.005] > 0.8


class TestActivity:
    def test_rules_know_no_golf(self, activity: Lesson) -> None:
        rules = next(line for line in activity.told.splitlines() if "rules for the speed" in line)
        assert number(r"golfing +(\d+)%", rules) == 0
        assert number(r"walking +(\d+)%", rules) >= 90
        assert number(r"running +(\d+)%", rules) >= 90

    def test_the_network_knows_people_it_has_not_met(self, activity: Lesson) -> None:
        network = next(line for line in activity.told.splitlines() if line.startswith("  network"))
        assert number(r"([\d.]+)%", network) >= 93
        assert number(r"golfing +(\d+)%", network) >= 90

    def test_a_newcomer_is_learnt_from_a_few_windows(self, activity: Lesson) -> None:
        found = [
            (float(before), float(after))
            for before, after in re.findall(r"before +([\d.]+)% +after +([\d.]+)%", activity.told)
        ]
        assert len(found) == 5
        assert all(after >= before + 15 for before, after in found)
        assert np.mean([after for _, after in found]) >= 94

    def test_pictures(self, activity: Lesson) -> None:
        names = {f"activity_{kind}.png" for kind in ("signals", "confusion", "newcomers")}
        assert_pictures(activity.folder / "pictures", names)


class TestSignals:
    def test_the_same_seed_gives_the_same_signals(self, signals: ModuleType) -> None:
        people = [signals.person(1), signals.person(2)]
        a, b, c = (signals.record(people, 2, seed=s) for s in (1, 1, 2))
        assert np.array_equal(a.signal, b.signal) and np.array_equal(a.speed, b.speed)
        assert not np.array_equal(a.signal, c.signal)
        assert a.person.tolist() == [0] * 8 + [1] * 8

    def test_gravity_is_one_g_wherever_the_sensor_points(self, signals: ModuleType) -> None:
        for make in (signals.person, signals.unusual_person):
            windows = signals.record([make(3)], 20, seed=4)
            quiet = windows.signal[windows.activity == signals.ACTIVITIES.index("biking")]
            mean = np.linalg.norm(quiet.mean(axis=1), axis=1)
            assert np.all(np.abs(mean - 1) < 0.1)

    @pytest.mark.parametrize(
        ("name", "low", "high"), [("walking", 1.4, 2.3), ("running", 2.2, 3.2)]
    )
    def test_steps_are_as_frequent_as_people_step(
        self, signals: ModuleType, name: str, low: float, high: float
    ) -> None:
        people = [signals.person(seed) for seed in range(6)]
        windows = signals.record(people, 10, seed=5)
        up = windows.signal[windows.activity == signals.ACTIVITIES.index(name)][:, :, 2]
        spectrum = np.abs(np.fft.rfft(up - up.mean(axis=1, keepdims=True), 4096, axis=1))
        strongest = np.fft.rfftfreq(4096, 1 / signals.RATE_HZ)[spectrum.argmax(axis=1)]
        assert np.all((strongest > low) & (strongest < high))

    def test_values_are_those_of_a_sensor(self, signals: ModuleType) -> None:
        windows = signals.record([signals.person(6)], 20, seed=7)
        assert np.abs(windows.signal).max() <= 8
        assert np.array_equal(windows.signal * 64, np.round(windows.signal * 64))
