"""Layers and costs of a model, and the boards that it fits: what `byteprop info` prints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from byteprop import Model, TensorInfo
from byteprop.engine import _raw_train
from byteprop.engine._raw import Engine
from byteprop.engine._raw_anomaly import scores
from byteprop.errors import ArgumentError, TrainingError
from byteprop.graph import Kind, LeftOut
from byteprop.graph.normalization import describe, to_json
from byteprop.image import decode
from byteprop.image.plan import fed_ops, plan
from byteprop.image.rows import without_rows
from byteprop.inference.info import describe_left_out
from byteprop.ops import Dense
from byteprop.training.masters import weighted_layers
from byteprop.training.trainable import check_trainable
from byteprop_host.boards.board import SKETCH, Board, all_boards
from byteprop_host.console import printable, table
from byteprop_host.firmware.capacity import (
    MemoryNeeds,
    ModelSizes,
    TrainingNeeds,
    detector_bytes,
    memory_needs,
)
from byteprop_host.firmware.model_image import ModelImage, model_image
from byteprop_host.training.plan import plan_or_none
from byteprop_host.verify.arena import Occupied, arena_map
from byteprop_host.verify.layers import MeasuredLayer, measured_layers

# Instructions of a Cortex-M4 per multiplication of inference and per weight that learns, between
# those of 784-20-10 and of 64-32-10 (benchmarks/results/training-instructions.csv), and of whole
# networks (mps2-an386.csv).
_PER_MAC = 1.3
_PER_WEIGHT = 18


@dataclass(frozen=True)
class TrainingMemory:
    """RAM that training needs in addition to image and arena, in bytes; None: it is not possible,
    for the reason in why_not."""

    bytes: int | None
    bytes_without_residuals: int | None
    why_not: str = ""

    def text(self) -> str:
        if self.bytes is None:
            return f"not possible: {self.why_not}"
        return (
            f"{self.bytes:,} bytes of RAM beyond image and arena "
            f"({self.bytes_without_residuals:,} with --no-residual)"
        )


@dataclass(frozen=True)
class FedPart:
    """Of a model that is fed row by row: how many layers work so, how many rows of its input the
    arena has of how many, and the arena of the same model when it is not fed."""

    layers: int
    input_rows: int
    input_height: int
    arena_bytes: int
    whole_arena_bytes: int

    def text(self) -> str:
        layers = "the first layer works" if self.layers == 1 else f"{self.layers} layers work"
        saved = self.whole_arena_bytes - self.arena_bytes
        return (
            f"{layers} while the input's {self.input_height} rows come, {self.input_rows} of which "
            f"are in RAM: {self.arena_bytes:,} bytes of arena instead of "
            f"{self.whole_arena_bytes:,} ({saved:,} fewer)"
        )


@dataclass(frozen=True)
class TrainingChoice:
    """Layers that may learn, as --train names them, and bytes of RAM beyond the arena: with the
    model in flash, with it in RAM too, and without residuals with it in flash. m4_instructions: of
    one sample, an estimate."""

    train: str
    weights: int
    bytes_in_flash: int
    bytes_in_flash_without_residuals: int
    bytes_in_ram: int
    m4_instructions: int | None  # of choices with convolutions not estimated


@dataclass(frozen=True)
class BoardMemory:
    """Memory that a model needs on a board, and training it; None: the board cannot train it."""

    board: Board
    needs: MemoryNeeds
    training: TrainingNeeds | None

    def to_json(self) -> dict[str, Any]:
        training = None if self.training is None else vars(self.training)
        return {"board": self.board.name, **vars(self.needs), "training": training}


@dataclass(frozen=True)
class ModelInfo:
    """Layers, costs and memory of a model; image is as boards have it, without names."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    layers: tuple[MeasuredLayer, ...]
    macs: int
    arena_bytes: int
    arena: tuple[Occupied, ...]
    state_bytes: int
    fed: FedPart | None
    image: ModelImage
    training: TrainingMemory
    choices: tuple[TrainingChoice, ...]
    boards: tuple[BoardMemory, ...]
    left_out: LeftOut | None
    detector_bytes: int | None = None  # of an autoencoder

    def text(self) -> str:
        """Tables for people."""
        left_out = describe_left_out(self.left_out)
        return "\n".join(
            [
                *(line for tensor in self.inputs for line in _end_lines("input", tensor)),
                *(line for tensor in self.outputs for line in _end_lines("output", tensor)),
                "",
                _layer_table(self.layers),
                "",
                f"MACs   {self.macs:,} multiply-accumulates per inference",
                *([f"dead   {left_out}"] if left_out else []),
                f"arena  {self.arena_bytes:,} bytes of RAM for activations{self._fullest()}",
                *([self._state()] if self.state_bytes else []),
                *([f"rows   {self.fed.text()}"] if self.fed else []),
                f"image  {self.image.text}: the model as boards store it, without names",
                f"train  {self.training.text()}",
                *([self._detector()] if self.detector_bytes is not None else []),
                "",
                *([_choice_table(self.choices), ""] if self.choices else []),
                _board_table(self.boards),
            ]
        )

    def _fullest(self) -> str:
        """The layer that has the most bytes of the arena in use."""
        if not self.layers:
            return ""
        layer = max(self.layers, key=lambda layer: layer.ram_bytes)
        where = f"in layer {layer.info.index} ({layer.info.op})"
        return f"; most are in use {where}: {layer.ram_bytes:,}"

    def _state(self) -> str:
        return (
            f"state  {self.state_bytes:,} bytes of the arena, kept from one inference to the next"
        )

    def _detector(self) -> str:
        return (
            f"watch  {self.detector_bytes:,} bytes of RAM for a detector of anomalies, in firmware "
            "that has one"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "inputs": [_end_json(tensor) for tensor in self.inputs],
            "outputs": [_end_json(tensor) for tensor in self.outputs],
            "layers": [layer.to_json() for layer in self.layers],
            "macs": self.macs,
            "left_out": None if self.left_out is None else vars(self.left_out),
            "arena_bytes": self.arena_bytes,
            "arena": [occupied.to_json() for occupied in self.arena],
            "state_bytes": self.state_bytes,
            "rows": None if self.fed is None else vars(self.fed),
            "image_bytes": len(self.image),
            "model_crc32": f"{self.image.crc32:08x}",
            "training": {
                **vars(self.training),
                "choices": [vars(choice) for choice in self.choices],
            },
            "detector_bytes": self.detector_bytes,
            "boards": [board.to_json() for board in self.boards],
        }


