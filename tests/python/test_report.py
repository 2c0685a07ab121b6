"""The HTML report: whole in one file, honest about differences, safe with any name."""

from __future__ import annotations

import base64
import dataclasses
import re
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop_host.report.page import png
from byteprop_host.verify import verify
from byteprop_host.verify.compare import Comparison, Difference, LayerDifference
from byteprop_host.verify.references import ReferenceKind
from byteprop_host.verify.report import render
from byteprop_host.verify.verdict import Verdict

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
DIGITS = MODELS / "digits_mlp.tflite"


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """40 labelled digits on the host board, four labels wrong."""
    folder = tmp_path_factory.mktemp("report")
    x = np.load(MODELS / "digits_mlp.vectors.npz")["x"][:40]
    labels = byteprop.load(DIGITS).run(x).argmax(axis=1)
    labels[10:14] = (labels[10:14] + 1) % 10
    np.savez(folder / "digits.npz", x=x, y=labels)
    return verify(DIGITS, data=folder / "digits.npz", reference=ReferenceKind.NUMPY)


def with_difference(verdict: Verdict) -> Verdict:
    difference = Difference(3, "logits", (0, 7), -5, 6)
    return dataclasses.replace(
        verdict,
        comparison=Comparison(40, 1, 400, 1, (difference,)),
        layer=LayerDifference(3, 1, "Dense", "hidden", (0, 2), 11, 12, 1, 10),
    )


class _Checker(HTMLParser):
    """Collects what a page loads, and whether its tags match."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
        if tag not in ("meta", "img", "line", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_well_formed_and_loads_nothing(verdict: Verdict) -> None:
    for page in (render(verdict), render(with_difference(verdict))):
        checker = _Checker()
        checker.feed(page)
        assert checker.open == []
        assert len(checker.sources) == 24
        assert all(s.startswith("data:image/png;base64,") for s in checker.sources)
        assert "url(" not in page and "@import" not in page and "<script" not in page
        assert "http://" not in page and "https://" not in page


def test_pictures_are_the_samples(verdict: Verdict) -> None:
    encoded = re.search(r'alt="sample 0" src="data:image/png;base64,([^"]+)"', render(verdict))
    assert encoded is not None
    data = base64.b64decode(encoded.group(1))
    assert struct.unpack(">II", data[16:24]) == (8, 8)
    at = data.index(b"IDAT")
    size = struct.unpack(">I", data[at - 4 : at])[0]
    rows = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + size]), np.uint8).reshape(8, 9)
    sample = verdict.samples.device[0][0].reshape(8, 8).astype(int) + 128
    assert np.array_equal(rows[:, 1:], sample)


def test_png_chunks_have_their_checksums() -> None:
    data = png(np.arange(6, dtype=np.uint8).reshape(2, 3))
    at = 8
    kinds = []
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 4 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(body)
        kinds.append(kind)
        at += 12 + size
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


def test_good_report_has_the_figures(verdict: Verdict) -> None:
    page = render(verdict)
    assert "Identical on every byte" in page
    assert "400 of 400 output bytes" in page.replace("\n", " ")
    assert "90.00%" in page
    assert f"{verdict.figures.macs:,}" in page
    assert "byteprop.reference (NumPy)" in page
    assert "Differences" not in page
    assert page.count('<figure class="missed">') == 4


def test_bad_report_names_value_place_and_layer(verdict: Verdict) -> None:
    page = render(with_difference(verdict))
    assert "Different" in page and "Identical on every byte" not in page
    assert "<td>3</td><td>logits</td><td>[0, 7]</td><td>-5</td><td>6</td>" in page
    assert "layer 1 (Dense" in page
    assert page.count('<tr class="wrong">') == 1


def test_names_from_outside_are_escaped(verdict: Verdict) -> None:
    evil = dataclasses.replace(with_difference(verdict), model="<script>alert(1)</script>.tflite")
    page = render(evil)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_model_without_pictures_and_labels_has_a_report() -> None:
    made = verify(MODELS / "regression_1x1.tflite", samples=4, reference=ReferenceKind.NUMPY)
    page = render(made)
    assert "Identical on every byte" in page
    assert "<img" not in page and "Confusion" not in page
