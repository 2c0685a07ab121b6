"""`byteprop train` on the host board: the same bits as fit, whatever happens on the way."""

from __future__ import annotations

import json
import re
import shlex
import signal
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byteprop
import byteprop_host.commands.train as train_command
import byteprop_host.training.job as train_module
import byteprop_host.training.lockstep as twin_module
from byteprop.training.options import TrainOptions
from byteprop_host.cli import main
from byteprop_host.deployment import Deployment
from byteprop_host.errors import LinkError
from byteprop_host.firmware.capacity import TrainingNeeds
from byteprop_host.target import BoardTarget
from byteprop_host.training.data import Sources
from byteprop_host.training.job import Options, TrainingInterrupted, TrainingListener
from byteprop_host.training.result import TrainingResult
from byteprop_host.training.subject import Subject
from cli_process import interrupt, running

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))
from faulty_line import FaultyLine
from training_data import adc, weather

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
DIGITS = MODELS / "digits_mlp.tflite"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three classes in eight values, 90 samples; and six points of a line."""
    draw = np.random.RandomState(7)
    y = draw.randint(0, 3, 90)
    x = (draw.rand(90, 8) * 0.5 + 0.5 * (np.arange(8) % 3 == y[:, np.newaxis])).astype(np.float32)
    np.savez(tmp_path / "classes.npz", x=x, y=y)
    line = np.array([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    np.savez(tmp_path / "line.npz", x=line[:, np.newaxis], y=2 * line - 1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(arguments: str, capsys: pytest.CaptureFixture[str], *, code: int = 0) -> dict[str, Any]:
    """The JSON of `byteprop train`."""
    assert main(["train", *shlex.split(arguments), "--json", "--quiet"]) == code
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def options(**changes: Any) -> Options:
    made = Options(
        subject=Subject(net="8-6-3"),
        sources=Sources(Path("classes.npz"), validation_split=0.2),
        training=TrainOptions(epochs=3),
    )
    return replace(made, **changes)


def train(
    chosen: Options, *, listener: TrainingListener | None = None, **line: Any
) -> TrainingResult:
    """On the host board."""
    return train_module.train(chosen, BoardTarget.of(**line), listener=listener)


def fitted(**arguments: Any) -> byteprop.Sequential:
    """The same training without a board."""
    data = np.load("classes.npz")
    layers = [byteprop.Dense(6, "relu"), byteprop.Dense(3, "softmax")]
    net = byteprop.Sequential(layers, input_shape=(8,))
    net.fit(data["x"], data["y"], epochs=3, validation_split=0.2, **arguments)
    return net


def same_weights(file: str | Path, net: byteprop.Model) -> bool:
    """Whether a saved model is the network, but for the names in it."""
    from byteprop.image import without_names

    return without_names(byteprop.load(file).image) == without_names(net.image)


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ("", {}),
        (
            "--seed 5 --schedule cosine --learning-rate 0.02",
            {"seed": 5, "schedule": "cosine", "learning_rate": 0.02},
        ),
        ("--batch-size 7", {"batch_size": 7}),
        ("--momentum 0.875 --batch-size 4", {"momentum": 0.875, "batch_size": 4}),
        ("--no-residual --rounding nearest", {"residual": False, "rounding": "nearest"}),
    ],
)
def test_board_and_fit_give_the_same_bits(
    given: str,
    arguments: dict[str, Any],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = command(
        f"--net 8-6-3 --data classes.npz -e 3 --validation-split 0.2 {given} -o net.bpm "
        "--no-report",
        capsys,
    )
    net = fitted(**arguments)
    assert result["identical"] is True
    assert result["comparison"]["weights"] == 8 * 6 + 6 * 3
    assert same_weights("net.bpm", net)
    assert [p["n"] for p in result["split"]["parts"]] == [72, 18]


def test_figures_are_those_of_fit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = command("--net 8-6-3 --data classes.npz -e 3 --validation-split 0.2", capsys)
    data = np.load("classes.npz")
    layers = [byteprop.Dense(6, "relu"), byteprop.Dense(3, "softmax")]
    net = byteprop.Sequential(layers, input_shape=(8,))
    history = net.fit(data["x"], data["y"], epochs=3, validation_split=0.2)
    for i, epoch in enumerate(result["epochs"]):
        assert epoch["training"]["loss"] == history.history["loss"][i]
        assert epoch["training"]["accuracy"] == history.history["accuracy"][i]
        assert epoch["validation"]["loss"] == history.history["val_loss"][i]
        assert epoch["validation"]["accuracy"] == history.history["val_accuracy"][i]
    assert result["counters"] == history.counters
    found = history.diagnosis
    assert result["verdict"]["kind"] == found.kind.value
    assert result["verdict"]["reason"] == found.reason.value
    assert result["verdict"]["numbers"] == pytest.approx(dict(found.numbers))
    assert [r["text"] for r in result["remarks"]] == [r.text for r in history.remarks]
    assert result["counters"]["samples"] == 3 * 72
    assert np.array(result["confusion"]["counts"]).sum() == 18
    assert result["confusion"]["part"] == "validation"
    assert Path(result["report"]).exists()


def test_verdict_and_counters_do_not_contradict(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = command("--net 8-6-3 --data classes.npz --learning-rate 127 --no-report", capsys)
    assert result["verdict"]["learning_rate"] == "lower"
    warned = [r["counter"] for r in result["remarks"] if r["is_warning"]]
    assert warned and all(name.startswith("saturated_") for name in warned)


def test_fine_tuning_keeps_frozen_layers_and_scales(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.load(MODELS / "digits_mlp.vectors.npz")["x"]
    before = byteprop.load(DIGITS)
    np.savez("digits.npz", x=x, y=before.run(x).argmax(axis=1))
    result = command(
        f"--model {DIGITS} --data digits.npz -e 2 --freeze 0 -o a.bpm -o a.tflite -o a.h", capsys
    )
    assert result["identical"] is True
    after = byteprop.load("a.bpm")
    first, second = ([op for op in m.graph.ops if hasattr(op, "weights")] for m in (before, after))
    assert np.array_equal(first[0].weights, second[0].weights)
    assert not np.array_equal(first[1].weights, second[1].weights)
    assert [t.scale for t in after.graph.tensors] == [t.scale for t in before.graph.tensors]
    assert [t.name for t in after.graph.tensors] == [t.name for t in before.graph.tensors]
    assert np.array_equal(byteprop.load("a.tflite").run(x), after.run(x))
    assert "bp_model" in Path("a.h").read_text()
    assert result["files"] == ["a.bpm", "a.tflite", "a.h"]


def test_verify_sees_pixels_as_training_did(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.RandomState(2)
    y = draw.randint(0, 4, 200)
    x = draw.randint(0, 256, (200, 4, 4)).astype(np.uint8)
    x[np.arange(200), y] = 255
    np.savez("pixels.npz", x=x, y=y)
    result = command(
        "--net 16-12-4 --data pixels.npz --validation-split 0 --test-data pixels.npz -e 2 -o p.bpm",
        capsys,
    )
    assert main(shlex.split("verify p.bpm --data pixels.npz --json --no-report --quiet")) == 0
    verified = json.loads(capsys.readouterr().out)
    scores = {f["part"]: f["score"]["accuracy"] for f in result["finals"]}
    assert verified["accuracy"]["board"] == scores["training"] == scores["test"] < 1


def test_line_is_learnt(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = command(
        "--net 1-1 --data line.npz -e 200 --input-range -10 10 --output-range -20 20 -o line.bpm",
        capsys,
    )
    (layer,) = result["parameters"]
    assert abs(layer["weights"][0][0] - 2) < 0.05 and abs(layer["bias"][0] + 1) < 0.1
    assert result["loss"] == "mean squared error" and result["confusion"] is None
    assert [f["part"] for f in result["finals"]] == ["training"]
    assert result["finals"][0]["score"]["rmse"] < 0.2 < result["finals"][0]["before"]["rmse"]
    assert result["verdict"]["reason"] == "no validation"


def test_memory_is_reported_before_anything_is_built(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_build(*arguments: Any, **more: Any) -> Any:
        raise AssertionError("built")

    monkeypatch.setattr(train_module, "build", no_build)
    plans: list[TrainingNeeds] = []
    with pytest.raises(AssertionError, match="built"):
        train(options(), listener=TrainingListener(on_plan=plans.append))
    (needs,) = plans
    assert f"{needs.training_bytes:,} bytes" in needs.text and needs.ok
    assert main(shlex.split("train -b microbit --net 8-900-3 --data classes.npz")) == 2
    error = capsys.readouterr().err
    assert "board has 16384" in error and "byteprop info" in error and "--no-residual" in error


def stop_at(ask: int) -> TrainingListener:
    """Stops when it is asked so many times; chunks of an epoch have 1, 2, 4, 8 ... samples."""
    asked = iter(range(10_000))
    return TrainingListener(should_stop=lambda: next(asked) >= ask)


@pytest.mark.parametrize(
    ("ask", "where"),
    [(0, "1 of 3, after 1 of"), (3, "1 of 3, after 15 of"), (7, "1 of 3, after 72 of its 72"),
     (8, "2 of 3, after"), (9, "2 of 3, after 72 of its 72")],
)  # fmt: skip
def test_interrupted_and_resumed_is_as_if_never_interrupted(
    folder: Path, ask: int, where: str
) -> None:
    """Also while the validation samples are evaluated."""
    whole = train(options(save=(Path("whole.bpm"),)))
    file = Path("training.checkpoint")
    with pytest.raises(TrainingInterrupted, match=f"stopped in epoch {where}") as stopped:
        train(options(checkpoint=file), listener=stop_at(ask))
    assert stopped.value.path == file
    resumed = train(options(checkpoint=file, resume=True, save=(Path("resumed.bpm"),)))
    assert resumed.identical and resumed.counters == whole.counters
    assert Path("whole.bpm").read_bytes() == Path("resumed.bpm").read_bytes()
    assert resumed.epochs == whole.epochs


def test_checkpoint_of_another_training_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(options(checkpoint=Path("a.checkpoint")))
    arguments = "train --net 8-6-3 --data classes.npz -e 4 --validation-split 0.2 --resume"
    assert main(shlex.split(f"{arguments} --checkpoint a.checkpoint")) == 2
    assert "epochs: 3 there, 4 here" in capsys.readouterr().err


def test_checkpoint_of_another_network_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(options(checkpoint=Path("a.checkpoint")))
    arguments = "train --data classes.npz -e 3 --validation-split 0.2 --checkpoint a.checkpoint"
    before = Path("a.checkpoint").read_bytes()
    assert main(shlex.split(f"{arguments} --net 8-5-3 --resume")) == 2
    error = capsys.readouterr().err
    assert "another network" in error and "[1, 6]" in error and "[1, 5]" in error
    assert Path("a.checkpoint").read_bytes() == before
    assert main(shlex.split(f"{arguments} --net 8-6-3 --resume --no-report")) == 0


def test_hostile_checkpoint_is_an_error_with_its_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.checkpoint").write_bytes(b"BPC2" + b"\xff" * 100)
    arguments = "train --net 8-6-3 --data classes.npz --checkpoint a.checkpoint --resume"
    assert main(shlex.split(arguments)) == 2
    assert "a.checkpoint: truncated" in capsys.readouterr().err


def test_the_command_to_resume_is_that_of_the_arguments() -> None:
    given = (
        "--net 8-6-3 --data 'my data.npz' --freeze 0 --freeze last --input-range -1.0 1.0 "
        "--no-shuffle --learning-rate 0.25"
    )
    parser = ArgumentParser()
    train_command.VERB.configure(parser)
    args = parser.parse_args(shlex.split(given))
    words = shlex.split(train_command._resume_command(args, Path("c")))
    assert words[:2] == ["byteprop", "train"]
    again = parser.parse_args(words[2:])
    assert vars(again) == vars(args) | {"resume": True, "checkpoint": Path("c")}


def watched(monkeypatch: pytest.MonkeyPatch) -> list[Deployment]:
    """The sessions that train opens."""
    seen: list[Deployment] = []
    real = train_module.connect

    @contextmanager
    def connect(*arguments: Any, **more: Any) -> Iterator[Deployment]:
        with real(*arguments, **more) as session:
            seen.append(session)
            yield session

    monkeypatch.setattr(train_module, "connect", connect)
    return seen


def test_reset_in_the_middle_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched(monkeypatch)
    asked = iter(range(10_000))

    def reset_twice() -> bool:
        if next(asked) in (4, 9):
            seen[0].running.reset()
        return False

    result = train(
        options(save=(Path("reset.bpm"),)), listener=TrainingListener(should_stop=reset_twice)
    )
    assert result.identical and result.figures.sessions_lost >= 2
    assert same_weights("reset.bpm", fitted())


def test_bad_line_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[FaultyLine] = []
    real = train_module.connect

    @contextmanager
    def connect(on: Any, firmware: Any, **more: Any) -> Iterator[Deployment]:
        import byteprop_host.deployment as deployment_module

        start = deployment_module.start_board

        def start_behind_a_bad_line(*arguments: Any, **options: Any) -> Any:
            running_board = start(*arguments, **options)
            line = FaultyLine(running_board.port, rate=1 / 2000, seed=3)
            lines.append(line)
            return replace_port(running_board, line)

        with monkeypatch.context() as patch:
            patch.setattr(deployment_module, "start_board", start_behind_a_bad_line)
            with real(on, firmware, **more) as session:
                yield session

    monkeypatch.setattr(train_module, "connect", connect)
    result = train(options(save=(Path("bad.bpm"),)))
    assert result.identical and result.figures.retransmissions > 0
    assert same_weights("bad.bpm", fitted())


def replace_port(running_board: Any, line: FaultyLine) -> Any:
    """The board, reached through the line."""

    class Behind:
        port = line.port
        quiet = 0.0

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *exception: object) -> None:
            line.close()
            running_board.close()

        def reset(self) -> None:
            running_board.reset()

    return Behind()


def test_board_that_goes_away_leaves_a_checkpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watched(monkeypatch)
    asked = iter(range(10_000))

    def pull_the_plug() -> bool:
        if next(asked) == 4:
            seen[0].running.close()
        return False

    with pytest.raises(LinkError, match=r"--checkpoint byteprop-train-host\.checkpoint --resume"):
        train(options(), listener=TrainingListener(should_stop=pull_the_plug), timeout=2.0)
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    file = Path("byteprop-train-host.checkpoint")
    result = train(options(checkpoint=file, resume=True, save=(Path("whole.bpm"),)))
    assert result.identical and same_weights("whole.bpm", fitted())


def test_finished_training_resumed_is_the_same_again(folder: Path) -> None:
    file = Path("done.checkpoint")
    first = train(options(checkpoint=file))
    again = train(options(checkpoint=file, resume=True))
    assert again.identical and again.counters == first.counters
    assert again.epochs == first.epochs and again.finals == first.finals
    assert again.resumed_at == first.settings.epochs
    assert f"resumed in epoch {again.resumed_at + 1}" in again.text()


def test_difference_is_named_and_ends_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = twin_module.TrainingSession

    def other_seed(device: Any, image: bytes, config: Any, **more: Any) -> Any:
        return real(device, image, replace(config, seed=config.seed + 1), **more)

    monkeypatch.setattr(twin_module, "TrainingSession", other_seed)
    result = command("--net 8-6-3 --data classes.npz -e 2 --report d.html", capsys, code=1)
    assert result["identical"] is False
    assert re.search(r"(sample \d+|dense layer \d|counter \w+)", result["comparison"]["first"])
    page = Path("d.html").read_text(encoding="utf-8")
    assert "Different weights" in page and result["comparison"]["first"].split(",")[0] in page


def test_save_on_device_is_read_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = command("--net 8-6-3 --data classes.npz -e 2 --save-on-device --no-report", capsys)
    saved = result["saved_on_board"]
    assert saved["identical"] is True and result["identical"] is True
    assert saved["image_bytes"] == result["memory"]["image_bytes"]
    assert saved["state_bytes"] == result["memory"]["state_bytes"]


def test_interrupt_keeps_a_checkpoint_and_says_how_to_go_on(folder: Path) -> None:
    arguments = "train --net 8-6-3 --data classes.npz -e 100000 --wire-log wire.log --no-report"
    log = folder / "wire.log"
    with running(shlex.split(arguments), cwd=folder) as process:
        deadline = time.monotonic() + 60.0
        while not (log.exists() and log.stat().st_size > 100_000):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        out, errors = interrupt(process, signal.SIGINT)
    assert process.returncode == 130
    assert out == "" and "Traceback" not in errors
    file = folder / "byteprop-train-host.checkpoint"
    assert file.exists()
    resume = shlex.split(errors.split("resume with: ")[1])
    given = [*shlex.split(arguments.replace("-e", "--epochs")), "--checkpoint", file.name]
    assert resume[0] == "byteprop" and sorted(resume[1:]) == sorted([*given, "--resume"])
    assert re.search(r"stopped in epoch \d+ of 100000", errors)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--data classes.npz", ["--model", "--net"]),
        ("--net 8-6-3 --data none.npz", ["none.npz", "No such file"]),
        ("--net 8x3 --data classes.npz", ["784-20-10", "8x3"]),
        ("--net 9-3 --data classes.npz", ["expected 8 ", "got 9 in 9-3"]),
        ("--net 8-6-2 --data classes.npz", ["classes.npz: y", "0..1"]),
        (f"--model {DIGITS} --data classes.npz", ["classes.npz: expected 64 ", "got 8;"]),
        ("--net 8-3 --data classes.npz -o net.onnx", ["net.onnx", ".tflite"]),
        ("--net 8-3 --data classes.npz -o no/such/net.bpm", ["no folder", "no/such"]),
        ("--net 8-3 --data classes.npz --learning-rate 200", ["learning_rate", "below 128"]),
        ("--net 8-3 --data classes.npz --learning-rate nan", ["learning_rate", "above 0"]),
        ("--net 8-3 --data classes.npz --freeze 0", ["all layers are frozen"]),
        ("--net 8-6-3 --data classes.npz --freeze nobody", ["nobody", "dense"]),
        ("--net 8-3 --data classes.npz --momentum 0.8", ["momentum", "0.875"]),
        ("--net 8-3 --data classes.npz --validation-split 0.999", ["split: 0.999 of 90"]),
        ("--net 8-3 --data classes.npz --validation-split .5 --test-split .5", ["45 and 45 of 90"]),
        ("--net 8-3 --data classes.npz --resume", ["--checkpoint"]),
        ("--net 8-3 --data classes.npz --resume --checkpoint none", ["no checkpoint none"]),
        ("--net 8-3 --data classes.npz -b mps2-an386 --save-on-device", ["no flash", "boards"]),
        ("--net 8-6-3 --data classes.npz -b arduino-uno", ["one dense layer", "2 layers"]),
        ("--net 8-3 --data x.npy", ["no labels", "--labels"]),
    ],
)
def test_errors_say_what_and_what_next(
    arguments: str, words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("x.npy", np.zeros((10, 8), np.float32))
    try:
        code = main(["train", *shlex.split(arguments), "--no-report"])
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 2
    shown = capsys.readouterr()
    assert shown.out == "" and "Traceback" not in shown.err
    assert all(word in shown.err for word in words), shown.err


def test_values_that_saturate_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = command(
        "--net 1-1 --data line.npz -e 1 --input-range -1 1 --output-range -20 20 --no-report",
        capsys,
    )
    assert len(result["warnings"]) == 1
    assert "saturate" in result["warnings"][0] and "line.npz: x" in result["warnings"][0]


def test_info_tells_what_training_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(DIGITS), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    from byteprop.engine._raw_train import Config, plan

    wanted = plan(byteprop.load(DIGITS).image, Config(seed=0))
    assert result["training"]["bytes"] == wanted.memory_bytes
    assert result["training"]["bytes_without_residuals"] < wanted.memory_bytes
    by_name = {b["board"]: b["training"] for b in result["boards"]}
    assert by_name["microbit"]["ok"] is True and by_name["host"]["ok"] is True
    assert by_name["arduino-uno"] is None
    assert by_name["microbit"]["training_bytes"] == wanted.memory_bytes
    assert main(["info", str(DIGITS)]) == 0
    assert f"train  {wanted.memory_bytes:,} bytes of RAM" in capsys.readouterr().out


def test_boards_tells_which_train_and_save(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "--json"]) == 0
    boards = {b["name"]: b for b in json.loads(capsys.readouterr().out)["boards"]}
    assert boards["microbit"]["trains"] and boards["microbit"]["saves_what_it_learnt"]
    assert boards["host"]["saves_what_it_learnt"]
    assert boards["arduino-uno"]["trains"] and not boards["arduino-uno"]["saves_what_it_learnt"]
    assert main(["boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("yes, saves" in line for line in lines if line.startswith("microbit"))


# --- inputs in the user's own units ---


def test_counts_of_a_converter_are_learnt_with_the_defaults(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained, verified and run in counts; the board sees the same integers as the host."""
    x, y = adc()
    np.savez("adc.npz", x=x, y=y)
    result = command(
        "--net 8-12-4 --data adc.npz -o net.bpm -o net.tflite -o net.h --report t.html", capsys
    )
    assert result["identical"] is True
    assert [f["score"]["accuracy"] for f in result["finals"]] == [1.0] * 3
    assert "each feature is normalised" in result["inputs"]["reason"]
    assert len(result["inputs"]["normalization"]["sub"]) == 8
    assert "each feature is normalised" in Path("t.html").read_text(encoding="utf-8")
    net = byteprop.load("net.bpm")
    found = net.inputs[0].normalization
    assert found is not None
    assert found.mul.tolist() == result["inputs"]["normalization"]["mul"]
    for file in ("net.bpm", "net.tflite"):
        assert main(["verify", file, "--data", "adc.npz", "--report", "v.html", "--json"]) == 0
        verdict = json.loads(capsys.readouterr().out)
        assert verdict["identical"] is True and verdict["accuracy"]["board"] == 1.0
        assert verdict["normalizations"] == [result["inputs"]["normalization"]]
        assert main(["verify", file, "-n", "20"]) == 0  # generated samples
        assert "normalized: each of 8 features" in capsys.readouterr().out
        assert main(["run", file, "--data", "adc.npz", "-o", "out.npy", "--quiet"]) == 0
        np.testing.assert_array_equal(np.load("out.npy"), net.run(x))
        capsys.readouterr()
        assert main(["info", file]) == 0
        assert "normalized: each of 8 features" in capsys.readouterr().out
    assert "bp_model_input_quantize" in Path("net.h").read_text(encoding="utf-8")


