"""Keras models as float .tflite files, by TensorFlow's converter where it is installed."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

from byteprop.errors import ModelError

SUFFIXES = (".keras", ".h5", ".hdf5")

_WITHOUT = """\
{what} needs TensorFlow to be read: pip install "byteprop[keras]". Or run these three lines where \
it is installed, and take the file that they write:
  import tensorflow as tf
  converter = tf.lite.TFLiteConverter.{converter}
  open("model.tflite", "wb").write(converter.convert())"""


def is_keras_file(path: Path) -> bool:
    """Whether a path is a Keras file, or the folder of a SavedModel."""
    return path.suffix.lower() in SUFFIXES or (path / "saved_model.pb").is_file()


def is_keras_model(network: Any) -> bool:
    """Whether an object is a model of Keras, which need not be installed to ask."""
    packages = {kind.__module__.split(".")[0] for kind in type(network).mro()}
    return not packages.isdisjoint(("keras", "tf_keras"))


def tflite_of_file(path: Path) -> bytes:
    """ModelError when TensorFlow is missing or cannot read the file."""
    if path.is_dir():
        tf = _tensorflow(f"{path}: a SavedModel", f'from_saved_model("{path}")')
        return _converted(lambda: tf.lite.TFLiteConverter.from_saved_model(str(path)), str(path))
    load = f'from_keras_model(tf.keras.models.load_model("{path}"))'
    tf = _tensorflow(f"{path}: a Keras model", load)
    try:
        model = tf.keras.models.load_model(path, compile=False)
    except Exception as error:
        raise ModelError(f"{path}: Keras cannot read it: {error}") from error
    return _converted(lambda: tf.lite.TFLiteConverter.from_keras_model(model), str(path))


def tflite_of_model(model: Any) -> bytes:
    """ModelError when TensorFlow is missing or cannot convert the model."""
    tf = _tensorflow("a Keras model", "from_keras_model(model)")
    return _converted(lambda: tf.lite.TFLiteConverter.from_keras_model(model), "network")


def _tensorflow(what: str, converter: str) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow
    except ImportError:
        raise ModelError(_WITHOUT.format(what=what, converter=converter)) from None
    return tensorflow


def _converted(converter: Any, name: str) -> bytes:
    """The converter prints its progress, which says nothing to our users."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return bytes(converter().convert())
    except Exception as error:
        raise ModelError(f"{name}: TensorFlow cannot convert it: {error}") from error
