"""What the first convolution of a model finds in a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import byteprop.reference
from byteprop.graph import Graph
from byteprop.ops import Conv, Depthwise
from byteprop_host.data.samples import SampleSet, batched
from byteprop_host.report.images import Pixels, is_turned, mosaic, pictures_of, to_grey

_LEAST_SIDE = 2
_SEARCHED = 64  # samples among which one with contrast is looked for


@dataclass(frozen=True)
class FeatureMaps:
    """Of one sample. picture: the input. maps: all channels of the layer's output in one picture,
    with the least value of the output's type black and the largest white."""

    sample: int
    layer: int
    n_maps: int
    height: int
    width: int
    picture: Pixels
    maps: Pixels
    is_turned: bool


def first_feature_maps(graph: Graph, samples: SampleSet) -> FeatureMaps | None:
    """None for a model whose only input is no picture, or that has no convolution over it."""
    layer = next((i for i, op in enumerate(graph.ops) if isinstance(op, (Conv, Depthwise))), None)
    if layer is None or len(graph.inputs) != 1:
        return None
    source = graph.tensors[graph.inputs[0]]
    output = graph.tensors[graph.ops[layer].outputs[0]]
    pictures = pictures_of(samples.device[0][:_SEARCHED], source.shape)
    if pictures is None or len(output.shape) != 4 or min(output.shape[1:3]) < _LEAST_SIDE:
        return None
    sample = int(np.argmax([picture.min() < picture.max() for picture in pictures]))
    head = replace(graph, ops=graph.ops[: layer + 1], outputs=graph.ops[layer].outputs[:1])
    x = batched(samples.device[0][sample : sample + 1], source)
    (y,) = byteprop.reference.run(head, [x])
    maps = to_grey(y[0])
    height, width, n = maps.shape
    turned = is_turned(height, width)
    shown = mosaic(maps.transpose(1, 0, 2) if turned else maps)
    return FeatureMaps(sample, layer, n, height, width, pictures[sample], shown, turned)
