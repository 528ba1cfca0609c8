"""The one table of operators flowc can read, and the check that lists every node outside it at once.

An operator here may still be refused later, where its place in the graph or its attributes can't become hardware or a
host head or tail. What is not here, but in the ONNX standard, may stand behind the last quantized layer
(`flowc.importer.suffix`); anything else is refused before any work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

from flowc.errors import UnsupportedError
from flowc.importer.channels_last import CHANNELS_LAST, CHANNELS_LAST_DOMAIN

__all__ = ["BY_NAME", "CONTRIB_DOMAIN", "QUANTIZER_DOMAINS", "STANDARD", "UNKNOWN", "check_operators", "is_qonnx"]

QUANTIZER_DOMAINS = frozenset(
    {"qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general", "qonnx", "brevitas", "PACTOps"}
)
"""Domains in which exporters have put quantizers: QONNX's in its own, Brevitas' and FINN's, PULP's in QuantLab's."""

CONTRIB_DOMAIN = "com.microsoft"

_QUANTIZERS = frozenset({"Quant", "IntQuant", "BipolarQuant", "BinaryQuant", "Trunc", "MultiThreshold", "RequantShift"})


def is_qonnx(domain: str, op_type: str) -> bool:
    """Whether an operator is a QONNX one: by its domain, or, in exports that name none, by its name."""
    return domain in QUANTIZER_DOMAINS or (domain in ("", "ai.onnx") and op_type in _QUANTIZERS)


_CONTRIB = frozenset(
    {
        "DequantizeLinear", "QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearConcat", "QLinearGlobalAveragePool",
        "QLinearLeakyRelu", "QLinearMul", "QLinearSigmoid", "QLinearSoftmax", "QuantizeLinear",
    }
)  # fmt: skip

STANDARD = frozenset(
    {
        # matrix products
        "Conv", "ConvTranspose", "Gemm", "MatMul",
        # quantized forms
        "ConvInteger", "DequantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QuantizeLinear",
        # elementwise
        "Abs", "Add", "BatchNormalization", "Ceil", "Celu", "Clip", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu",
        "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Max", "Mean", "Min", "Mish", "Mul", "Neg", "Pow", "PRelu",
        "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh",
        "ThresholdedRelu",
        # pooling and reductions
        "ArgMax", "ArgMin", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "ReduceMax", "ReduceMean",
        "ReduceMin", "ReduceSum", "TopK",
        # layout
        "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Pad", "Reshape", "Resize", "Slice", "SpaceToDepth",
        "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Upsample",
        # nothing at inference
        "Cast", "Dropout", "Identity",
        # constants and shapes
        "Constant", "ConstantOfShape", "NonZero", "Range", "ScatterND", "Shape", "Size",
        # logic in host heads and tails
        "And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Mod", "Not", "Or",
        "Where", "Xor",
        # float host tails
        "Cos", "Hardmax", "InstanceNormalization", "LayerNormalization", "LogSoftmax", "LpNormalization", "LRN",
        "MeanVarianceNormalization", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceProd", "ReduceSumSquare", "Sin",
        "Softmax",
    }
)  # fmt: skip
"""Operators of the ONNX standard domain that flowc reads."""

BY_NAME = {
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN"),
        "recurrent networks are not supported; unroll it, or leave it behind the last quantized layer, where the host runs it",
    ),
    **dict.fromkeys(("Loop", "Scan", "If"), "control flow is not supported; export the model traced, without branches"),
    **dict.fromkeys(
        ("Attention", "MultiHeadAttention", "QAttention", "GroupQueryAttention", "EmbedLayerNormalization"),
        "attention is not supported; leave it behind the last quantized layer, where the host runs it",
    ),
    "DynamicQuantizeLinear": "its scale is computed at run time; quantize the model statically",
    "DynamicQuantizeMatMul": "its scale is computed at run time; quantize the model statically",
    "FloatQuant": "float-quantized (FP8 and the like) tensors are not supported; quantize to integers",
    "Einsum": "it is no single product of matrices; write it as MatMul",
    **dict.fromkeys(
        ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"),
        "its result is random; export the model for inference (model.eval())",
    ),
}
"""Operators of any domain that have no hardware, and why; those of `_HOST_ONLY` may stand behind the last quantized layer."""