def info(model: Model) -> ModelInfo:
    """The layers of a model, its costs, and what it needs on every supported board."""
    image = model_image(model.image)
    sizes = ModelSizes(image.data)
    config = _raw_train.Config(seed=0)
    return ModelInfo(
        inputs=model.inputs,
        outputs=model.outputs,
        layers=measured_layers(model),
        macs=model.macs,
        arena_bytes=model.arena_bytes,
        arena=arena_map(model.graph, model.image),
        state_bytes=sum(t.elems for t in model.graph.tensors if t.kind is Kind.STATE),
        fed=_fed_part(model),
        image=image,
        training=_training_memory(model),
        choices=_choices(image.data, model.macs),
        boards=tuple(
            BoardMemory(b, memory_needs(b, sizes), plan_or_none(b, image.data, config))
            for b in all_boards()
            if b.build.toolchain != SKETCH  # it reports its memory when it is there
        ),
        left_out=model.graph.left_out,
        detector_bytes=_detector_bytes(model),
    )


def _detector_bytes(model: Model) -> int | None:
    """None of a model that is no autoencoder."""
    row = np.zeros((1, model.opened.input_bytes), np.uint8)
    try:
        scores(model.opened, row, np.zeros((1, model.opened.output_bytes), np.uint8))
    except ArgumentError:
        return None
    return detector_bytes(model.image)


def _fed_part(model: Model) -> FedPart | None:
    layers = fed_ops(model.graph)
    if layers == 0:
        return None
    x = model.graph.tensors[model.graph.inputs[0]]
    whole = plan(without_rows(model.graph)).arena_bytes
    return FedPart(layers, x.rows, x.shape[1], model.arena_bytes, whole)


def _training_memory(model: Model) -> TrainingMemory:
    try:
        check_trainable(model.graph, model.opened, _raw_train.Config(seed=0))
    except TrainingError as error:
        return TrainingMemory(None, None, str(error))
    full, bare = (
        _raw_train.plan(model.opened, _raw_train.Config(seed=0, residual=residual)).memory_bytes
        for residual in (True, False)
    )
    return TrainingMemory(full, bare)


