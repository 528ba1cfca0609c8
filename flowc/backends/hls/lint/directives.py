"""The pragmas of Vitis HLS: their options, values and places.

Sources: UG1399 of Vitis HLS 2022.2, chapter HLS Pragmas; and the option table of the tool's open front end
(github.com/Xilinx/hls-llvm-project, clang/include/clang/Basic/XlxPragmaOption.td). What these mark as deprecated or
hidden is left out, so that its use is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["DIRECTIVES", "INTERFACE_OPTIONS", "OPERATIONS", "STORAGE", "Directive", "Option"]


@dataclass(frozen=True)
class Option:
    """One ``name=value`` option. kind: integer (``least`` and above), variable, name, port, or word (one of ``words``).

    A word may also stand alone where ``bare`` is set: ``cyclic`` for ``type=cyclic``.
    """

    kind: str
    words: tuple[str, ...] = ()
    least: int = 0
    bare: bool = False


@dataclass(frozen=True)
class Directive:
    """One pragma.

    Attributes:
        places: where it may stand, directly: function, loop, branch, block; "any" in a function at all.
        options: by name.
        flags: words that stand alone.
        required: options that must be there.
    """

    places: tuple[str, ...]
    options: dict[str, Option] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


_ANY = ("any",)
_VARIABLE = Option("variable")
_TYPE = Option("word", ("cyclic", "block", "complete"), bare=True)
_INTEGER = Option("integer")
_POSITIVE = Option("integer", least=1)
_NAME = Option("name")
_PARTITION = {"variable": _VARIABLE, "type": _TYPE, "factor": _POSITIVE, "dim": _INTEGER}

INTERFACE_OPTIONS: dict[str, tuple[str, ...]] = {
    "axis": ("register", "register_mode", "depth"),
    "s_axilite": ("bundle", "offset", "clock", "storage_impl"),
    "m_axi": (
        "bundle", "depth", "offset", "num_read_outstanding", "num_write_outstanding", "max_read_burst_length",
        "max_write_burst_length", "latency", "max_widen_bitwidth", "channel",
    ),
    "ap_memory": ("depth", "latency", "storage_type"),
    "bram": ("depth", "latency", "storage_type"),
    **dict.fromkeys(("ap_none", "ap_fifo", "ap_ack", "ap_vld", "ap_stable"), ("register", "depth", "latency")),
    **dict.fromkeys(("ap_hs", "ap_ovld"), ("register", "depth", "latency", "interrupt")),
    **dict.fromkeys(("ap_ctrl_none", "ap_ctrl_hs", "ap_ctrl_chain"), ()),
}  # fmt: skip
"""Options of an interface by its mode, besides port and name."""

STORAGE: dict[str, tuple[str, ...]] = {
    "fifo": ("bram", "lutram", "uram", "srl", "memory", "auto"),
    "ram_1p": ("auto", "bram", "lutram", "uram"),
    "ram_1wnr": ("auto", "bram", "lutram", "uram"),
    "ram_2p": ("auto", "bram", "lutram", "uram"),
    "ram_s2p": ("auto", "bram", "bram_ecc", "lutram", "uram", "uram_ecc"),
    "ram_t2p": ("auto", "bram", "uram"),
    "rom_1p": ("auto", "bram", "lutram"),
    "rom_2p": ("auto", "bram", "lutram"),
    "rom_np": ("auto", "bram", "lutram"),
}
"""Implementations of each storage type (UG1399, pragma HLS bind_storage). URAM has no initial content: it is no ROM."""

OPERATIONS: dict[str, tuple[str, ...]] = {"mul": ("fabric", "dsp"), "add": ("fabric", "dsp"), "sub": ("fabric", "dsp")}
"""Implementations of each integer operation (UG1399, pragma HLS bind_op)."""

DIRECTIVES: dict[str, Directive] = {
    "aggregate": Directive(
        _ANY,
        {"variable": _VARIABLE, "compact": Option("word", ("bit", "byte", "none", "auto"), bare=True)},
        required=("variable",),
    ),
    "allocation": Directive(
        _ANY,
        {
            "instances": _NAME,
            "type": Option("word", ("function", "operation"), bare=True),
            "limit": _POSITIVE,
        },
        required=("instances", "limit"),
    ),
    "array_partition": Directive(_ANY, _PARTITION, required=("variable",)),
    "array_reshape": Directive(_ANY, _PARTITION, ("object",), ("variable",)),
    "bind_op": Directive(
        _ANY,
        {
            "variable": _VARIABLE,
            "op": Option("word", tuple(OPERATIONS)),
            "impl": Option("word", ("fabric", "dsp")),
            "latency": Option("integer", least=-1),
        },
        required=("variable", "op"),
    ),
    "bind_storage": Directive(
        _ANY,
        {
            "variable": _VARIABLE,
            "type": Option("word", tuple(STORAGE)),
            "impl": Option("word", tuple(dict.fromkeys(i for impls in STORAGE.values() for i in impls))),
            "latency": Option("integer", least=-1),
        },
        required=("variable", "type"),
    ),
    "dataflow": Directive(("function", "loop"), flags=("disable_start_propagation",)),
    "dependence": Directive(
        ("function", "loop"),
        {
            "variable": _VARIABLE,
            "class": Option("word", ("array", "pointer"), bare=True),
            "type": Option("word", ("intra", "inter"), bare=True),
            "direction": Option("word", ("raw", "war", "waw"), bare=True),
            "distance": _POSITIVE,
            "dependent": Option("word", ("true", "false"), bare=True),
        },
    ),
    "disaggregate": Directive(_ANY, {"variable": _VARIABLE}, required=("variable",)),
    "expression_balance": Directive(_ANY, flags=("off",)),
    "function_instantiate": Directive(("function",), {"variable": _VARIABLE}, required=("variable",)),
    "inline": Directive(("function",), flags=("off", "recursive")),
    "interface": Directive(
        ("function",),
        {
            "mode": Option("word", tuple(INTERFACE_OPTIONS), bare=True),
            "port": Option("port"),
            "name": _NAME,
            "bundle": _NAME,
            "clock": _NAME,
            "offset": _NAME,
            "storage_impl": _NAME,
            "storage_type": _NAME,
            "register_mode": Option("word", ("forward", "reverse", "both", "off"), bare=True),
            **dict.fromkeys(
                (
                    "depth", "latency", "num_read_outstanding", "num_write_outstanding", "max_read_burst_length",
                    "max_write_burst_length", "max_widen_bitwidth", "channel", "interrupt",
                ),
                _INTEGER,
            ),
        },
        ("register",),
        ("mode", "port"),
    ),
    "latency": Directive(_ANY, {"min": _INTEGER, "max": _INTEGER}),
    "loop_flatten": Directive(("loop",), flags=("off",)),
    "loop_merge": Directive(("function", "loop", "block"), flags=("force",)),
    "loop_tripcount": Directive(
        ("loop",), {"min": _INTEGER, "max": _INTEGER, "avg": _INTEGER}, required=("max",)
    ),
    "occurrence": Directive(("branch",), {"cycle": _POSITIVE}),
    "pipeline": Directive(
        ("function", "loop"),
        {"ii": _POSITIVE, "style": Option("word", ("stp", "flp", "frp"))},
        ("rewind", "off"),
    ),
    "protocol": Directive(("block",), {"mode": Option("word", ("floating", "fixed"), bare=True)}),
    "reset": Directive(_ANY, {"variable": _VARIABLE}, ("off",), ("variable",)),
    "stable": Directive(("function",), {"variable": _VARIABLE}, required=("variable",)),
    "stream": Directive(
        _ANY,
        {"variable": _VARIABLE, "depth": _POSITIVE, "type": Option("word", ("fifo", "pipo", "shared", "unsync"))},
        required=("variable",),
    ),
    "top": Directive(("function",), {"name": _NAME}),
    "unroll": Directive(("loop",), {"factor": _POSITIVE}, ("skip_exit_check",)),
}  # fmt: skip