_HOST_ONLY = frozenset({"Attention", "Einsum", "GRU", "LSTM", "RNN"})
_FLOAT8 = frozenset({17, 18, 19, 20, 23, 24})  # FLOAT8E4M3FN, E4M3FNUZ, E5M2, E5M2FNUZ, FLOAT4E2M1, FLOAT8E8M0
UNKNOWN = "unknown to flowc"
_STANDARD_ONLY = "export the model with operators of the ONNX standard, or in QONNX, QCDQ or QDQ form"
_REMEDY = "flowc compiles feed-forward networks of quantized linear, convolution, pooling and elementwise layers"


def check_operators(model: onnx.ModelProto) -> None:
    """Refuse every node flowc can't read, all of them in one error.

    Raises:
        UnsupportedError: lists each offending node with its operator and the reason.
    """
    float8 = {t.name for t in model.graph.initializer if t.data_type in _FLOAT8}
    functions = {(f.domain, f.name) for f in model.functions}
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), None)
    offences = list(_offences(model.graph.node, float8, functions, opset))
    if offences:
        raise UnsupportedError(offences, remedy=_REMEDY)


def _offences(
    nodes: Iterable[onnx.NodeProto], float8: set[str], functions: set[tuple[str, str]], opset: int | None
) -> Iterator[tuple[str, str, str]]:
    for node in nodes:
        reason = _reason(node, float8, functions, opset) or _arity(node, opset)
        if reason is not None:
            name = node.name or next(filter(None, node.output), "(unnamed)")
            yield name, f"{node.domain}::{node.op_type}" if node.domain else node.op_type, reason


def _is_standard(op_type: str, opset: int | None) -> bool:
    try:
        onnx.defs.get_schema(op_type, opset if opset is not None else 1)
    except onnx.defs.SchemaError:
        return False
    return True


def _reason(node: onnx.NodeProto, float8: set[str], functions: set[tuple[str, str]], opset: int | None) -> str | None:
    """Why this node can't be read; None if it can."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    if node.op_type in BY_NAME and not (
        domain == "" and node.op_type in _HOST_ONLY and _is_standard(node.op_type, opset)
    ):
        return BY_NAME[node.op_type]
    if (node.domain, node.op_type) in functions:
        return "it calls a function local to the model; inline it with onnx.inliner.inline_local_functions"
    if any(a.HasField("g") or a.graphs for a in node.attribute):
        return "control flow is not supported; export the model traced, without branches"
    known = STANDARD if domain == "" else _CONTRIB if domain == CONTRIB_DOMAIN else frozenset[str]()
    if is_qonnx(domain, node.op_type):
        known = _QUANTIZERS
    if domain == CHANNELS_LAST_DOMAIN:
        known = CHANNELS_LAST
    if node.op_type not in known and not (domain == "" and _is_standard(node.op_type, opset)):
        return f"{UNKNOWN}, in domain '{domain}'; {_STANDARD_ONLY}" if domain else f"{UNKNOWN}; {_STANDARD_ONLY}"
    if not any(node.output):
        return "it has no output; remove it from the model"
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        to = next((a.i for a in node.attribute if a.name == "output_dtype"), 0)
        if to in _FLOAT8 or any(i in float8 for i in node.input):
            return "float-quantized (FP8) tensors are not supported; quantize to integers"
    return None


def _arity(node: onnx.NodeProto, opset: int | None) -> str | None:
    """Why the node can't be one of its operator's: too few or too many inputs, by the ONNX schema; None if it can."""
    if opset is None or node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type):
        return None
    try:
        schema = onnx.defs.get_schema(node.op_type, opset)
    except onnx.defs.SchemaError:
        return None
    count = max((i + 1 for i, name in enumerate(node.input) if name), default=0)
    if schema.min_input <= count <= schema.max_input:
        return None
    least, most = schema.min_input, schema.max_input
    return f"it has {count} inputs, and the operator takes {least if least == most else f'{least} to {most}'}; export it again"
