"""What the lint finds."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["INSTANCE_RULES", "RULES", "Finding"]

RULES = {
    "dynamic-memory": "no new, delete, malloc and the like: hardware has no heap (UG1399, Unsupported C/C++)",
    "recursion": "no function may call itself, directly or through others (UG1399)",
    "virtual": "no virtual functions and no run-time type information (UG1399; flowc needs none)",
    "std-library": "no containers, strings and the like of the C++ library (UG1399, Standard Template Libraries)",
    "system-call": "no calls of the operating system (UG1399)",
    "exceptions": "no throw, try and catch",
    "floating-point": "no float and double: all of flowc's hardware is integer",
    "unbounded-loop": "every loop has a bound known at compile time: for loops only, with a constant in the condition, or LOOP_TRIPCOUNT",
    "vla": "array bounds are known at compile time",
    "include": "includes are the vendor's headers, fixed-width integers, or files of the project",
    "int-width": "ap_int and ap_uint have at most AP_INT_MAX_W bits, which is at most 4096 (UG1399)",
    "stream-width": "an element of a stream has at most 4096 bits (Vitis HLS refuses more)",
    "dataflow-form": "a dataflow region consists of declarations and of calls of functions (UG1399, canonical forms)",
    "pragma-unknown": "only pragmas of UG1399, spelled right, none that is deprecated",
    "pragma-option": "options exist, have legal values, are there when required and do not exclude each other",
    "pragma-position": "a pragma stands in a function, in a scope that it can apply to",
    "pragma-variable": "what a pragma names is declared before it and visible",
    "missing-dataflow": "a function with streams of its own is a dataflow region: its processes run side by side",
    "missing-interface": "every port of a top function, and its return, has an INTERFACE",
    "shared-bundle": "processes side by side read, or write, through m_axi ports of their own (Vitis HLS refuses else)",
    "stream-ends": "a stream of a dataflow region has one process that writes it and one that reads it (UG1399)",
    "stream-value": "streams are passed by reference",
    "stream-probe": "no empty, full, read_nb and write_nb: results must not depend on timing",
    "missing-pipeline": "every loop is pipelined, unrolled, or around one that is",
    "pipeline-nest": "a loop in a pipeline is unrolled, and says so",
    "divider": "no / and % but by powers of two, or of what is known at compile time",
    "shared-static": "a variable that outlives its function belongs to one process alone",
    "rom-const": "what is bound to a ROM is const",
    "unbound-array": "a function's array is partitioned, reshaped or bound to a memory: what it becomes is not left to the tool",
    "missing-partition": "an array that an unrolled loop runs over is partitioned or reshaped along that dimension",
    "partition-limit": "an array is partitioned into at most 1024 parts",
}
"""Rules of the C++ as it is written, each with what it asks for."""

INSTANCE_RULES = {
    "compile-error": "a compiler takes the code, with the types and numbers of every layer",
    "int-width": RULES["int-width"],
    "stream-width": RULES["stream-width"],
    "partition-limit": RULES["partition-limit"],
    "reshape-limit": "a reshaped array has words of at most 4096 bits",
    "unroll-limit": "loops are unrolled into at most 4096 copies of their body",
    "dependence-distance": "a DEPENDENCE says no greater distance than the array has words: each comes again after that many",
    "rom-const": RULES["rom-const"],
}
"""Rules of the templates as the layers use them, which a compiler evaluates."""


class Finding(NamedTuple):
    """One violation: the file relative to the folder that was checked, the line, the rule's name, and what is wrong."""

    file: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.message}"
