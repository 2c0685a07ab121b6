"""Networks of images for the digest of training: made in Python, written as C."""

from __future__ import annotations

import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop import image
from byteprop.engine._raw_train import Config, Trainer
from byteprop.graph import Activation

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from image_net import ImageNet, image_graph

SAMPLES = 5
OPS = ("conv", "depthwise", "pool", "mean", "add", "pad", "concatenate")
ONE, THREE, TWO = (1, 1, 0), (3, 1, 1), (2, 2, 0)
EVERY_SECOND = (3, 2, 1)
NETS = (
    (
        ImageNet((("conv", (3, 1, 0), (3, 1, 0)), ("max", TWO, TWO), ("conv", THREE, THREE))),
        Config(seed=1, convs=2),
    ),
    (
        ImageNet(
            (("conv", ONE, ONE), ("depthwise", EVERY_SECOND, THREE), ("conv", ONE, ONE)),
            size=(7, 6, 3), per_channel=True, zero_points=True, hidden=6,
        ),
        Config(seed=2, convs=3),
    ),
    (
        ImageNet(
            (("depthwise", THREE, THREE), ("average", TWO, TWO), ("conv", ONE, ONE),
             ("mean", ONE, ONE)),
            activation=Activation.RELU6,
        ),
        Config(seed=3, convs=2, batch=2, momentum_shift=2),
    ),
    (
        ImageNet(
            (("conv", THREE, THREE), ("max", EVERY_SECOND, THREE), ("conv", THREE, EVERY_SECOND),
             ("average", THREE, THREE)),
            activation=Activation.NONE,
        ),
        Config(seed=4, convs=2, residual=False),
    ),
    (
        ImageNet((("conv", THREE, THREE), ("max", TWO, TWO)), size=(18, 17, 1), channels=(3,)),
        Config(seed=5, convs=1, nearest=True),
    ),
    (
        ImageNet(
            (("conv", THREE, THREE), ("max", TWO, TWO), ("depthwise", THREE, THREE),
             ("average", TWO, ONE), ("conv", ONE, ONE), ("mean", ONE, ONE)),
            hidden=5, weight_limit=5, odd_scales=True,
        ),
        Config(seed=6, convs=3, window=1),
    ),
    (
        ImageNet(
            (("conv", THREE, THREE), ("conv", THREE, THREE), ("add", ONE, ONE), ("pad", TWO, TWO),
             ("depthwise", ONE, ONE), ("back", ONE, ONE), ("conv", ONE, ONE), ("concat", ONE, ONE)),
            channels=(2,), per_channel=True,
        ),
        Config(seed=7, convs=4),
    ),
    (
        ImageNet(
            (("conv", THREE, THREE), ("conv", THREE, THREE), ("add", ONE, ONE),
             ("max", TWO, TWO), ("mean", ONE, ONE)),
            channels=(3,), even=True,
        ),
        Config(seed=8, convs=2, window=1),
    ),
    # As networks for pictures are: channels in eights, which tuned code takes at once, and sums of
    # two branches.
    (
        ImageNet(
            (("conv", THREE, THREE), ("depthwise", THREE, THREE), ("conv", ONE, ONE),
             ("add", ONE, ONE), ("max", TWO, TWO), ("conv", THREE, THREE), ("conv", ONE, ONE),
             ("concat", ONE, ONE), ("average", TWO, TWO), ("pad", TWO, TWO),
             ("depthwise", EVERY_SECOND, THREE), ("conv", ONE, ONE), ("mean", ONE, ONE)),
            size=(5, 5, 3), channels=(8,), per_channel=True,
        ),
        Config(seed=4, convs=7),
    ),
    (
        ImageNet(
            (("conv", THREE, THREE), ("conv", ONE, ONE), ("add", ONE, ONE),
             ("depthwise", EVERY_SECOND, EVERY_SECOND), ("conv", THREE, THREE), ("add", ONE, ONE),
             ("max", TWO, TWO), ("conv", ONE, ONE), ("mean", ONE, ONE)),
            size=(6, 5, 2), channels=(8, 8, 8, 8, 8, 8, 8, 16, 8), even=True,
        ),
        Config(seed=2, convs=5, window=1),
    ),
    (  # 45 features of each sample, so that most of what is kept is at odd addresses
        ImageNet(
            (("conv", THREE, THREE), ("conv", THREE, THREE), ("depthwise", THREE, THREE),
             ("conv", ONE, ONE), ("mean", ONE, ONE)),
            size=(5, 3, 2), channels=(3, 8, 8, 8),
        ),
        Config(seed=9, convs=3, kept=4),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    name: str
    model: bytes
    config: Config
    x: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint16]
    rates: npt.NDArray[np.uint32]

    def crc(self) -> int:
        """By the library that Python has."""
        trainer = Trainer(self.model, self.config)
        results = learnt(trainer, self)
        trainer.flush()
        crc = 0
        for r in results:
            loss = int(r["loss"])
            line = bytes((loss & 255, loss >> 8 & 255, int(r["predicted"]), int(r["correct"])))
            crc = zlib.crc32(line, crc)
        return zlib.crc32(trainer.state, zlib.crc32(trainer.image, crc))


def learnt(trainer: Trainer, case: Case) -> npt.NDArray[Any]:
    """The results of all samples, of their features where they are kept."""
    if not case.config.kept:
        return trainer.run(case.x, case.labels, lr_q24=case.rates)
    results = []
    for x, label, rate in zip(case.x, case.labels.tolist(), case.rates, strict=True):
        trainer.remember(x, label)
        results.append(trainer.rehearse(np.array([rate]))[0])
    return np.array(results)


def case_of(net: ImageNet, config: Config) -> Case:
    rng = np.random.default_rng(config.seed)
    graph = image_graph(net, rng)
    x = rng.integers(0, 256, (SAMPLES, graph.tensors[0].elems)).astype(np.uint8)
    labels = rng.integers(0, 3, SAMPLES).astype(np.uint16)
    name = "-".join(kind for kind, _, _ in net.layers)
    return Case(name, image.encode(graph), config, x, labels, np.full(SAMPLES, 300_000, np.uint32))


CASES = [case_of(net, config) for net, config in NETS]


def source(cases: list[Case]) -> str:
    """The networks as C; there may be none."""
    lines = ['#include "train_images.h"']
    rows = []
    for n, c in enumerate(cases):
        arrays = (
            ("uint8_t", "image", np.frombuffer(c.model, np.uint8)),
            ("uint8_t", "x", c.x.reshape(-1)),
            ("uint16_t", "labels", c.labels),
            ("uint32_t", "rates", c.rates),
        )
        for kind, name, values in arrays:
            listed = ", ".join(map(str, values.tolist()))
            aligned = "__attribute__((aligned(4))) "
            lines.append(f"static const {kind} {aligned}{name}{n}[] = {{{listed}}};")
        flags = 2 * (not c.config.residual) + c.config.nearest
        config = ", ".join(
            (
                *(f"{c.config.seed}u", f"{c.config.frozen}u"),
                *(f"{c.config.batch}", f"{c.config.window}"),
                *(f"{flags}", f"{c.config.momentum_shift}"),
                *(f"{c.config.kept}, 0", f"{c.config.convs}"),
            )
        )
        rows.append(
            f'{{"{c.name}", image{n}, sizeof image{n}, {{{config}}}, x{n}, labels{n}, rates{n}, '
            f"{len(c.x)}}},"
        )
    lines += ["const train_images_t train_images[] = {", *rows, "{0}", "};"]
    lines.append(f"const uint8_t train_images_n = {len(cases)};")
    return "\n".join(lines) + "\n"
