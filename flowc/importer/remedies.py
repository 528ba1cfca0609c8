"""What to do about a model file that can't be read, where several checks say the same."""

from __future__ import annotations

__all__ = ["EXPORT_AGAIN", "FIXED", "REPAIR"]

EXPORT_AGAIN = (
    "the file contradicts itself: export the model again (onnx.checker.check_model finds what else is wrong with it)"
)
FIXED = "make it a constant of the model: export with fixed sizes, without dynamic_axes"
REPAIR = "repair or retrain the model: training diverged, or a scale was never calibrated"