def test_counts_in_any_integer_type_are_the_same_counts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = adc(bits=7)
    images = []
    for dtype in (np.float32, np.int8, np.int16, np.int64):
        np.savez("adc.npz", x=x.astype(dtype), y=y)
        assert command("--net 8-12-4 --data adc.npz -e 1 -o net.bpm", capsys)["identical"] is True
        images.append(byteprop.load("net.bpm").image)
    assert len(set(images)) == 1


def test_fit_and_the_command_measure_the_same_samples(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that are trained on: what is held out for validation has no say."""
    x, y = weather()
    x[::7] *= 3
    np.savez("weather.npz", x=x, y=y)
    command(
        "--net 3-8-2 --data weather.npz -e 2 --validation-split 0.3 --test-split 0 -o net.bpm",
        capsys,
    )
    layers = [byteprop.Dense(8, "relu"), byteprop.Dense(2, "softmax")]
    net = byteprop.Sequential(layers, input_shape=3)
    net.fit(x, y, epochs=2, validation_split=0.3)
    assert same_weights("net.bpm", net)


def test_early_stopping_ends_board_and_host_after_the_same_epoch(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = "--net 8-6-3 --data classes.npz --epochs 40 --early-stopping 2 --validation-split 0.2"
    found = command(f"{given} --schedule constant --lr 0.3", capsys)
    losses = [epoch["validation"]["loss"] for epoch in found["epochs"]]
    assert 3 <= len(losses) < 40
    assert min(losses[-2:]) >= min(losses[:-2])
