"""flowc compiles quantized ONNX networks into bit-exact FPGA dataflow accelerators.

    design = flowc.build("net.onnx", target="ultra96", output="build/net")
    logits = design.run(images)

What is named here is imported when it is first used, so that ``import flowc`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowc.api import build, estimate, info
    from flowc.arrays import ArraySweep, explore_array
    from flowc.design.design import Design, load
    from flowc.errors import FlowcError, InfeasibleError, MismatchError, ModelError, TargetError, UsageError
    from flowc.exploration.sweep import Sweep, explore
    from flowc.model.input_type import InputType
    from flowc.targets import Target, known_targets, load_target

from flowc.version import __version__

__all__ = [
    "ArraySweep",
    "Design",
    "FlowcError",
    "InfeasibleError",
    "InputType",
    "MismatchError",
    "ModelError",
    "Sweep",
    "Target",
    "TargetError",
    "UsageError",
    "__version__",
    "build",
    "estimate",
    "explore",
    "explore_array",
    "info",
    "known_targets",
    "load",
    "load_target",
]

_HOMES = {
    "flowc.api": ("build", "estimate", "info"),
    "flowc.arrays": ("ArraySweep", "explore_array"),
    "flowc.design.design": ("Design", "load"),
    "flowc.errors": ("FlowcError", "InfeasibleError", "MismatchError", "ModelError", "TargetError", "UsageError"),
    "flowc.model.input_type": ("InputType",),
    "flowc.exploration.sweep": ("Sweep", "explore"),
    "flowc.targets": ("Target", "known_targets", "load_target"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'flowc' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
