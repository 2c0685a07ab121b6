"""Draws docs/pictures/verdict.svg: a real run of `byteprop verify`, as a terminal shows it.

    python3 scripts/verdict_picture.py            runs the command and writes the picture
    python3 scripts/verdict_picture.py --check    exits with 1 when its lines have changed

The check compares words and not numbers, as times differ from run to run; it verifies few samples.
It needs the cross compiler and the emulator of the board.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from html import escape, unescape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs/pictures/verdict.svg"
MODEL = "examples/fashion_mnist/fashion_mlp.tflite"
DATA = "examples/fashion_mnist/t10k-1000.npz"
SHOWN = f"byteprop verify {MODEL} \\\n    --data {DATA} --board mps2-an386"
CHECKED_SAMPLES = 20
OTHER_KERNELS = ("LiteRT ", "tflite ")

LINE_HEIGHT, CHAR_WIDTH, LEFT, TOP = 22, 8.45, 22, 58
STYLE = """
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
fill: #d8dee9; white-space: pre; }
  .good { fill: #8fd694; font-weight: bold; }
  .bad { fill: #ff8f8f; font-weight: bold; }
  .label { fill: #8fa1b8; }
"""


def verdict(samples: int | None) -> list[str]:
    """The lines that the command prints; all samples of the file without a number."""
    command = [sys.executable, "-m", "byteprop_host", *SHOWN.replace("\\\n", "").split()[1:]]
    limit = [] if samples is None else ["-n", str(samples)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "byteprop-verify-mps2-an386.html"
        done = subprocess.run(
            [*command, *limit, "--report", str(report)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    return done.stdout.replace(str(report), report.name).splitlines()


def line_svg(number: int, text: str) -> str:
    y = TOP + number * LINE_HEIGHT
    if text.startswith(("identical", "different")):
        kind = "good" if text.startswith("identical") else "bad"
        return f'<text x="{LEFT}" y="{y}" class="{kind}">{escape(text)}</text>'
    if text.startswith(("$", " ")):
        return f'<text x="{LEFT}" y="{y}">{escape(text)}</text>'
    label = text[: len(text) - len(text.partition(" ")[2].lstrip())]
    return (
        f'<text x="{LEFT}" y="{y}"><tspan class="label">{escape(label)}</tspan>'
        f"{escape(text[len(label) :])}</text>"
    )


def svg(lines: list[str]) -> str:
    shown = [*f"$ {SHOWN}".splitlines(), *lines]
    width = round(2 * LEFT + CHAR_WIDTH * max(map(len, shown)))
    height = TOP + LINE_HEIGHT * len(shown)
    dots = "".join(
        f'<circle cx="{LEFT + 4 + 20 * i}" cy="22" r="6" fill="{colour}"/>'
        for i, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    texts = "\n".join(line_svg(i, text) for i, text in enumerate(shown))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="byteprop verify: {escape(lines[0])}">\n'
        f"<style>{STYLE}</style>\n"
        f'<rect width="{width}" height="{height}" rx="10" fill="#1c2330"/>\n'
        f"{dots}\n{texts}\n</svg>\n"
    )


def without_numbers(lines: list[str]) -> list[str]:
    """Few samples may not show that other kernels differ, so these lines are not compared."""
    compared = [line for line in lines if not line.startswith(OTHER_KERNELS)]
    return [re.sub(r"\d[\d,.]*", "0", line) for line in compared]


def lines_of(picture: str) -> list[str]:
    found = re.findall(r"<text[^>]*>(.*?)</text>", picture)
    lines = [unescape(re.sub(r"<[^>]+>", "", text)) for text in found]
    return lines[len(SHOWN.splitlines()) :]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing")
    if not parser.parse_args().check:
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(svg(verdict(None)), encoding="utf-8")
        print(f"{PICTURE.relative_to(ROOT)}: written")
        return 0
    old = without_numbers(lines_of(PICTURE.read_text(encoding="utf-8")))
    new = without_numbers(verdict(CHECKED_SAMPLES))
    for shown, printed in zip(old, new, strict=False):
        if shown != printed:
            print(f"the picture shows\n  {shown}\nbut verify prints\n  {printed}")
    if old != new:
        print(f"{PICTURE.relative_to(ROOT)} is out of date; run scripts/verdict_picture.py")
    return int(old != new)


if __name__ == "__main__":
    sys.exit(main())
