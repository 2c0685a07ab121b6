"""Builds `byteprop._kernels`, the C library as a Python extension.

The declarations are the marked parts of the public headers, so they cannot drift from the C code.
setup.py loads this file through cffi's `cffi_modules`.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
HEADERS = (
    "status",
    "crc32",
    "fixed",
    "kernels",
    "model",
    "infer",
    "prepared",
    "train",
    "link",
    "anomaly",
    "audio",
)
# What only the extension has: C that may use floats.
NATIVE = ROOT / "runtime/native"
SOURCE_FOLDERS = (
    *(".", "kernels", "isa", "isa/x86_avx2", "isa/x86_avx512vnni", "isa/x86_avxvnni"),
    *("isa/arm64", "isa/lanes"),
    *("model", "ops", "infer", "prepared"),
    *("train", "train/kernels", "train/steps", "link", "anomaly", "audio"),
)
# A list of macros in the header; cffi takes the values from the compiler.
STATUS_TYPE = "typedef enum { BP_OK, ... } bp_status_t;"
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
    """The marked parts of the headers, as a C parser without a preprocessor understands them."""
    headers = [ROOT / "csrc/include/byteprop" / f"{name}.h" for name in HEADERS]
    headers += sorted(NATIVE.glob("*.h"))
    parts = ["\n".join(MARKED.findall(h.read_text(encoding="utf-8"))) for h in headers]
    return "\n".join([STATUS_TYPE, *parts]).replace("BP_MUST_CHECK ", "")


def sources() -> list[str]:
    """C files in a fixed order, relative to the project's folder as setuptools wants them."""
    folders = [*(ROOT / "csrc" / folder for folder in SOURCE_FOLDERS), NATIVE]
    return [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in sorted(folder.glob("*.c"))
    ]


def depends() -> list[str]:
    headers = [*(ROOT / "csrc").rglob("*.h"), *NATIVE.glob("*.h")]
    return sorted(path.relative_to(ROOT).as_posix() for path in headers)


ffibuilder = FFI()
ffibuilder.cdef(declarations())
ffibuilder.set_source(
    "byteprop._kernels",
    "\n".join(
        [
            *(f"#include <byteprop/{name}.h>" for name in HEADERS),
            *(f'#include "{path.name}"' for path in sorted(NATIVE.glob("*.h"))),
        ]
    ),
    sources=sources(),
    include_dirs=["csrc/include", "csrc", "runtime/native"],
    depends=depends(),
    extra_compile_args=list(COMPILE_ARGS),
    py_limited_api=True,
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
