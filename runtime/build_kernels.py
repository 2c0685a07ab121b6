"""Builds `byteprop._kernels`, the C library as a Python extension.

The declarations are the marked parts of the public headers, so they cannot drift from the C code.
setup.py loads this file through cffi's `cffi_modules`.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
HEADERS = ("status", "fixed", "kernels", "model", "infer", "train", "link")
SOURCE_FOLDERS = (".", "kernels", "isa", "isa/x86_avx2", "model", "infer", "train", "link")
MARKED = re.compile(r"/\* cdef: begin \*/(.*?)/\* cdef: end \*/", re.DOTALL)

# -fwrapv and -DNDEBUG come with CPython's own flags; the C tests build without them.
COMPILE_ARGS = (
    "-std=c99",
    "-O3",
    "-ffp-contract=off",
    "-Werror=incompatible-pointer-types",
    "-Werror=implicit-function-declaration",
)


def declarations() -> str:
    """The marked parts of the public headers."""
    parts: list[str] = []
    for name in HEADERS:
        text = (ROOT / "csrc/include/byteprop" / f"{name}.h").read_text(encoding="utf-8")
        parts += MARKED.findall(text)
    return "\n".join(parts)


def sources() -> list[str]:
    """C files in a fixed order, relative to the project's folder as setuptools wants them."""
    return [
        path.relative_to(ROOT).as_posix()
        for folder in SOURCE_FOLDERS
        for path in sorted((ROOT / "csrc" / folder).glob("*.c"))
    ]


ffibuilder = FFI()
ffibuilder.cdef(declarations())
ffibuilder.set_source(
    "byteprop._kernels",
    "\n".join(f"#include <byteprop/{name}.h>" for name in HEADERS),
    sources=sources(),
    include_dirs=["csrc/include", "csrc"],
    depends=[path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "csrc").rglob("*.h"))],
    extra_compile_args=list(COMPILE_ARGS),
    py_limited_api=True,
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
