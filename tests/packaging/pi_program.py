"""What test_pi.py runs under the Pythons of a Pi, and under this computer's for comparison.

Takes the folder of the models; prints as JSON what the package answered there. NumPy only reads
files and makes inputs: every answer is the package's own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

import byteprop
from byteprop.engine import _raw
from byteprop.engine._raw_train import Config, Trainer
from byteprop.graph import Activation, DType, Graph, Op, Tensor
from byteprop.ops import Dense, Softmax


def differing_bytes(model: byteprop.Model, x: Any, wanted: Any) -> int:
    y = np.asarray(model.run(x))
    assert y.dtype == wanted.dtype and y.shape == wanted.shape, (y.dtype, y.shape)
    pairs = zip(y.tobytes(), wanted.tobytes(), strict=True)
    return sum(a != b for a, b in pairs)


def check_models(folder: Path) -> dict[str, list[int]]:
    """For each model of the folder: bytes compared, bytes that differ."""
    found = {}
    for path in sorted(folder.glob("*.tflite")):
        vectors = np.load(path.with_suffix(".vectors.npz"))
        wanted = vectors["y"]
        found[path.stem] = [
            wanted.nbytes,
            differing_bytes(byteprop.load(path), vectors["x"], wanted),
        ]
    return found


def check_tflite(folder: Path) -> dict[str, list[int]]:
    """The same for tflite-runtime's reference kernels, where they are installed."""
    if importlib.util.find_spec("tflite_runtime") is None:
        return {}
    sys.path.append(str(Path(__file__).resolve().parents[1] / "python"))
    import builtin_ref

    found = {}
    for path in sorted(folder.glob("*.tflite")):
        vectors = np.load(path.with_suffix(".vectors.npz"))
        (y,) = builtin_ref.run(path.read_bytes(), [vectors["x"]])
        pairs = zip(y.tobytes(), vectors["y"].tobytes(), strict=True)
        found[path.stem] = [y.nbytes, sum(a != b for a, b in pairs)]
    return found


def check_ops(folder: Path) -> dict[str, list[int]]:
    """The same for the models of one op each."""
    found = {}
    with np.load(folder / "ops.vectors.npz") as ops:
        for case in sorted({key.partition("/")[0] for key in ops.files}):
            model = byteprop.load(ops[f"{case}/model"].tobytes())
            wanted = ops[f"{case}/y"]
            found[case] = [wanted.nbytes, differing_bytes(model, ops[f"{case}/x"], wanted)]
    return found


SIZES = (37, 19, 7)
SAMPLES = 60


def network(rng: np.random.RandomState, *, per_channel: bool) -> bytes:
    """A classifier with random weights, as an image."""
    tensors = [Tensor("x", (1, SIZES[0]), DType.INT8, np.float32(1 / 128), -128)]
    ops: list[Op] = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(SIZES)):
        is_last = i == len(SIZES) - 2
        scale, zero_point = (0.25, 0) if is_last else (0.05, -128)
        tensors.append(Tensor(f"y{i}", (1, n_out), DType.INT8, np.float32(scale), zero_point))
        ops.append(
            Dense(
                input=i,
                output=i + 1,
                weights=rng.randint(-127, 128, (n_out, n_in)).astype(np.int8),
                bias=rng.randint(-500, 501, n_out).astype(np.int32),
                weight_scales=np.full(n_out if per_channel else 1, 0.01, np.float32),
                activation=Activation.NONE if is_last else Activation.RELU,
            )
        )
    tensors.append(Tensor("p", (1, SIZES[-1]), DType.INT8, np.float32(1 / 256), -128))
    ops.append(Softmax(input=len(SIZES) - 1, output=len(SIZES)))
    return byteprop.Model(Graph(tuple(tensors), tuple(ops), (0,), (len(SIZES),))).image


TRAININGS = {
    "plain": Config(seed=1),
    "batch and momentum": Config(seed=2, batch=4, momentum_shift=3),
    "window": Config(seed=3, window=8),
    "nearest, no residual": Config(seed=4, nearest=True, residual=False),
}


def train(config: Config) -> dict[str, Any]:
    """Some steps; the digest is of results, trained image and state."""
    rng = np.random.RandomState(5)
    # Scales that training moves are those of whole tensors.
    image = network(rng, per_channel=config.window == 0)
    x = rng.randint(0, 256, (SAMPLES, SIZES[0])).astype(np.uint8)
    labels = (np.arange(SAMPLES) % SIZES[-1]).astype(np.uint16)
    trainer = Trainer(image, config)
    results = trainer.run(x, labels, lr_q24=np.full(SAMPLES, 500_000, np.uint32))
    trainer.flush()
    loss = [str(int(v)) for v in results["loss"]]
    told = json.dumps([loss, results["predicted"].tolist()]).encode()
    return {
        "changed": sum(a != b for a, b in zip(image, trainer.image, strict=True)),
        "steps": trainer.counters.steps,
        "digest": hashlib.sha256(told + trainer.image + trainer.state).hexdigest(),
    }


def main(folder: Path) -> None:
    found = {
        "machine": platform.machine(),
        "extension": sys.modules["byteprop._kernels"].__file__,
        "isa": _raw.isa_name(),
        "models": check_models(folder),
        "ops": check_ops(folder),
        "tflite": check_tflite(folder),
        "training": {name: train(config) for name, config in TRAININGS.items()},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
