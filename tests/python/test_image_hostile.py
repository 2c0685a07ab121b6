"""Bytes that pretend to be a model image: one error for all of them, in bounded memory."""

from __future__ import annotations

import itertools
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import byteprop
from byteprop import image
from byteprop.engine import _raw
from byteprop.errors import ModelError
from byteprop.graph import Graph
from byteprop.ops.spec import WORD, Block
from random_graphs import (
    Builder,
    convolution_graph,
    graph_of_elementwise_ops,
    graph_of_every_op,
    graph_of_moves,
    normalized_graph,
    small_graph,
)

TRIED = 20_000
NUMBERS = (0, 1, 2, 3, 4, 5, 8, 64, 80, 127, 128, 255, 256, 511, 512, 1024, 65535, 65536)
NUMBERS += (2**24, 2**30, 2**31, 2**32 - 1, 0x7F800000, 0x7FC00000)


def field(name: str) -> int:
    assert image.HEADER.fields is not None
    return int(image.HEADER.fields[name][1])


def seal(blob: bytearray) -> bytes:
    """A checksum that fits what the header says is the length."""
    (total,) = struct.unpack_from("<I", blob, field("total_bytes"))
    struct.pack_into("<I", blob, field("crc32"), zlib.crc32(blob[16:total]))
    return bytes(blob)


def mutants() -> Iterator[bytes]:
    """Images with one to four changes, mostly in the header and the records."""
    draw = random.Random(7)
    makers = (small_graph, graph_of_every_op, graph_of_moves, graph_of_elementwise_ops,
              normalized_graph, convolution_graph)  # fmt: skip
    seeds = [image.encode(make()) for make in makers]
    for _ in range(TRIED):
        blob = bytearray(draw.choice(seeds))
        (data,) = struct.unpack_from("<I", blob, field("data_offset"))
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(16, data if draw.random() < 0.8 else len(blob) - 4)
            source = draw.randrange(16, data) & ~3
            change = draw.randrange(4)
            if change == 0:
                blob[at] = draw.randrange(256)
            elif change == 1:
                struct.pack_into("<H", blob, at & ~1, draw.choice(NUMBERS) & 0xFFFF)
            elif change == 2:
                struct.pack_into("<I", blob, at & ~3, draw.choice(NUMBERS))
            else:
                blob[at & ~3 : (at & ~3) + 4] = blob[source : source + 4]
        yield seal(blob)


def test_mutants_are_models_or_a_model_error() -> None:
    models = 0
    for mutant in mutants():
        try:
            model = byteprop.load(mutant)
        except ModelError:
            continue
        models += 1
        assert model.summary()
        assert image.without_names(mutant)
    assert TRIED / 100 < models < TRIED / 2


# --- memory ---


def peak(action: Callable[[], object]) -> int:
    """Bytes that were allocated at once, NumPy's too."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def layers(n: int, size: int) -> Graph:
    """n dense layers with the same weights [size, size]."""
    b = Builder()
    weights = np.random.default_rng(3).integers(-127, 128, (size, size)).astype(np.int8)
    tensors = [b.tensor((1, size)) for _ in range(n + 1)]
    for x, y in itertools.pairwise(tensors):
        b.dense(x, weights, y)
    return b.graph((tensors[0],), (tensors[-1],))


def with_shared_data(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Its image with each block stored once, also those that belong to one op."""
    known: dict[bytes, bytes] = {}

    def put(pool: image._Pool, block: Block) -> bytes:
        data = bytes(block.make())
        if data not in known:
            offset = pool.append(data, block.alignment)
            known[data] = offset.to_bytes(WORD, "little")
        return known[data]

    with monkeypatch.context() as patched:
        patched.setattr(image._Pool, "put", put)
        patched.setattr(image, "check", lambda graph: None)
        return image.encode(graph)


def test_ops_that_share_their_weights_are_refused_before_they_are_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = with_shared_data(layers(1000, 2048), monkeypatch)
    assert len(shared) < 5_000_000

    def load() -> None:
        with pytest.raises(ModelError, match="the ops share their data"):
            byteprop.load(shared)

    assert peak(load) < 4 * len(shared) + (16 << 20)


@pytest.mark.parametrize("size", [4096, 4095])
def test_a_large_model_takes_no_more_than_four_times_its_bytes(size: int) -> None:
    encoded = image.encode(layers(1, size))
    assert peak(lambda: byteprop.load(encoded)) < 4 * len(encoded) + (16 << 20)


def test_a_tensor_of_five_dimensions_is_refused_by_name() -> None:
    b = Builder()
    x, y = b.tensor((1, 1, 1, 1, 4)), b.tensor((1, 2))
    b.dense(x, np.zeros((2, 4), np.int8), y)
    with pytest.raises(ModelError, match=r"tensor 0 't0': 5 dimensions"):
        image.encode(b.graph((x,), (y,)))


def test_loading_an_image_opens_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are checked where they come in, and passed on as an opened image."""
    opened = []
    original = _raw.Engine.__init__

    def counted(engine: _raw.Engine, data: bytes) -> None:
        opened.append(len(data))
        original(engine, data)

    encoded = image.encode(small_graph())
    monkeypatch.setattr(_raw.Engine, "__init__", counted)
    model = byteprop.load(encoded)
    assert opened == [len(encoded)]
    layout = image.layout(model.opened)
    assert image.decode(model.opened).outputs == (3,) and layout.arena_bytes == 12
    assert len(opened) == 1
