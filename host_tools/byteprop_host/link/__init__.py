"""The link to a board: frames, transport, session, wire log; specified in docs/protocol.md."""

from byteprop_host.link.anomaly import DetectorSession
from byteprop_host.link.answers import (
    DeviceInfo,
    FlashSave,
    InferAnswer,
    Judged,
    Learnt,
    Selected,
    Stats,
    TrainResult,
)
from byteprop_host.link.device import Device
from byteprop_host.link.frames import Decoder, Frame, encode_frame
from byteprop_host.link.messages import Message
from byteprop_host.link.session import BoardSession
from byteprop_host.link.training import DeviceCheckpoint, HeadStep, TrainingSession, TrainSample
from byteprop_host.link.transport import Transport, open_transport
from byteprop_host.link.wirelog import (
    LoggedFrame,
    ReplayTransport,
    WireLog,
    frame_line,
    read_log,
    replay,
)

__all__ = [
    "BoardSession",
    "Decoder",
    "DetectorSession",
    "Device",
    "DeviceCheckpoint",
    "DeviceInfo",
    "FlashSave",
    "Frame",
    "HeadStep",
    "InferAnswer",
    "Judged",
    "Learnt",
    "LoggedFrame",
    "Message",
    "ReplayTransport",
    "Selected",
    "Stats",
    "TrainResult",
    "TrainSample",
    "TrainingSession",
    "Transport",
    "WireLog",
    "encode_frame",
    "frame_line",
    "open_transport",
    "read_log",
    "replay",
]