def _m4_instructions(macs: int, weights: int) -> int:
    """Of one sample on a Cortex-M4: forward through all layers, errors and updates of those that
    learn. Within a fifth of what benchmarks/train_bench counts for two dense networks."""
    estimate = _PER_MAC * macs + _PER_WEIGHT * weights
    digits = 10 ** max(0, len(str(round(estimate))) - 2)
    return int(round(estimate / digits) * digits)


def _choices(image: bytes, macs: int) -> tuple[TrainingChoice, ...]:
    """The last layer, the last two, ... as far as they can be trained."""
    opened = Engine(image)
    layers = weighted_layers(decode(opened))
    found: list[TrainingChoice] = []
    for n in range(1, len(layers) + 1):
        before, behind = layers[:-n], layers[-n:]
        mask = (1 << sum(isinstance(op, Dense) for op in before)) - 1
        convs = sum(not isinstance(op, Dense) for op in behind)
        if convs > _raw_train.MAX_LAYERS:
            break
        in_flash = _raw_train.Config(seed=0, frozen=mask, convs=convs, in_flash=True)
        try:
            plans = [
                _raw_train.plan(opened, config).memory_bytes
                for config in (
                    in_flash,
                    replace(in_flash, residual=False),
                    replace(in_flash, in_flash=False),
                )
            ]
        except TrainingError:
            break
        found.append(
            TrainingChoice(
                train="last" if n == 1 else f"last:{n}",
                weights=sum(op.weights.size for op in layers[-n:]),
                bytes_in_flash=plans[0],
                bytes_in_flash_without_residuals=plans[1],
                bytes_in_ram=len(image) + plans[2],
                m4_instructions=(
                    None if convs else _m4_instructions(macs, sum(op.weights.size for op in behind))
                ),
            )
        )
    return tuple(found)


def _choice_table(choices: tuple[TrainingChoice, ...]) -> str:
    return table(
        [
            [
                choice.train,
                f"{choice.weights:,}",
                f"{choice.bytes_in_flash:,}",
                f"{choice.bytes_in_flash_without_residuals:,}",
                f"{choice.bytes_in_ram:,}",
                "-" if choice.m4_instructions is None else f"{choice.m4_instructions:,}",
            ]
            for choice in choices
        ],
        header=[
            "--train",
            "weights",
            "RAM beyond arena, model in flash",
            "with --no-residual",
            "model in RAM",
            "M4 instructions per sample, about",
        ],
        right=frozenset({1, 2, 3, 4, 5}),
    )


def _end_json(tensor: TensorInfo) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": tensor.shape,
        "dtype": str(tensor.dtype),
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
        "normalization": to_json(tensor.normalization),
    }


def _end_lines(word: str, tensor: TensorInfo) -> list[str]:
    line = (
        f"{word:<7}{printable(tensor.name)}: {tensor.dtype} {list(tensor.shape)}, "
        f"scale {tensor.scale:.6g}, zero point {tensor.zero_point}"
    )
    if tensor.normalization is None:
        return [line]
    return [line, f"       normalized: {describe(tensor.normalization)}"]


def _layer_table(layers: tuple[MeasuredLayer, ...]) -> str:
    return table(
        [
            [
                str(layer.info.index),
                layer.info.op,
                layer.detail,
                "x".join(map(str, layer.info.output_shape)),
                f"{layer.info.scale:.6g}",
                str(layer.info.zero_point),
                f"{layer.info.macs:,}",
                f"{layer.info.weight_bytes:,}",
                f"{layer.ram_bytes:,}",
            ]
            for layer in layers
        ],
        header=[
            "",
            "layer",
            "",
            "shape",
            "scale",
            "zero point",
            "MACs",
            "weight bytes",
            "RAM in use",
        ],
        right=frozenset({0, 4, 5, 6, 7, 8}),
    )


def _board_table(boards: tuple[BoardMemory, ...]) -> str:
    return table(
        [
            [
                b.board.name,
                "yes" if b.needs.ok else "NO",
                f"{b.needs.ram_needed:,} of {b.needs.ram_available:,}",
                f"{b.needs.flash_needed:,} of {b.needs.flash_available:,}",
                _trains(b.training),
            ]
            for b in boards
        ],
        header=["board", "fits", "RAM bytes", "flash bytes", "training fits, RAM bytes"],
        right=frozenset({2, 3, 4}),
    )


def _trains(needs: TrainingNeeds | None) -> str:
    if needs is None:
        return "no"
    return f"{'yes' if needs.ok else 'NO'}, {needs.ram_needed:,} of {needs.ram_available:,}"
