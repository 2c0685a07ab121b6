"""A small convolutional network for Fashion-MNIST: Keras trains it in float32, byteprop makes it
int8.

    pip install tensorflow                                      for Keras and its converter
    python examples/fashion_mnist/train_cnn.py                  8 epochs, about a minute
    byteprop verify fashion_cnn_int8.tflite --data examples/fashion_mnist/t10k-1000.npz

Two convolutions of 3x3 with stride 2, then a dense layer: 159,936 multiplications. The script
writes fashion_cnn_float.tflite and fashion_cnn_int8.tflite into --out, and prints the accuracy of
both on the 10,000 test images. Ranges are measured on training images.

The data set: `apt install dataset-fashion-mnist`, or the four files from
https://github.com/zalandoresearch/fashion-mnist in a folder that --data names.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import byteprop
from byteprop.quantizer import float_network
from cut import DEBIAN_FOLDER, read_idx

BATCH = 64
FIRST_RATE, LAST_RATE = 2e-3, 1e-5
REPRESENTATIVE = 500  # training images, to measure ranges


def images(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 [n, 28, 28, 1] and labels."""
    x = read_idx(folder / f"{part}-images-idx3-ubyte.gz", 3)
    return x[..., np.newaxis], read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 1)


def train(x: np.ndarray, y: np.ndarray, epochs: int, seed: int) -> bytes:
    """The float network as a .tflite file. Keras takes and gives float32."""
    import keras
    import tensorflow as tf
    from keras import layers

    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(12, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(24, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    steps = epochs * (len(x) // BATCH)
    decay = keras.optimizers.schedules.PolynomialDecay(FIRST_RATE, steps, LAST_RATE)
    model.compile(
        keras.optimizers.Adam(decay), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(x / np.float32(255), y, batch_size=BATCH, epochs=epochs, verbose=2)
    return bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=DEBIAN_FOLDER, help="folder of the data set")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the two files")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    x, y = images(arguments.data, "train")
    test_x, test_y = images(arguments.data, "t10k")

    data = train(x, y, arguments.epochs, arguments.seed)
    (arguments.out / "fashion_cnn_float.tflite").write_bytes(data)
    answers = float_network(data).run(test_x / np.float32(255))
    print(f"float32  {np.mean(answers.argmax(axis=1) == test_y):.4f}")

    model = byteprop.quantize(data, x[:REPRESENTATIVE])
    model.save(arguments.out / "fashion_cnn_int8.tflite")
    print(f"int8     {model.evaluate(test_x, test_y)['accuracy']:.4f}")
    print(model.summary())


if __name__ == "__main__":
    main()
