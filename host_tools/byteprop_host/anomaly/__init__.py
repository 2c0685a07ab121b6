"""A detector of anomalies that a board learns: threshold, verdicts, and how good it is."""

from byteprop_host.anomaly.job import Options, detect
from byteprop_host.anomaly.result import DetectionResult

__all__ = ["DetectionResult", "Options", "detect"]
