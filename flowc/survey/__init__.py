"""What an ONNX model holds and what would become of it, whether or not it can be compiled."""

from flowc.survey.survey import survey

__all__ = ["survey"]
