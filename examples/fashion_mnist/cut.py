"""Cuts t10k-1000.npz: the first 1,000 images and labels of Fashion-MNIST's test set.

    python3 examples/fashion_mnist/cut.py [--source FOLDER] [--output FILE]

FOLDER holds the four IDX files as published (on Debian: apt install dataset-fashion-mnist). The
file depends on nothing but those bytes: no time stamps, fixed order, zlib level 9.
"""

from __future__ import annotations

import argparse
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
SAMPLES = 1000


def read_idx(path: Path, rank: int) -> npt.NDArray[np.uint8]:
    """One IDX file of unsigned bytes: 0, 0, 8, rank, the big-endian dimensions, the data."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:4] != bytes((0, 0, 8, rank)):
        raise SystemExit(f"{path}: not an IDX file of unsigned bytes with {rank} dimensions")
    shape = tuple(int(d) for d in np.frombuffer(raw, ">u4", rank, 4))
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def cut(source: Path) -> dict[str, npt.NDArray[np.uint8]]:
    images = read_idx(source / "t10k-images-idx3-ubyte.gz", 3)
    labels = read_idx(source / "t10k-labels-idx1-ubyte.gz", 1)
    return {"x": images[:SAMPLES], "y": labels[:SAMPLES]}


def pack(arrays: dict[str, npt.NDArray[np.uint8]]) -> bytes:
    """An .npz whose bytes do not depend on when or where it was written."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # what made the file must not depend on the system
            npy = io.BytesIO()
            np.lib.format.write_array(npy, np.ascontiguousarray(array), version=(1, 0))
            archive.writestr(entry, npy.getvalue(), compresslevel=9)
    return packed.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--source", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=HERE / "t10k-1000.npz", metavar="FILE")
    arguments = parser.parse_args()
    data = pack(cut(arguments.source))
    arguments.output.write_bytes(data)
    print(f"{arguments.output}: {SAMPLES} samples, {len(data):,} bytes")


if __name__ == "__main__":
    main()
