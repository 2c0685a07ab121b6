"""Parts of reports: other runtimes' kernels, the model as a drawing, differences, names of classes,
and the judgement of a training."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from byteprop_host.cli import main
from byteprop_host.report.page import confusion_table
from byteprop_host.training.judgement import Outcome, judge
from byteprop_host.training.scores import Score
from byteprop_host.verify import verify
from byteprop_host.verify.compare import compare_outputs
from byteprop_host.verify.model_graph import model_graph, places_of, ranks_of
from byteprop_host.verify.other_kernels import OtherKernels, compare_with_others
from byteprop_host.verify.references import ReferenceKind
from byteprop_host.verify.report import render
from byteprop_host.verify.report_differences import MAX_DIFFERENT
from byteprop_host.verify.verdict import Verdict

FASHION = Path(__file__).resolve().parents[2] / "examples/fashion_mnist"
MODEL = FASHION / "fashion_mlp.tflite"
CNN = FASHION / "fashion_cnn.tflite"
DATA = FASHION / "t10k-1000.npz"
CLASSES = FASHION / "classes.txt"


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return verify(
        CNN,
        data=DATA,
        samples=80,
        classes=CLASSES,
        reference=ReferenceKind.NUMPY,
        other_kernels=True,
    )


def different(verdict: Verdict, n: int) -> Verdict:
    """The first n samples differ by one step."""
    outputs = verdict.outputs[0].copy()
    outputs[:n, 0] ^= 1
    comparison = compare_outputs(verdict.graph, (outputs,), verdict.expected_outputs)
    return dataclasses.replace(verdict, outputs=(outputs,), comparison=comparison)


# --- default kernels of other runtimes ---


def test_a_runtime_is_compared_output_by_output(verdict: Verdict) -> None:
    runtime = pytest.importorskip("tflite_runtime.interpreter")
    interpreter = runtime.Interpreter(model_path=str(CNN))
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    theirs = []
    for x in verdict.samples.file[0]:
        interpreter.set_tensor(source["index"], x.reshape(source["shape"]))
        interpreter.invoke()
        theirs.append(interpreter.get_tensor(target["index"]).reshape(-1))
    distance = np.abs(np.stack(theirs).astype(int) - verdict.outputs[0].astype(int))
    found = next(o for o in verdict.others if o.name == "tflite")
    assert found.bytes_total == 800 and found.samples == 80
    assert found.bytes_equal == np.count_nonzero(distance == 0)
    assert found.most == distance.max()
    assert f"<td>{found.bytes_equal} of 800</td>" in render(verdict)


def test_differences_of_known_outputs_are_counted(verdict: Verdict) -> None:
    pytest.importorskip("tflite_runtime")
    changed = verdict.outputs[0].copy()
    changed[3] = np.where(changed[3] > 0, changed[3] - 7, changed[3] + 7)

    def found(outputs: np.ndarray) -> OtherKernels:
        others = compare_with_others(CNN.read_bytes(), verdict.graph, verdict.samples, (outputs,))
        return next(o for o in others if o.name == "tflite")

    before, after = found(verdict.outputs[0]), found(changed)
    assert before.bytes_equal - after.bytes_equal == 10
    assert after.most == 7


def test_the_line_says_why_bytes_differ() -> None:
    found = OtherKernels("LiteRT", "ai-edge-litert 2", 1000, 10_000, 9970, 1, 1000)
    assert found.text == (
        "9,970 of 10,000 bytes equal the default kernels', others differ by at most 1 step "
        "(ai-edge-litert 2): they round in another way (byteprop help faq)"
    )
    equal = dataclasses.replace(found, bytes_equal=10_000, most=0)
    assert equal.text == "10,000 of 10,000 bytes equal the default kernels' (ai-edge-litert 2)"


def test_one_option_leaves_the_comparison_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["verify", str(MODEL), "--samples", "3", "--json", "--report"]
    arguments.append(str(tmp_path / "report.html"))
    assert main(arguments) == 0
    shown = capfd.readouterr()
    assert shown.err == ""  # the runtimes print remarks of their own
    names = {o["name"] for o in json.loads(shown.out)["default_kernels"]}
    assert main([*arguments, "--no-other-kernels"]) == 0
    assert json.loads(capfd.readouterr().out)["default_kernels"] == []
    assert "Default kernels of" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    pytest.importorskip("tflite_runtime")
    assert "tflite" in names


def test_other_models_than_tflite_have_no_comparison(tmp_path: Path) -> None:
    file = tmp_path / "a.bpm"
    assert main(["convert", str(MODEL), "-o", str(file)]) == 0
    assert verify(file, samples=3, other_kernels=True).others == ()


# --- the model as a drawing ---


def test_the_graph_has_every_layer_and_shape(verdict: Verdict) -> None:
    drawn = model_graph(verdict)
    names = re.findall(r'class="name"[^>]*>([^<]+)<', drawn)
    assert names == ["input", "0 Conv", "1 Conv", "2 Reshape", "3 Dense", "4 Softmax"]
    shapes = re.findall(r'<text x="\d+" y="\d+">([^<]+)<', drawn)
    assert shapes == ["1×28×28×1", "1×14×14×12", "1×7×7×24", "1×1176", "1×10"]
    assert drawn.count("<path ") == 5
    tops = [int(y) for y in re.findall(r'<rect x="\d+" y="(\d+)"', drawn)]
    assert tops == sorted(set(tops))  # one below the other


def test_branches_are_next_to_each_other() -> None:
    """Two layers read the input, the third reads both; a fourth reads the input again."""
    ops = [((0,), (1,)), ((0,), (2,)), ((1, 2), (3,)), ((3, 0), (4,))]
    graph = SimpleNamespace(inputs=(0,), ops=[SimpleNamespace(inputs=i, outputs=o) for i, o in ops])
    assert ranks_of(graph) == [0, 1, 1, 2, 3]  # type: ignore[arg-type]
    places = places_of([0, 1, 1, 2, 3])
    assert places[1][1] == places[2][1] > places[0][1]
    assert places[1][0] < places[0][0] == places[3][0] == places[4][0] < places[2][0]


# --- names of classes, and what differs ---


def test_names_are_in_the_report(verdict: Verdict) -> None:
    page = render(verdict)
    assert '<th class="class">9 Ankle boot</th>' in page
    assert "<b>Ankle boot</b>" in page
    assert verdict.to_json()["classes"][1] == "Trouser"


def test_words_of_the_data_are_the_names(tmp_path: Path) -> None:
    with np.load(DATA) as data:
        x, y = data["x"][:20], data["y"][:20]
    words = np.array([f"class-{'abcdefghij'[i]}" for i in range(10)])
    labels = np.concatenate([words[y], words])  # all of them
    np.savez(tmp_path / "a.npz", x=np.concatenate([x, x[:10]]), y=labels)
    made = verify(MODEL, data=tmp_path / "a.npz", reference=ReferenceKind.NUMPY)
    assert made.classes == tuple(words)


def test_names_are_escaped() -> None:
    table = confusion_table(np.eye(2, dtype=np.int64), ("<b>", "b"))
    assert "0 &lt;b&gt;" in table and "<b>" not in table


@pytest.mark.parametrize("n", [3, 60])
def test_every_sample_that_differs_has_a_picture(verdict: Verdict, n: int) -> None:
    page = render(different(verdict, n))
    assert page.count('alt="different sample ') == min(n, MAX_DIFFERENT)
    assert f"{n} samples, with the board" in page
    assert ("The first 48 are shown." in page) == (n > MAX_DIFFERENT)
    assert "<small>by 1</small>" in page
    assert "different sample" not in render(verdict)


# --- whether training helped ---


@pytest.mark.parametrize(
    ("n", "before", "after", "outcome"),
    [
        (10_000, 0.85, 0.80, Outcome.WORSE),
        (10_000, 0.80, 0.85, Outcome.BETTER),
        (10_000, 0.85, 0.849, Outcome.SAME),
        (100, 0.80, 0.78, Outcome.FEW),
        (100, 0.80, 0.40, Outcome.WORSE),
        (20, 0.9, 1.0, Outcome.FEW),
    ],
)
def test_accuracies_are_judged_by_their_samples(
    n: int, before: float, after: float, outcome: Outcome
) -> None:
    made = judge([("test", Score(n, 0.0, accuracy=after), Score(n, 0.0, accuracy=before))])
    assert made.outcome is outcome
    assert f"accuracy of {n:,} test samples went from {before:.4f} to {after:.4f}" in made.text
    assert made.is_warning == (outcome in (Outcome.WORSE, Outcome.FEW))


@pytest.mark.parametrize(
    ("n", "before", "after", "outcome"),
    [
        (100, 1.0, 1.5, Outcome.WORSE),
        (100, 1.5, 1.0, Outcome.BETTER),
        (100, 1.0, 1.01, Outcome.SAME),
        (9, 1.0, 1.5, Outcome.FEW),
    ],
)
def test_values_are_judged_by_their_error(
    n: int, before: float, after: float, outcome: Outcome
) -> None:
    scores = [("validation", Score(n, 0.0, rmse=after), Score(n, 0.0, rmse=before))]
    assert judge(scores).outcome is outcome


def test_training_samples_are_no_judge() -> None:
    score = Score(1000, 0.0, accuracy=0.9)
    assert judge([("training", score, score)]).outcome is Outcome.UNKNOWN
    assert judge([("test", score, None)]).outcome is Outcome.UNKNOWN
    better = ("test", Score(10_000, 0.0, accuracy=0.9), Score(10_000, 0.0, accuracy=0.5))
    assert judge([("validation", score, score), better]).outcome is Outcome.BETTER


def test_a_training_that_made_it_worse_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rate that is far too high."""
    report = tmp_path / "report.html"
    arguments = ["train", "--model", str(MODEL), "--data", str(DATA), "--epochs", "1", "--lr", "1"]
    arguments += ["--test-split", "0.4", "--classes", str(CLASSES), "--report", str(report)]
    assert main(arguments) == 0
    assert re.search(r"^warning    training made the model worse: ", capsys.readouterr().out, re.M)
    page = report.read_text(encoding="utf-8")
    assert "The model is worse than before" in page and "Ankle boot" in page
    assert "bytes of RAM needed" in page
