"""The parts of the .tflite schema that the verifier checks: for each table its fields by slot, and
what each refers to. What is not listed here is never read. Descriptions, metadata and signatures
are listed without being read: a file in which they lead nowhere is corrupt, and not to be trusted.

Slots are numbered as flatc numbers them: the order of the fields in the schema, where a union takes
two, its type and its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tflite import BuiltinOperator as Code
from tflite import BuiltinOptions as Options


@dataclass(frozen=True)
class Scalar:
    """A number inside the table."""

    size: int


@dataclass(frozen=True)
class String:
    """An offset to bytes with a length; the terminating zero is not relied upon."""


@dataclass(frozen=True)
class Vector:
    """An offset to numbers with a length."""

    size: int


@dataclass(frozen=True)
class SubTable:
    """An offset to a table."""

    table: str


@dataclass(frozen=True)
class Tables:
    """An offset to a vector of offsets to tables."""

    table: str


@dataclass(frozen=True)
class UnionOf:
    """An offset to the table that the type byte in type_slot names. Types not in members are not
    read, so they are not verified either."""

    type_slot: int
    members: Mapping[int, str]


Field = Scalar | String | Vector | SubTable | Tables | UnionOf
BYTE, INT, LONG = Scalar(1), Scalar(4), Scalar(8)

FILE_IDENTIFIER = b"TFL3"
ROOT = "Model"

# BuiltinOptions: the value of the union's type byte, and the table behind it.
OPTIONS: Mapping[int, str] = MappingProxyType(
    {
        1: "Conv2DOptions",
        2: "DepthwiseConv2DOptions",
        5: "Pool2DOptions",
        6: "SVDFOptions",
        8: "FullyConnectedOptions",
        9: "SoftmaxOptions",
        10: "ConcatenationOptions",
        11: "AddOptions",
        15: "ResizeBilinearOptions",
        17: "ReshapeOptions",
        21: "MulOptions",
        23: "GatherOptions",
        27: "ReducerOptions",
        28: "SubOptions",
        29: "DivOptions",
        30: "SqueezeOptions",
        32: "StridedSliceOptions",
        35: "SplitOptions",
        37: "CastOptions",
        49: "TransposeConvOptions",
        55: "ShapeOptions",
        59: "PackOptions",
        64: "UnpackOptions",
        74: "ResizeNearestNeighborOptions",
        71: "UnidirectionalSequenceLSTMOptions",
        75: "LeakyReluOptions",
        103: "CallOnceOptions",
        111: "VarHandleOptions",
    }
)

# For each builtin op that byteprop reads, the one type of options that it may have; 0 for none.
OPTIONS_OF_OP: Mapping[int, int] = MappingProxyType(
    {
        Code.ADD: Options.AddOptions,
        Code.ASSIGN_VARIABLE: Options.AssignVariableOptions,
        Code.AVERAGE_POOL_2D: Options.Pool2DOptions,
        Code.CALL_ONCE: Options.CallOnceOptions,
        Code.CAST: Options.CastOptions,
        Code.CONCATENATION: Options.ConcatenationOptions,
        Code.CONV_2D: Options.Conv2DOptions,
        Code.DEPTHWISE_CONV_2D: Options.DepthwiseConv2DOptions,
        Code.DEQUANTIZE: Options.DequantizeOptions,
        Code.DIV: Options.DivOptions,
        Code.ELU: Options.NONE,
        Code.EXPAND_DIMS: Options.ExpandDimsOptions,
        Code.FILL: Options.FillOptions,
        Code.FLOOR_DIV: Options.FloorDivOptions,
        Code.FULLY_CONNECTED: Options.FullyConnectedOptions,
        Code.GATHER: Options.GatherOptions,
        Code.HARD_SWISH: Options.HardSwishOptions,
        Code.LEAKY_RELU: Options.LeakyReluOptions,
        Code.LOGISTIC: Options.NONE,
        Code.MAXIMUM: Options.MaximumMinimumOptions,
        Code.MAX_POOL_2D: Options.Pool2DOptions,
        Code.MEAN: Options.ReducerOptions,
        Code.MINIMUM: Options.MaximumMinimumOptions,
        Code.MUL: Options.MulOptions,
        Code.PACK: Options.PackOptions,
        Code.PAD: Options.PadOptions,
        Code.PADV2: Options.PadV2Options,
        Code.PRELU: Options.NONE,
        Code.QUANTIZE: Options.QuantizeOptions,
        Code.RANK: Options.RankOptions,
        Code.READ_VARIABLE: Options.ReadVariableOptions,
        Code.REDUCE_MAX: Options.ReducerOptions,
        Code.REDUCE_PROD: Options.ReducerOptions,
        Code.RELU: Options.NONE,
        Code.RELU6: Options.NONE,
        Code.RELU_0_TO_1: Options.NONE,
        Code.RELU_N1_TO_1: Options.NONE,
        Code.RESHAPE: Options.ReshapeOptions,
        Code.RESIZE_BILINEAR: Options.ResizeBilinearOptions,
        Code.RESIZE_NEAREST_NEIGHBOR: Options.ResizeNearestNeighborOptions,
        Code.SHAPE: Options.ShapeOptions,
        Code.SLICE: Options.SliceOptions,
        Code.SOFTMAX: Options.SoftmaxOptions,
        Code.SPLIT: Options.SplitOptions,
        Code.SPLIT_V: Options.SplitVOptions,
        Code.SQUEEZE: Options.SqueezeOptions,
        Code.STRIDED_SLICE: Options.StridedSliceOptions,
        Code.SUB: Options.SubOptions,
        Code.SVDF: Options.SVDFOptions,
        Code.TANH: Options.NONE,
        Code.TILE: Options.TileOptions,
        Code.TRANSPOSE: Options.TransposeOptions,
        Code.TRANSPOSE_CONV: Options.TransposeConvOptions,
        Code.UNIDIRECTIONAL_SEQUENCE_LSTM: Options.UnidirectionalSequenceLSTMOptions,
        Code.UNPACK: Options.UnpackOptions,
        Code.VAR_HANDLE: Options.VarHandleOptions,
    }
)

TABLES: Mapping[str, Mapping[int, Field]] = MappingProxyType(
    {
        "Model": {
            0: INT,  # version
            1: Tables("OperatorCode"),
            2: Tables("SubGraph"),
            3: String(),  # description
            4: Tables("Buffer"),
            5: Vector(4),  # metadata_buffer
            6: Tables("Metadata"),
            7: Tables("SignatureDef"),
        },
        "Metadata": {
            0: String(),  # name
            1: INT,  # buffer
        },
        "SignatureDef": {
            0: Tables("TensorMap"),  # inputs
            1: Tables("TensorMap"),  # outputs
            2: String(),  # signature_key
            4: INT,  # subgraph_index
        },
        "TensorMap": {
            0: String(),  # name
            1: INT,  # tensor_index
        },
        "OperatorCode": {
            0: BYTE,  # deprecated_builtin_code
            1: String(),  # custom_code
            2: INT,  # version
            3: INT,  # builtin_code
        },
        "SubGraph": {
            0: Tables("Tensor"),
            1: Vector(4),  # inputs
            2: Vector(4),  # outputs
            3: Tables("Operator"),
            4: String(),  # name
        },
        "Buffer": {
            0: Vector(1),  # data
            1: LONG,  # offset
            2: LONG,  # size
        },
        "Tensor": {
            0: Vector(4),  # shape
            1: BYTE,  # type
            2: INT,  # buffer
            3: String(),  # name
            4: SubTable("QuantizationParameters"),
            5: BYTE,  # is_variable
            6: SubTable("SparsityParameters"),
            7: Vector(4),  # shape_signature
            8: BYTE,  # has_rank
        },
        "QuantizationParameters": {
            0: Vector(4),  # min
            1: Vector(4),  # max
            2: Vector(4),  # scale
            3: Vector(8),  # zero_point
            4: BYTE,  # details_type
            6: INT,  # quantized_dimension
        },
        "SparsityParameters": {},
        "Operator": {
            0: INT,  # opcode_index
            1: Vector(4),  # inputs
            2: Vector(4),  # outputs
            3: BYTE,  # builtin_options_type
            4: UnionOf(3, OPTIONS),
            8: Vector(4),  # intermediates
        },
        "Conv2DOptions": {0: BYTE, 1: INT, 2: INT, 3: BYTE, 4: INT, 5: INT},
        "DepthwiseConv2DOptions": {0: BYTE, 1: INT, 2: INT, 3: INT, 4: BYTE, 5: INT, 6: INT},
        "TransposeConvOptions": {0: BYTE, 1: INT, 2: INT, 3: BYTE},
        "FullyConnectedOptions": {0: BYTE, 1: BYTE, 2: BYTE, 3: BYTE, 4: BYTE},
        "SoftmaxOptions": {0: INT},
        "ConcatenationOptions": {0: INT, 1: BYTE},
        "AddOptions": {0: BYTE, 1: BYTE},
        "MulOptions": {0: BYTE},
        "SubOptions": {0: BYTE, 1: BYTE},
        "DivOptions": {0: BYTE},
        "Pool2DOptions": {0: BYTE, 1: INT, 2: INT, 3: INT, 4: INT, 5: BYTE},
        "ReshapeOptions": {0: Vector(4)},
        "ResizeBilinearOptions": {0: INT, 1: INT, 2: BYTE, 3: BYTE},
        "ResizeNearestNeighborOptions": {0: BYTE, 1: BYTE},
        "GatherOptions": {0: INT, 1: INT},
        "ReducerOptions": {0: BYTE},
        "SplitOptions": {0: INT},
        "SqueezeOptions": {0: Vector(4)},
        "StridedSliceOptions": {0: INT, 1: INT, 2: INT, 3: INT, 4: INT, 5: BYTE},
        "CastOptions": {0: BYTE, 1: BYTE},
        "ShapeOptions": {0: BYTE},
        "PackOptions": {0: INT, 1: INT},
        "UnpackOptions": {0: INT, 1: INT},
        "LeakyReluOptions": {0: INT},
        "SVDFOptions": {0: INT, 1: BYTE, 2: BYTE},
        "UnidirectionalSequenceLSTMOptions": {0: BYTE, 1: INT, 2: INT, 3: BYTE, 4: BYTE, 5: BYTE},
        "CallOnceOptions": {0: INT},
        "VarHandleOptions": {0: String(), 1: String()},
    }
)
