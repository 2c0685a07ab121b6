"""Convolutions, in NumPy; docs/numerics.md, section Convolution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from byteprop.graph.tensor import Tensor
from byteprop.ops.conv import Conv
from byteprop.ops.convolution import Convolution
from byteprop.reference.fixed import Ints, multiplier, output_range, requant, wrap_int32


def run(op: Conv, x: list[Ints], inputs: list[Tensor], outputs: list[Tensor]) -> list[Ints]:
    """CONV_2D."""
    image = images_of(x[0], inputs[0])
    n_out, *_, n_in = op.weights.shape
    groups = image.shape[3] // n_in
    taps = taps_of(op, image, outputs[0].shape)
    sums = np.zeros((len(image), *outputs[0].shape[1:]), np.int64)
    per_group = n_out // groups
    for ky, kx, values in taps:
        for group in range(groups):
            channels = slice(group * n_in, (group + 1) * n_in)
            rows = slice(group * per_group, (group + 1) * per_group)
            sums[..., rows] += exact_product(values[..., channels], op.weights[rows, ky, kx])
    return [finish(op, sums, inputs[0], outputs[0]).reshape(len(x[0]), outputs[0].elems)]


def images_of(x: Ints, source: Tensor) -> Ints:
    """The images of all samples in one axis, less the zero point."""
    return x.reshape(len(x) * source.shape[0], *source.shape[1:]) - source.zero_point


def taps_of(op: Convolution, image: Ints, y_shape: tuple[int, ...]) -> list[tuple[int, int, Ints]]:
    """For each tap, the inputs that it meets at each output; 0 outside the image."""
    padding, slices = [(0, 0)], []
    for axis, size, outputs in zip(op.window.axes, image.shape[1:3], y_shape[1:3], strict=True):
        far = (outputs - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1
        padding.append((axis.pad, max(far - axis.pad - size, 0)))
        begins = [tap * axis.dilation for tap in range(axis.kernel)]
        slices.append(
            [slice(begin, begin + (outputs - 1) * axis.stride + 1, axis.stride) for begin in begins]
        )
    padded = np.pad(image, [*padding, (0, 0)])
    return [
        (ky, kx, padded[:, rows, columns])
        for ky, rows in enumerate(slices[0])
        for kx, columns in enumerate(slices[1])
    ]


def exact_product(x: Ints, weights: npt.NDArray[np.int8]) -> Ints:
    """x @ weights.T. In double, where every partial sum is an integer below 2^53, because NumPy's
    integer product does without the fast library."""
    product = x.astype(np.float64) @ weights.T.astype(np.float64)
    return product.astype(np.int64)


def finish(op: Convolution, sums: Ints, source: Tensor, target: Tensor) -> Ints:
    """Bias, requantisation by channel, clamping."""
    products = [float(source.scale) * float(w) for w in op.weight_scales]
    if op.one_scale:
        products = [float(np.float32(product)) for product in products]
    scales = [product / float(target.scale) for product in products]
    mult_q31, lshift = np.array([multiplier(scale) for scale in scales], np.int64).T
    y = requant(wrap_int32(sums + op.bias), mult_q31, lshift) + target.zero_point
    return np.clip(y, *output_range(op.activation, target))
