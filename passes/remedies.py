"""What to do about a refusal, where several passes say the same.

The reason of a pass is a cause and its remedy, "cause; remedy", in the words of the tools that make models.
"""

from __future__ import annotations

__all__ = ["FLOAT_WEIGHTS", "ONE_SCALE", "RUN_TIME", "WHOLE_ZERO"]

ONE_SCALE = (
    "one scale for the tensor, or one per channel (Brevitas: scaling_per_output_channel; onnxruntime: per_channel)"
)
WHOLE_ZERO = "quantize with one integer zero point (Brevitas: a symmetric quantizer; onnxruntime: ActivationSymmetric)"
RUN_TIME = (
    "both operands are computed at run time; products of two activations (attention) have no unit: leave them behind the last quantized "
    "layer, where the host runs them, or make one operand a constant"
)
FLOAT_WEIGHTS = (
    "the weights are float: they have no quantizer, and their values are not multiples of one step; quantize them (Brevitas: QuantConv2d "
    "or QuantLinear; onnxruntime: quantize_static; torch.ao: a qconfig for the layer)"
)
