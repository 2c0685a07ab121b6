"""Reports as people see them: in a browser, wide and narrow, bright and dark. Nothing may be wider
than the window, and all text must stand out from what is behind it."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import byteprop
from byteprop.anomaly import figures_of
from byteprop.engine._raw_anomaly import Config, Detector
from byteprop.training.options import TrainOptions
from byteprop_host.anomaly.report import render as render_detection
from byteprop_host.anomaly.result import Costs, DetectionResult, Trained
from byteprop_host.quantization import quantize_file
from byteprop_host.quantization_report import render as render_quantization
from byteprop_host.target import BoardTarget
from byteprop_host.training.data import Sources
from byteprop_host.training.job import Options, train
from byteprop_host.training.report import render as render_training
from byteprop_host.training.subject import Subject
from byteprop_host.verify import verify
from byteprop_host.verify.compare import LayerDifference, compare_outputs
from byteprop_host.verify.references import ReferenceKind
from byteprop_host.verify.report import render

FASHION = Path(__file__).resolve().parents[2] / "examples/fashion_mnist"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DARK = "(prefers-color-scheme:dark)"
DATA = FASHION / "t10k-1000.npz"

# Looks at the page in a frame, and writes what is wrong with it into the document.
LOOK = r"""
<script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument, view = page.defaultView;
  const rgba = text => {
    const found = (text.match(/rgba?\([^)]*\)/) || ["rgba(0,0,0,0)"])[0];
    const [r, g, b, a = 1] = found.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
  const lightness = color => {
    const [r, g, b] = color.map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [low, high] = [lightness(a), lightness(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  // All backgrounds that an element may have behind it: a gradient has its ends.
  const behind = element => {
    if (!element) return [[255, 255, 255]];
    const style = view.getComputedStyle(element);
    const ends = style.backgroundImage.match(/rgba?\([^)]*\)/g);
    if (ends) return ends.map(end => rgba(end).slice(0, 3));
    return behind(element.parentElement).map(color => over(rgba(style.backgroundColor), color));
  };
  const faint = [], wide = [];
  const texts = page.createTreeWalker(page.body, view.NodeFilter.SHOW_TEXT);
  let n = 0;
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest("title,script,style")) continue;
    n += 1;
    const style = view.getComputedStyle(element);
    const color = rgba(element.ownerSVGElement ? style.fill : style.color);
    const size = parseFloat(style.fontSize), bold = parseInt(style.fontWeight) >= 600;
    const least = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    for (const color_behind of behind(element)) {
      const found = contrast(over(color, color_behind), color_behind);
      if (found < least)
        faint.push(`${element.tagName}.${element.className.baseVal ?? element.className}: ` +
          `${texts.currentNode.data.trim().slice(0, 30)}: ${found.toFixed(2)} < ${least}`);
    }
  }
  for (const element of page.body.querySelectorAll("*")) {
    if (element.closest(".scroll") && !element.matches(".scroll")) continue;
    const box = element.getBoundingClientRect();
    if (box.right > view.innerWidth + 0.5 || box.left < -0.5)
      wide.push(`${element.tagName}.${element.className.baseVal ?? element.className}`);
  }
  const root = page.documentElement;
  document.getElementById("found").textContent = JSON.stringify({
    width: view.innerWidth, scrolls: root.scrollWidth > view.innerWidth, n,
    faint: [...new Set(faint)].slice(0, 20), wide: [...new Set(wide)].slice(0, 20),
  });
});
</script>
"""


@pytest.fixture(scope="session")
def browser() -> str:
    for name in BROWSERS:
        if (path := shutil.which(name)) is not None:
            return path
    pytest.skip("chromium is not installed; scripts/setup installs it")


def look(browser: str, page: str, width: int, folder: Path, *, dark: bool) -> dict[str, Any]:
    """What a browser finds in a page that is `width` pixels wide."""
    assert DARK in page
    page = page.replace(DARK, "(min-width:0)" if dark else "(max-width:0)")
    frame = f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(page)}">'
    file = folder / "look.html"
    file.write_text(
        f'<!doctype html><meta charset="utf-8"><pre id="found"></pre>{frame}</iframe>{LOOK}',
        encoding="utf-8",
    )
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000",
         f"--user-data-dir={folder / 'browser'}", "--virtual-time-budget=10000", "--dump-dom",
         file.as_uri()],
        capture_output=True, text=True, timeout=120.0, check=True,
    )  # fmt: skip
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None and found[1], done.stderr[-2000:]
    result: dict[str, Any] = json.loads(html.unescape(found[1]))
    return result


def good() -> str:
    return render(
        verify(
            FASHION / "fashion_cnn.tflite",
            data=DATA,
            samples=60,
            classes=FASHION / "classes.txt",
            other_kernels=True,
        )
    )


def different() -> str:
    """Some outputs and a layer differ."""
    verdict = verify(
        FASHION / "fashion_mlp.tflite", data=DATA, samples=60, reference=ReferenceKind.NUMPY
    )
    outputs = verdict.outputs[0].copy()
    outputs[5:40, 3] ^= 1
    return render(
        dataclasses.replace(
            verdict,
            outputs=(outputs,),
            comparison=compare_outputs(verdict.graph, (outputs,), verdict.expected_outputs),
            layer=LayerDifference(5, 1, "Dense", "hidden", (0, 2), 11, 12, 1, 10),
        )
    )


def training() -> str:
    options = Options(
        subject=Subject(file=FASHION / "fashion_mlp.tflite"),
        sources=Sources(data=DATA, limit=300),
        training=TrainOptions(epochs=2),
        classes=FASHION / "classes.txt",
    )
    return render_training(train(options, BoardTarget.of()))


def quantized() -> str:
    file = FASHION / "fashion_cnn_float.tflite"
    found = quantize_file(file, DATA, lambda network, x: byteprop.quantize(network, x), samples=60)
    return render_quantization(found, file, Path("cnn.tflite"))


def detection() -> str:
    def windows(n: int) -> npt.NDArray[np.bool_]:
        return np.arange(n) % 7 < 2

    learnt, found = np.linspace(1e6, 4e6, 90), np.linspace(1e6, 9e6, 60)
    detector = Detector(Config(votes=1, window=2))
    for score in learnt:
        detector.learn(int(score))
    verdicts = tuple(detector.judge(int(score)) for score in found)
    costs = Costs(5408, 15460, 16384, 262144, 700, 1536, "instructions", 4131, 207377, 3, 1, 19.0)
    return render_detection(
        DetectionResult(
            "machine.tflite", BoardTarget.of().board, False, 7, detector.config, "normal.npz",
            "test.npz", "", detector.threshold, learnt, verdicts, windows(60),
            figures_of(list(verdicts), windows(60)), Trained(90, 5, 450, 0.1, "RAM 1 of 2 bytes"),
            costs, "in the board's flash, slot 0", (), 0.08, ("a warning",),
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    "make", [good, different, training, quantized, detection], ids=lambda make: make.__name__
)
def test_reports_fit_and_can_be_read(make: Callable[[], str], browser: str, tmp_path: Path) -> None:
    page = make()
    for width in (1280, 400):
        for dark in (False, True):
            found = look(browser, page, width, tmp_path, dark=dark)
            assert found["width"] == width and found["n"] > (
                40 if make in (quantized, detection) else 100
            )
            where = f"{width} pixels, {'dark' if dark else 'bright'}"
            assert not found["scrolls"] and found["wide"] == [], (where, found["wide"])
            assert found["faint"] == [], (where, found["faint"])


def printed(browser: str, page: str, folder: Path) -> list[npt.NDArray[np.uint8]]:
    """The sheets of paper that a page becomes, as grey pictures. The browser is in its dark theme,
    which must not be printed."""
    if shutil.which("pdftoppm") is None:
        pytest.skip("poppler-utils is not installed; scripts/setup installs it")
    assert DARK in page
    (folder / "print.html").write_text(page.replace(DARK, "(min-width:0)"), encoding="utf-8")
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
         f"--user-data-dir={folder / 'browser'}", f"--print-to-pdf={folder / 'print.pdf'}",
         (folder / "print.html").as_uri()],
        capture_output=True, timeout=120.0, check=True,
    )  # fmt: skip
    subprocess.run(
        ["pdftoppm", "-r", "30", "-gray", folder / "print.pdf", folder / "sheet"], check=True
    )
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("sheet*.pgm"))]


@pytest.mark.parametrize(
    ("make", "most"), [(good, 6), (training, 10)], ids=lambda v: getattr(v, "__name__", None)
)
def test_reports_are_printed_on_white_paper(
    make: Callable[[], str], most: int, browser: str, tmp_path: Path
) -> None:
    sheets = printed(browser, make(), tmp_path)
    assert 2 <= len(sheets) <= most
    for sheet in sheets:
        height, width = sheet.shape
        edges = (sheet[: height // 40], sheet[-height // 40 :], sheet[:, : width // 40])
        assert all((edge == 255).all() for edge in edges)
        assert np.mean(sheet > 200) > 0.6  # pictures and the verdict are dark


def test_a_dark_page_is_found_when_it_is_printed(browser: str, tmp_path: Path) -> None:
    dark = "html{background:#111;-webkit-print-color-adjust:exact;height:100%}"
    page = f"<!doctype html><style>@media {DARK}{{{dark}}}</style><p>dark</p>"
    (sheet,) = printed(browser, page, tmp_path)
    assert np.mean(sheet > 200) < 0.6


def test_the_look_finds_what_is_wrong(browser: str, tmp_path: Path) -> None:
    page = (
        f"<!doctype html><style>@media {DARK}{{b{{color:#fff}}}}</style>"
        "<p style='color:#999'>faint</p><div style='width:600px'>wide</div><b>theme</b>"
    )
    bright = look(browser, page, 400, tmp_path, dark=False)
    assert bright["scrolls"] and "DIV." in bright["wide"]
    assert [text.partition(":")[0] for text in bright["faint"]] == ["P."]
    dark = look(browser, page, 400, tmp_path, dark=True)
    assert sorted(text.partition(":")[0] for text in dark["faint"]) == ["B.", "P."]
