"""The emulator's compiled path: plans a dataflow graph as a program of the kernels (`flowc.kernels`) and runs it.

Integers of up to 256 values are stored as codes of a byte, others as int32. Steps, offsets and scales of the types are folded into
weights, thresholds and addends when the plan is made, and so are the checks: a kernel is used where its stated condition holds for the
ranges at hand (`products`), else another, else the unit's own numpy function, within the same run.
"""

from __future__ import annotations

from flowc.dataflow.native.codes import OutOfTypeError, code_of
from flowc.dataflow.native.plan import Plan
from flowc.dataflow.native.run import planned, run, run_plan, run_probed

__all__ = ["OutOfTypeError", "Plan", "code_of", "planned", "run", "run_plan", "run_probed"]
