"""C++ names of a design: its top function, the layers, the ports; legal, short, readable, and apart from each other.

Whatever carries two of them differs in more than case, because the RTL may be VHDL and a file system may not tell
``Conv.cpp`` from ``conv.cpp``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import count
from typing import NamedTuple
from weakref import WeakKeyDictionary

from flowc.units import Mvtu, Vvtu
from flowc.units.graph import Dataflow
from flowc.units.names import LONGEST, LONGEST_PORT, numbered, short

__all__ = ["Names", "alone_names", "identifier", "layer_names", "name_design", "top_name"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CPP = _words("""
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl const
    const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern false
    float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private
    protected public register reinterpret_cast return short signed sizeof static static_assert static_cast struct switch
    template this thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t
    while xor xor_eq
""")
_USED = _words("""
    main flowc hls layers std ap_uint ap_int ap_axiu uint8_t uint16_t uint32_t uint64_t int8_t int16_t int32_t int64_t
    size_t assert errno stdin stdout stderr unix linux
""")
"""Names that the generated code, or a macro of the headers that it includes, gives a meaning."""

_RESERVED = _CPP | _USED

_BENCH = _words(
    "file port bytes run_threads abs labs div ldiv exit abort atoi atol read write open close index time exp log pow"
)
"""What the test bench, or the C library for all of it, has at the outermost level (lower case)."""

_THREADS = _words("frames frame units working watch moved argc argv wrong wrong_beats first")
"""Variables around the ports in the test bench and the threaded run."""

_HDL = _words("""
    abs access after alias all always always_comb always_ff always_latch and architecture array assert assign attribute
    automatic before begin bind bit block body buf buffer bufif0 bufif1 bus byte case casex casez cell checker clocking
    cmos component config configuration constant constraint context cover cross deassign default defparam design disable
    disconnect dist downto edge else elsif end endcase endfunction endmodule entity event exit expect export extends file
    final force forever fork function generate generic genvar global group guarded highz0 highz1 iff ifnone impure in
    inertial initial inout input inside instance integer interface intersect is join label large let liblist library
    linkage literal local localparam logic loop macromodule map matches medium mod modport module nand negedge next nmos
    nor noshowcancelled notif0 notif1 null of on open others out output package packed parameter pmos port posedge
    postponed primitive priority procedure process program property pull0 pull1 pulldown pullup pure rand randc range
    rcmos real realtime record ref reg reject release rem repeat report restrict rnmos rol ror rpmos rtran rtranif0
    rtranif1 scalared select sequence severity shared shortint shortreal showcancelled signal sla sll small solve specify
    specparam sra srl string strong strong0 strong1 subtype super supply0 supply1 table tagged task then time
    timeprecision timeunit to tran tranif0 tranif1 transport tri tri0 tri1 triand trior trireg type unaffected unique
    units until untyped use uwire var variable vectored wait wand weak weak0 weak1 when wildcard wire with within wor xnor
""")
"""Words that Verilog, SystemVerilog or VHDL reserves: Vitis HLS would rename a port of such a name (with ``_r``)."""

_PARTS = ("", "_layer", "_weights", "_activation", "_scales", "_order")
"""What a layer's function, types and constants add to its name."""


class Names(NamedTuple):
    """C++ names of a design.

    Attributes:
        top: the top function, and so the RTL module.
        layers: unit to its function in namespace ``layers``.
        ports: input or output unit to the top function's argument.
        weights: unit whose weights come over a stream to the top function's argument for them.
    """

    top: str
    layers: Mapping[str, str]
    ports: Mapping[str, str]
    weights: Mapping[str, str]

    @property
    def arguments(self) -> frozenset[str]:
        """All arguments of the top function, in lower case."""
        return frozenset(name.lower() for name in (*self.ports.values(), *self.weights.values()))


def identifier(name: str) -> str:
    """A unit's name as a C++ identifier: unchanged, unless C++ reserves it (then prefixed with ``n_``)."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII).rstrip("_")
    if text in _RESERVED or not text or not text[0].isalpha() or "__" in text:
        text = "n_" + re.sub(r"__+", "_", text).lstrip("_")
    return text


def top_name(name: str) -> str:
    """Name of the top function, and so of the RTL module, for a graph of this name."""
    text = identifier(name)
    return short(f"n_{text}" if text.lower() in _BENCH | _HDL else text)


def layer_names(names: Iterable[str]) -> dict[str, str]:
    """C++ names of the layers of units: identifiers, told apart by a number where the parts of two would be named alike."""
    return _apart(names, frozenset(), _PARTS, LONGEST)


def alone_names(layers: Iterable[str]) -> dict[str, str]:
    """Layer to the top function of a project for it alone."""
    return _apart(layers, frozenset(), ("",), LONGEST, prefix="unit_")


_KNOWN: WeakKeyDictionary[Dataflow, Names] = WeakKeyDictionary()


def name_design(graph: Dataflow) -> Names:
    """The C++ names of a design."""
    if graph not in _KNOWN:
        _KNOWN[graph] = _named(graph)
    return _KNOWN[graph]


def _named(graph: Dataflow) -> Names:
    layers = layer_names(graph.units)
    units = (*graph.inputs, *graph.outputs)
    ports = _apart((u.name for u in units), _HDL | _THREADS, ("",), LONGEST_PORT)
    fed = [u.name for u in graph if isinstance(u, Mvtu | Vvtu) and u.weights_arrive]
    top = top_name(graph.name)
    # A weight port's name with "read_" before it is that of an IP, as the top function's is.
    taken = {p.lower() for p in ports.values()} | {u.name.lower() for u in units} | {top.lower().removeprefix("read_")}
    weights = _apart(fed, frozenset(), ("",), LONGEST_PORT, taken, prefix="weights_")
    return Names(top, layers, ports, weights)


def _apart(
    names: Iterable[str],
    reserved: frozenset[str],
    parts: tuple[str, ...],
    limit: int,
    taken: Iterable[str] = (),
    prefix: str = "",
) -> dict[str, str]:
    """Identifiers of at most ``limit`` characters that differ, with any part behind and case aside, from each other and what is taken."""
    used = set(taken)
    chosen: dict[str, str] = {}
    for name in names:
        base = identifier(prefix + name)
        if base.lower() in reserved:
            base = f"n_{base}"
        candidates = (numbered(base, i, limit) for i in count(1))
        text = next(t for t in candidates if used.isdisjoint((t + p).lower() for p in parts))
        used.update((text + p).lower() for p in parts)
        chosen[name] = text
    return chosen
