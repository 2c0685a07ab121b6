"""Writes csrc/audio/tables.c, the constants of docs/audio.md.

python scripts/audio_tables.py [--check]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "csrc/audio/tables.c"
RATE, WINDOW, POINTS, BANDS = 16000, 480, 512, 32
LOWEST, HIGHEST = 125.0, 7500.0
FIRST_BIN, LAST_BIN = 4, 240
PER_LINE = 12


def mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def edges() -> list[float]:
    """Of the bands, in bins: band i begins at edge i, is full at i + 1 and ends at i + 2."""
    low, high = mel(LOWEST), mel(HIGHEST)
    mels = [low + (high - low) * i / (BANDS + 1) for i in range(BANDS + 2)]
    return [700 * (10 ** (m / 2595) - 1) * POINTS / RATE for m in mels]


def hann() -> list[int]:
    halves = [0.5 - 0.5 * math.cos(2 * math.pi * (i + 0.5) / WINDOW) for i in range(WINDOW // 2)]
    return [min(round(32768 * x), 32767) for x in halves]


def sine() -> list[int]:
    return [round(16384 * math.sin(2 * math.pi * i / POINTS)) for i in range(3 * POINTS // 4)]


def first_bins() -> list[int]:
    """The first bin from each edge on; the last one is the end."""
    return [FIRST_BIN, *(math.ceil(e) for e in edges()[1:-1]), LAST_BIN + 1]


def rise() -> list[int]:
    at, begins = edges(), first_bins()
    found = []
    for i in range(BANDS + 1):
        for k in range(begins[i], begins[i + 1]):
            share = (k - at[i]) / (at[i + 1] - at[i])
            found.append(min(max(math.floor(256 * share), 0), 255))
    return found


def log2() -> list[int]:
    return [round(4096 * math.log2(1 + i / 32)) for i in range(33)]


def array(kind: str, name: str, size: str, values: Sequence[int]) -> str:
    wrap = 0x10000 if kind == "uint16_t" else 0x100
    lines = [
        "    " + ", ".join(str(v % wrap) for v in values[i : i + PER_LINE]) + ","
        for i in range(0, len(values), PER_LINE)
    ]
    return f"const {kind} bp_audio_{name}[{size}] BP_TABLE = {{\n" + "\n".join(lines) + "\n};"


def text() -> str:
    parts = [
        '#include "audio/parts.h"',
        "/* scripts/audio_tables.py writes this. Negative values are those of two's complement. */",
        array("uint16_t", "hann", "BP_AUDIO_WINDOW / 2", hann()),
        array("uint16_t", "sine", "BP_AUDIO_WAVE", sine()),
        array("uint8_t", "rise", "BP_AUDIO_BINS", rise()),
        array("uint8_t", "edges", "BP_AUDIO_BANDS + 2", first_bins()),
        array("uint16_t", "log2", "BP_AUDIO_LOG_STEPS + 1", log2()),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args().check:
        return int(TARGET.read_text(encoding="utf-8") != text())
    TARGET.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
