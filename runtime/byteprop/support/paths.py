"""Where C sources, board descriptions and documents are: in the wheel, else in the checkout."""

from __future__ import annotations

from pathlib import Path

from byteprop.errors import BytepropError

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parent.parent


def csrc() -> Path:
    """The folder of the C library."""
    return _find("_csrc", "csrc", "include/byteprop/model.h")


def boards() -> Path:
    """The folder of the board descriptions."""
    return _find("_boards", "boards", "arch")


def docs() -> Path:
    """The folder of the documents."""
    return _find("_docs", "docs", "faq.md")


def _find(bundled: str, in_checkout: str, landmark: str) -> Path:
    """The checkout comes second: an editable install has no bundled folder."""
    candidates = (_PACKAGE / bundled, _CHECKOUT / in_checkout)
    for folder in candidates:
        if (folder / landmark).exists():
            return folder
    looked = " and ".join(map(str, candidates))
    raise BytepropError(
        f"the folder {in_checkout}/ is missing (looked at {looked}); install byteprop again"
    )
