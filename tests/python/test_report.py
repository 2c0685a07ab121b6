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
from byteprop_host.report.images import mosaic, pictures_of, png, png_uri
from byteprop_host.verify import verify
from byteprop_host.verify.arena import Occupied, bytes_in_use
from byteprop_host.verify.compare import Comparison, Difference, LayerDifference
from byteprop_host.verify.feature_maps import first_feature_maps
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


# --- convolutional models ----------------------------------------------------------------------


CNN = Path(__file__).resolve().parents[2] / "examples/fashion_mnist/fashion_cnn.tflite"


@pytest.fixture(scope="module")
def cnn() -> Verdict:
    return verify(CNN, data=CNN.with_name("t10k-1000.npz"), samples=6)


def decoded(page: str, alt: str) -> np.ndarray:
    """The first picture with that description."""
    encoded = re.search(rf'alt="{alt}" src="data:image/png;base64,([^"]+)"', page)
    assert encoded is not None
    data = base64.b64decode(encoded.group(1))
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    channels = {0: 1, 2: 3}[colour]
    at = data.index(b"IDAT")
    size = struct.unpack(">I", data[at - 4 : at])[0]
    rows = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + size]), np.uint8)
    pixels = rows.reshape(height, 1 + width * channels)[:, 1:]
    return pixels.reshape(height, width, channels)


def test_feature_maps_are_those_of_the_first_convolution(cnn: Verdict) -> None:
    """12 maps of 14 x 14, in two rows of six, with a line between them."""
    page = render(cnn)
    maps = decoded(page, "feature maps")[..., 0]
    assert maps.shape == (2 * 15 - 1, 6 * 15 - 1)
    assert (maps[14] == 255).all() and (maps[:, 14::15] == 255).all()
    x = cnn.samples.device[0][:1].reshape(1, *cnn.graph.tensors[cnn.graph.inputs[0]].shape[1:])
    (first, *_) = byteprop.reference.run_layers(cnn.graph, [x])
    for k in range(12):
        y, left = k // 6 * 15, k % 6 * 15
        expected = first[0, :, :, k].astype(int) + 128
        assert np.array_equal(maps[y : y + 14, left : left + 14], expected)
    assert "The 12 maps of 14 × 14 values that layer 0 (Conv" in page


def test_a_sample_with_contrast_is_shown() -> None:
    """The first generated samples have one value everywhere."""
    verdict = verify(CNN, samples=6)
    found = first_feature_maps(verdict.graph, verdict.samples)
    assert found is not None and found.sample == 3


def test_models_without_pictures_have_no_feature_maps(verdict: Verdict) -> None:
    assert first_feature_maps(verdict.graph, verdict.samples) is None
    assert "feature maps" not in render(verdict)


def test_the_arena_map_has_a_box_for_every_tensor(cnn: Verdict) -> None:
    page = render(cnn)
    boxes = re.findall(r'<rect class="(\w+)" x="([\d.]+)" y="([\d.]+)" ', page)
    assert len(boxes) == len(cnn.arena)
    assert sum(kind == "scratch" for kind, _, _ in boxes) == 2
    assert all(float(x) >= 70 and -0.1 <= float(y) <= 236 for _, x, y in boxes)
    assert max(o.end for o in cnn.arena) == cnn.figures.arena_bytes
    assert max(layer.ram_bytes for layer in cnn.layers) <= cnn.figures.arena_bytes


def test_shares_of_the_layers_are_of_the_whole(cnn: Verdict) -> None:
    shares = [layer.share for layer in cnn.layers]
    total = sum(layer.cost or 0 for layer in cnn.layers)
    assert shares == [(layer.cost or 0) / total for layer in cnn.layers]
    for layer in cnn.layers:
        assert f"<span>{layer.cost:,} <small>{layer.share:.1%}</small></span>" in render(cnn)


def test_bytes_in_use_count_shared_bytes_once() -> None:
    occupied = (
        Occupied("a", False, 0, 10, 0, 1),
        Occupied("b", False, 6, 10, 1, 2),
        Occupied("", True, 20, 5, 1, 1),
        Occupied("inside", False, 7, 2, 1, 1),
    )
    assert [bytes_in_use(occupied, layer) for layer in range(4)] == [10, 21, 10, 0]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 784), (2, 28, 28)),
        ((1, 28, 28), (2, 28, 28)),
        ((1, 28, 28, 1), (2, 28, 28)),
        ((1, 32, 32, 3), (2, 32, 32, 3)),
        ((1, 49, 10, 1), (2, 10, 49)),  # tall: turned
        ((1, 12, 4, 3), (2, 12, 4, 3)),
        ((1, 640), None),
        ((1, 3, 40, 1), None),
        ((1, 8, 8, 2), None),
        ((1,), None),
        ((), None),
    ],
)
def test_shapes_that_are_pictures(shape: tuple[int, ...], expected: tuple[int, ...] | None) -> None:
    n = int(np.prod(shape))
    values = (np.arange(2 * n) % 256).astype(np.uint8).reshape(2, n)
    pictures = pictures_of(values, shape)
    if expected is None:
        assert pictures is None
        return
    assert pictures is not None and pictures.shape == expected
    turned = shape[1:3] == (49, 10)
    back = pictures.swapaxes(1, 2) if turned else pictures
    assert np.array_equal(back.reshape(2, n), values)


def test_a_mosaic_has_full_rows_where_it_can() -> None:
    for n, size in (
        (16, (2, 8)),
        (64, (4, 16)),
        (12, (2, 6)),
        (7, (1, 7)),
        (13, (3, 6)),
        (1, (1, 1)),
    ):
        maps = np.zeros((5, 5, n), np.uint8)
        assert mosaic(maps).shape == (size[0] * 6 - 1, size[1] * 6 - 1)


def test_colours_are_written_as_such() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    page = f'alt="x" src="{png_uri(pixels)}"'
    assert np.array_equal(decoded(page, "x"), pixels)
