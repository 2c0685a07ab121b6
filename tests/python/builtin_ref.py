"""Runs a model with tflite-runtime's reference kernels, the definition that byteprop answers to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

REASON = "tflite-runtime is not installed (it has no wheels for Python 3.12 and later)"


def require() -> Any:
    """tflite_runtime.interpreter; skips the test where it cannot be had."""
    return pytest.importorskip("tflite_runtime.interpreter", reason=REASON)


def run(
    model: bytes, inputs: Sequence[np.ndarray[Any, Any]], resolver: str = "BUILTIN_REF"
) -> list[np.ndarray[Any, Any]]:
    """The outputs for inputs of the file's dtypes and shapes, batch first. resolver: a name of
    OpResolverType; BUILTIN_REF does not have every op."""
    interpreter = _prepare(model, resolver)
    ins, outs = interpreter.get_input_details(), interpreter.get_output_details()
    batch = [int(detail["shape"][0]) if len(detail["shape"]) else 1 for detail in ins]
    rounds = len(inputs[0]) // batch[0]
    answers: list[list[np.ndarray[Any, Any]]] = [[] for _ in outs]
    for i in range(rounds):
        for detail, array, n in zip(ins, inputs, batch, strict=True):
            part = array[i * n : (i + 1) * n].reshape(detail["shape"])
            interpreter.set_tensor(detail["index"], part)
        interpreter.invoke()
        for answer, detail in zip(answers, outs, strict=True):
            value = interpreter.get_tensor(detail["index"])
            answer.append(value if value.ndim else value.reshape(1))
    return [np.concatenate(answer) for answer in answers]


def _prepare(model: bytes, resolver: str) -> Any:
    module = require()
    interpreter = module.Interpreter(
        model_content=model,
        experimental_op_resolver_type=getattr(module.OpResolverType, resolver),
        num_threads=1,
    )
    interpreter.allocate_tensors()
    return interpreter
