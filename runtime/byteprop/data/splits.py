"""Names of the parts of a data set."""

from __future__ import annotations

SPLITS = ("train", "test", "val")
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "val",
    "valid": "val",
    "validation": "val",
}


def choice_text(parts: list[str]) -> str:
    """`--split train, test or val`, of those that are there."""
    *first, last = (p for p in SPLITS if p in parts)
    return f"--split {', '.join(first)} or {last}" if first else f"--split {last}"
