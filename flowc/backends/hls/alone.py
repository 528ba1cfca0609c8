"""A top function for each layer by itself, out of context: how long synthesis of one takes is bounded, and one that fails is found."""

from __future__ import annotations

from flowc.backends.render import commented, copied, render
from flowc.interface.names import alone_names

__all__ = ["unit_files"]


def unit_files(signatures: dict[str, str], header: str, *, part: str, period: str) -> dict[str, str]:
    """Files of the projects of single layers, by their paths.

    Args:
        signatures: layer to the declaration of its function, ``void layer(type& name, ...)``.
        header: what made them from what.
        part: device.
        period: of the clock, in ns.
    """
    tops = alone_names(signatures)
    files = {
        f"units/{tops[name]}.cpp": render(
            "hls/project/unit.cpp.j2", heading=commented(header, "//"), top=tops[name], **_unit(name, text)
        )
        for name, text in signatures.items()
    }
    files["units.tcl"] = render(
        "hls/project/units.tcl.j2", heading=commented(header, "#"), part=part, period=period, tops=tops
    )
    files["units.py"] = copied("hls/project/units.py", header, "#")
    return files


def _unit(name: str, signature: str) -> dict[str, object]:
    """Streams with a side channel stay AXI4-Streams; the others become FIFO ports, which cost nothing themselves."""
    arguments = signature.partition("(")[2].removesuffix(")")
    ports = []
    for argument in arguments.split(", "):
        kind, _, port = argument.rpartition(" ")
        ports.append({"name": port, "mode": "axis" if "Axis<" in kind else "ap_fifo"})
    return {"name": name, "arguments": arguments, "ports": ports}
