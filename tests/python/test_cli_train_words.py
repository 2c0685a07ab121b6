"""What byteprop train says about its figures, how it divides samples, and its report."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from byteprop.engine._raw_train import Config, Trainer
from byteprop.errors import ArgumentError
from byteprop.training.diagnosis import describe
from byteprop.training.options import TrainOptions
from byteprop_host.target import BoardTarget
from byteprop_host.training.compare import Trained, first_difference
from byteprop_host.training.data import Sources, load_parts
from byteprop_host.training.job import Options, train
from byteprop_host.training.report import line_chart, render
from byteprop_host.training.result import TrainingResult
from byteprop_host.training.subject import Subject

# --- parts ---


@pytest.fixture
def data(tmp_path: Path) -> Path:
    x = np.arange(400.0).reshape(200, 2)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(200))
    np.savez(tmp_path / "few.npz", x=x[:30], y=np.arange(30))
    return tmp_path / "data.npz"


def test_every_sample_is_in_one_part(data: Path) -> None:
    parts = load_parts(Sources(data, validation_split=0.2, test_split=0.1), seed=3)
    assert [p.name for p in parts.all] == ["training", "validation", "test"]
    assert [len(p) for p in parts.all] == [140, 40, 20]
    assert sorted(np.concatenate([p.y for p in parts.all])) == list(range(200))
    assert all(np.array_equal(p.x[:, 0], 2 * p.y) for p in parts.all)
    assert "20% for validation and 10% for test drawn with seed 3" in parts.how
    again = load_parts(Sources(data, validation_split=0.2, test_split=0.1), seed=3)
    other = load_parts(Sources(data, validation_split=0.2, test_split=0.1), seed=4)
    assert np.array_equal(parts.training.y, again.training.y)
    assert not np.array_equal(parts.training.y, other.training.y)


def test_usual_shares_only_where_there_is_enough(data: Path) -> None:
    assert [len(p) for p in load_parts(Sources(data), seed=0).all] == [160, 20, 20]
    few = load_parts(Sources(data.with_name("few.npz")), seed=0)
    assert [p.name for p in few.all] == ["training"] and "no validation set" in few.how
    none = load_parts(Sources(data, validation_split=0, test_split=0), seed=0)
    assert [len(p) for p in none.all] == [200]


def test_files_of_their_own(data: Path) -> None:
    few = data.with_name("few.npz")
    parts = load_parts(Sources(data, validation=few, test_split=0.0), seed=0)
    assert [len(p) for p in parts.all] == [200, 30]
    assert parts.validation is not None and parts.validation.source == str(few)
    with pytest.raises(ArgumentError, match="^--validation-split: expected"):
        load_parts(Sources(data, validation=few, validation_split=0.1), seed=0)
    np.savez(few, x=np.zeros((5, 3)), y=np.zeros(5))
    with pytest.raises(ArgumentError, match=r"few\.npz: expected 2 values per sample .* got 3"):
        load_parts(Sources(data, validation=few), seed=0)


# --- comparison ---


def trained(image: bytes, config: Config, seed: int) -> Trained:
    draw = np.random.RandomState(seed)
    trainer = Trainer(image, config)
    x = draw.randint(0, 256, (30, 64)).astype(np.uint8)
    y = draw.randint(0, 10, 30).astype(np.uint16)
    trainer.run(x, y, lr_q24=np.full(30, 100_000, np.uint32))
    return Trained(trainer.image, trainer.state, trainer.counters)


def test_first_difference_is_named() -> None:
    import byteprop

    models = Path(__file__).resolve().parents[1] / "data" / "models"
    image = byteprop.load(models / "digits_mlp.tflite").image
    config = Config(seed=1)
    a, b = trained(image, config, 1), trained(image, config, 1)
    assert first_difference(a, b, config) == ""
    other = trained(image, config, 2)
    same_counters = replace(other, counters=a.counters)
    assert "dense layer 0, weight [0, " in first_difference(same_counters, a, config)
    more = replace(a, counters=replace(a.counters, steps=31))
    assert first_difference(more, a, config) == "counter steps: board 31, host 30"
    flipped = replace(a, state=a.state[:-1] + bytes([a.state[-1] ^ 1]))
    assert first_difference(flipped, a, config).startswith("dense layer 1, residual [9, 31]")
    assert "bytes of image" in first_difference(replace(a, image=a.image + b"x"), a, config)


# --- report ---


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """100 pictures of 4 x 4 in two classes, on the host board."""
    folder = tmp_path_factory.mktemp("report")
    draw = np.random.RandomState(1)
    y = draw.randint(0, 2, 100)
    x = draw.randint(0, 128, (100, 4, 4)).astype(np.uint8)
    x[y == 1, :2] += 100
    np.savez(folder / "<b>pictures.npz", x=x, y=y)
    pictures = Sources(folder / "<b>pictures.npz")
    options = Options(Subject(net="16-5-2"), pictures, TrainOptions(epochs=4))
    return train(options, BoardTarget.of("host"))


class _Checker(HTMLParser):
    """Whether tags match, and what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
        if tag not in ("meta", "img", "line", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_report_is_whole_and_loads_nothing(result: TrainingResult) -> None:
    page = render(result)
    checker = _Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.sources and all(s.startswith("data:image/png") for s in checker.sources)
    assert len(checker.sources) == 5 + 10  # units of the first layer, test samples
    assert "<script" not in page and "http://" not in page and "https://" not in page
    assert "<b>pictures.npz" not in page and "&lt;b&gt;pictures.npz" in page


def test_report_has_curves_confusion_parts_and_verdict(result: TrainingResult) -> None:
    page = render(result)
    assert page.count('<polyline class="a"') == 3  # loss, accuracy, weights of layer 0
    assert "Loss by epoch" in page and "Accuracy by epoch" in page
    assert result.confusion is not None and int(result.confusion.sum()) == 10
    checker = _Checker()
    checker.feed(page)
    text = " ".join(checker.texts)
    assert "Same weights to the bit" in text
    assert describe(result.diagnosis)[1:] in text
    for remark in result.remarks:
        assert remark.text in text
    assert f"{result.plan.training_bytes:,}" in text
    for name in ("training", "validation", "test"):
        assert name in text


def test_report_of_a_difference_is_no_success(result: TrainingResult) -> None:
    wrong = replace(result, comparison=replace(result.comparison, first="dense layer 0, <x>"))
    page = render(wrong)
    assert '<header class="bad">' in page and "Different weights" in page
    assert "dense layer 0, &lt;x&gt;" in page
    assert wrong.text().startswith("DIFFERENT: dense layer 0")
    assert wrong.to_json()["identical"] is False


@pytest.mark.parametrize(
    "points", [[(1.0, 0.5)], [(1.0, 0.0), (2.0, 0.0)], [(1.0, 3e9), (9.0, 1e-9)]]
)
def test_charts_of_odd_figures(points: list[tuple[float, float]]) -> None:
    svg = line_chart(points, [], "loss")
    assert "nan" not in svg and "inf" not in svg
    assert svg.count("<circle") == len(points)
