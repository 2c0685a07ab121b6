"""Builds wheels for other computers, from a source distribution, with zig's C compiler.

    python scripts/packaging/wheels.py dist/byteprop-1.0.tar.gz --out dist [--only TARGET ...]

All targets by default; targets.py lists them. Needs the extra `release`, which brings zig with its
C libraries for every target, and the C headers of the Python that runs this.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

from targets import TARGETS, Target, target

HERE = Path(__file__).resolve().parent
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


class BuildFailed(Exception):
    """What a program said before it failed."""


def run(*words: str | Path, cwd: Path, **variables: str) -> None:
    """A command that must succeed; its output is shown only if it does not."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailed(f"{words[0]} failed:\n{done.stdout[-6000:]}")


def zig() -> Path:
    import ziglang

    return Path(ziglang.__file__).parent / ("zig.exe" if os.name == "nt" else "zig")


def put_headers(folder: Path) -> Path:
    """This Python's headers, with a pyconfig.h for every target in the place of its own."""
    headers = folder / "include"
    shutil.copytree(sysconfig.get_paths()["include"], headers)
    shutil.copy(HERE / "pyconfig.h", headers)
    return headers


def put_import_library(folder: Path) -> Path:
    """python3.lib: the names that python3.dll has since Python 3.10 or earlier."""
    import abi3info

    def names(table: object) -> list[str]:
        return sorted(
            symbol.name
            for symbol, item in dict(table).items()  # type: ignore[call-overload]
            if (item.added.major, item.added.minor) <= (3, 10)
        )

    exports = names(abi3info.FUNCTIONS) + [f"{name} DATA" for name in names(abi3info.DATAS)]
    definition = folder / "python3.def"
    definition.write_text("LIBRARY python3.dll\nEXPORTS\n" + "\n".join(exports) + "\n")
    library = folder / "libpython3.a"
    run(zig(), "dlltool", "-m", "i386:x86-64", "-d", definition, "-l", library, cwd=folder)
    return library


def environment(to: Target, folder: Path) -> dict[str, str]:
    """What setup.py's build finds in its environment."""
    compiler = f"{zig()} cc -target {to.triple} {' '.join(to.flags)} -g0 -s"
    compiler += f" -I{put_headers(folder)}"
    link = [*to.link_flags, *([str(put_import_library(folder))] if to.is_windows else [])]
    return {
        "CC": compiler,
        "LDSHARED": f"{compiler} -shared",
        "LDFLAGS": " ".join(link),
        "CFLAGS": "",
        "_PYTHON_HOST_PLATFORM": to.build_platform,
    }


def finish(wheel: Path, to: Target, folder: Path) -> Path:
    """The wheel with the target's tag, and with what its files are called there."""
    unpacked = folder / "unpacked"
    run(sys.executable, "-m", "wheel", "unpack", wheel, "-d", unpacked, cwd=folder)
    (root,) = unpacked.iterdir()
    extension = root / "byteprop/_kernels.abi3.so"
    if to.is_windows:  # where the name does not say which ABI it needs
        extension.rename(extension.with_name("_kernels.pyd"))
    if to.musl:
        run("patchelf", "--replace-needed", "libc.so", to.musl, extension, cwd=folder)
    packed = folder / "packed"
    packed.mkdir()
    run(sys.executable, "-m", "wheel", "pack", root, "-d", packed, cwd=folder)
    (made,) = packed.iterdir()
    retag = ("tags", "--platform-tag", to.platform, "--remove", made)
    run(sys.executable, "-m", "wheel", *retag, cwd=folder)
    (made,) = packed.iterdir()
    return made


def build_wheel(sdist: Path, to: Target, out: Path) -> Path:
    """Builds and returns out/*.whl."""
    with tempfile.TemporaryDirectory(prefix="byteprop-wheel-") as name:
        folder = Path(name)
        with tarfile.open(sdist) as archive:
            archive.extractall(folder / "source")
        (source,) = (folder / "source").iterdir()
        run(sys.executable, "-c", BUILD, folder, cwd=source, **environment(to, folder))
        (wheel,) = folder.glob("*.whl")
        made = finish(wheel, to, folder)
        out.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(made, out / made.name))


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds wheels for other computers.")
    parser.add_argument("sdist", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    names = [each.name for each in TARGETS]
    parser.add_argument("--only", nargs="+", default=names, choices=names, metavar="TARGET")
    chosen = parser.parse_args()
    for name in chosen.only:
        try:
            made = build_wheel(chosen.sdist.resolve(), target(name), chosen.out.resolve())
        except BuildFailed as failure:
            sys.exit(f"{name}: {failure}")
        print(f"{made.name}  {made.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
