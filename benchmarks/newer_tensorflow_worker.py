"""Runs models with TensorFlow, for newer_tensorflow.py, and needs TensorFlow alone.

FOLDER N: the folder has 0.tflite and 0.in.npz up to N - 1, and gets 0.out.npz up to that, and
`names` with a line that says what computed each, or why nothing did.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

_RESOLVERS = ("BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES")


def main(folder: Path, n: int) -> None:
    names = []
    for i in range(n):
        with np.load(folder / f"{i}.in.npz") as file:
            inputs = list(file.values())
        outputs = []
        try:
            interpreter, resolver = _prepared(folder / f"{i}.tflite")
            outputs = _outputs(interpreter, inputs)
            names.append(f"TensorFlow {tf.__version__} {resolver}")
        except (RuntimeError, ValueError) as error:
            names.append(str(error).splitlines()[0][:80])
        np.savez(folder / f"{i}.out.npz", *outputs)
    (folder / "names").write_text("\n".join(names))


def _prepared(path: Path) -> tuple[Any, str]:
    """With the reference kernels, or, where they lack an op, with the others."""
    for resolver in _RESOLVERS:
        kind = getattr(tf.lite.experimental.OpResolverType, resolver)
        try:
            made = tf.lite.Interpreter(str(path), experimental_op_resolver_type=kind, num_threads=1)
            made.allocate_tensors()
        except (RuntimeError, ValueError):
            if resolver == _RESOLVERS[-1]:
                raise
        else:
            return made, resolver
    raise AssertionError


def _outputs(interpreter: Any, inputs: list[Any]) -> list[Any]:
    details = interpreter.get_input_details()
    batches = [int(d["shape"][0]) if len(d["shape"]) else 1 for d in details]
    answers: list[list[Any]] = [[] for _ in interpreter.get_output_details()]
    for i in range(len(inputs[0]) // batches[0]):
        for detail, array, n in zip(details, inputs, batches, strict=True):
            part = array[i * n : (i + 1) * n].reshape(detail["shape"])
            interpreter.set_tensor(detail["index"], part)
        interpreter.invoke()
        for answer, detail in zip(answers, interpreter.get_output_details(), strict=True):
            answer.append(np.atleast_1d(interpreter.get_tensor(detail["index"])))
    return [np.concatenate(answer) for answer in answers]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
