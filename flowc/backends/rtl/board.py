"""A board's top level for parts that open tools route: clock, reset, pins, and the serial line to the host around the accelerator.

``rtl/board/`` gets ``flowc_system.sv`` (accelerator and serial line: everything that a simulation can hold), ``flowc_board.v`` (PLL
and pins), the modules of the line, and the constraints of the pins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from flowc.backends.render import commented, copied, render, write
from flowc.errors import InfeasibleError, UsageError
from flowc.interface.names import name_design
from flowc.interface.wire import HostPort, boundary
from flowc.targets import Target
from flowc.units.graph import Dataflow

__all__ = ["ROOM", "Pll", "bit_clocks", "check_board", "ends", "generate_board", "pll_of"]

ROOM = 512
"""Bytes that the host may send ahead."""

_LINK = ("flowc_crc8", "flowc_uart_rx", "flowc_uart_tx", "flowc_link")
_CONVERTER = "units/flowc_width_converter.sv"
_LEAST_CLOCKS = 8
_MOST_OFF = 0.025
"""How far the length of a bit may be off: nine and a half of them must end within the last one."""
_CLOSE = 1e-3


class Pll(NamedTuple):
    """Dividers of a PLL.

    Attributes:
        refclk: divides the crystal's clock.
        feedback: what it is multiplied with.
        output: divides the oscillator's clock; of an iCE40 the exponent of two.
        clock_mhz: what comes out.
        filter: of an iCE40: the range of its loop filter.
    """

    refclk: int
    feedback: int
    output: int
    clock_mhz: float
    filter: int = 0


def check_board(graph: Dataflow, target: Target, clock_mhz: float) -> None:
    """Raises for a design that the target's top level can't hold.

    Raises:
        UsageError: the PLL can't make that clock, or the serial line is too fast for it.
        InfeasibleError: the design has more than one input or output.
    """
    if target.has_board:
        pll_of(target, clock_mhz)
        bit_clocks(target, clock_mhz)
        ends(graph)


def pll_of(target: Target, clock_mhz: float) -> Pll:
    """The dividers for a clock.

    ECP5 (FPGA-TN-02200): the oscillator runs at 400 to 800 MHz, the phase detector at 3.125 to 400. iCE40 (FPGA-TN-02052): 533 to 1066 and
    10 to 133 MHz, at least 16 MHz come out.

    Raises:
        UsageError: none gives it; names the nearest.
    """
    crystal = target.crystal_mhz
    assert crystal is not None
    found = _ecp5_plls(crystal) if target.family == "ecp5" else _ice40_plls(crystal)
    best = min(found, key=lambda p: (abs(p.clock_mhz - clock_mhz), p.refclk, p.output))
    if abs(best.clock_mhz / clock_mhz - 1) > _CLOSE:
        raise UsageError(
            f"the PLL of target '{target.name}' makes no {clock_mhz:g} MHz from the board's {crystal:g} MHz",
            remedy=f"The nearest is --clock {best.clock_mhz:.6g}",
        )
    return best


def _ecp5_plls(crystal: float) -> list[Pll]:
    return [
        Pll(refclk, feedback, output, crystal / refclk * feedback)
        for refclk in range(1, 9)
        if crystal / refclk >= 3.125
        for feedback in range(1, 81)
        for output in range(2, 129)
        if 400 <= crystal / refclk * feedback * output <= 800
    ]


def _ice40_plls(crystal: float) -> list[Pll]:
    return [
        Pll(1, feedback, output, crystal * feedback / 2**output, 1 if crystal < 17 else 2 if crystal < 26 else 3)
        for feedback in range(1, 129)
        if 533 <= crystal * feedback <= 1066
        for output in range(1, 7)
        if crystal * feedback / 2**output >= 16
    ]


def bit_clocks(target: Target, clock_mhz: float) -> int:
    """Clock cycles of a bit of the serial line.

    Raises:
        UsageError: there are too few of them, or no whole number of them is close enough to a bit.
    """
    assert target.baud is not None
    exact = clock_mhz * 1e6 / target.baud
    clocks = round(exact)
    if clocks < _LEAST_CLOCKS or abs(clocks / exact - 1) > _MOST_OFF:
        raise UsageError(
            f"at {clock_mhz:g} MHz a bit of the serial line's {target.baud:,} per second takes {exact:.2f} clock cycles; it must be "
            f"close to a whole number of at least {_LEAST_CLOCKS}",
            remedy=f"Take a clock of {_LEAST_CLOCKS * target.baud / 1e6:g} MHz or more, or a lower 'baud' in a target file",
        )
    return clocks


def ends(graph: Dataflow) -> tuple[HostPort, HostPort]:
    """The input and the output of a design.

    Raises:
        InfeasibleError: it has several.
    """
    ports = boundary(graph)
    if len(ports) != 2:
        raise InfeasibleError(
            f"the serial line carries one input and one output, the design has {len(graph.inputs)} and {len(graph.outputs)}",
            remedy="Merge inputs or outputs of the model by a Concat, or take a board with a processor",
        )
    return ports[0], ports[1]


def generate_board(graph: Dataflow, out: Path, *, target: Target, clock_mhz: float, header: str) -> None:
    """Writes ``board/`` of a project.

    Args:
        out: the project's folder.
        target: a board that `Target.has_board` is true of.
        clock_mhz: what the PLL makes.
        header: what made the files from what; every file starts with it as a comment.

    Raises:
        UsageError, InfeasibleError: see `check_board`.
    """
    names, (frames, results) = name_design(graph), ends(graph)
    pll = pll_of(target, clock_mhz)
    pins = target.pins
    values: dict[str, Any] = {
        "heading": commented(header, "//"), "top": names.top, "board": target.description, "pll": pll, "baud": target.baud,
        "clock": f"{pll.clock_mhz:g}", "crystal": f"{target.crystal_mhz:g}", "clocks": bit_clocks(target, clock_mhz), "room": ROOM,
        "input": {"name": names.ports[graph.inputs[0].name], "bytes": frames.stream_bytes},
        "output": {"name": names.ports[graph.outputs[0].name], "bytes": results.stream_bytes},
        "ports": "".join(f",\n    {'input' if role == 'reset' else 'output'} {role}" for role in ("reset", "led", "high") if role in pins),
        "pressed": ("reset" if pins["reset"].startswith("!") else "!reset") if "reset" in pins else "",
        "led": ("!working" if pins["led"].startswith("!") else "working") if "led" in pins else "",
        "high": "high" in pins,
    }  # fmt: skip
    board = out / "board"
    sources = [f"rtl/link/{module}.sv" for module in _LINK]
    if not (out / _CONVERTER).is_file():
        sources.insert(0, f"rtl/{_CONVERTER}")  # the line needs it, the accelerator does not
    for source in sources:
        write(board / Path(source).name, copied(source, header, "//"))
    write(board / "flowc_system.sv", render("rtl/board/flowc_system.sv.j2", **values))
    write(board / "flowc_board.v", render(f"rtl/board/{target.family}.v.j2", **values))
    write(board / "files.f", "\n".join([*(f"board/{Path(s).name}" for s in sources), "board/flowc_system.sv"]) + "\n")
    name, text = _constraints(target)
    write(board / name, commented(header, "#") + text)


def _constraints(target: Target) -> tuple[str, str]:
    """The constraints of the pins: file name and text, LPF for ECP5 and PCF for iCE40."""
    pins = {role: pin.removeprefix("!") for role, pin in target.pins.items()}
    if target.family == "ice40":
        return "pins.pcf", "".join(f"set_io {role} {pin}\n" for role, pin in pins.items())
    pulls = {"reset": "UP" if target.pins.get("reset", "").startswith("!") else "DOWN", "rx": "UP", "tx": "UP"}
    lines = []
    for role, pin in pins.items():
        lines.append(f'LOCATE COMP "{role}" SITE "{pin}";')
        lines.append(f'IOBUF PORT "{role}" IO_TYPE=LVCMOS33 PULLMODE={pulls.get(role, "NONE")};')
    lines.append(f'FREQUENCY PORT "clock" {target.crystal_mhz:g} MHZ;')
    return "pins.lpf", "\n".join(lines) + "\n"
