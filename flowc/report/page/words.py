"""The first screen: what a design comes to, in plain words, and how each figure was got."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flowc.errors import counted
from flowc.report.text import number, percent

__all__ = ["Fact", "Told", "tell"]

Report = Mapping[str, Any]

_NAMES = {"lut": "LUT", "ff": "FF", "bram18": "block RAM", "uram": "UltraRAM", "dsp": "DSP"}
_ROOM = 0.5
_FULL = 0.9
_CLOSE = 1.05


class Fact(NamedTuple):
    """A figure of the first screen.

    Attributes:
        label: what it is.
        text: as it is read.
        origin: modelled, counted, simulated, measured, or imported from vendor tools; empty where there is no figure.
        value: as report.json has it.
        more: a few words below.
        good: True or False where it is an answer, None where it is a figure.
    """

    label: str
    text: str
    origin: str
    value: Any
    more: str = ""
    good: bool | None = None


class Told(NamedTuple):
    """The first screen: figures, and sentences on what they mean."""

    facts: list[Fact]
    exactness: list[str]
    advice: list[str]


def tell(report: Report) -> Told:
    """What a report says in short."""
    return Told(_facts(report), [*_verified(report), *_certified(report)], list(_advice(report)))


def _facts(report: Report) -> list[Fact]:
    loopback = report["execution"] == "loopback"
    simulated = "modelled" if loopback else "simulated"
    fits = bool(report["fits"])
    tight = _tightest(report)
    room = "" if tight is None else f"{_NAMES[tight[0]]} is tightest: {percent(tight[1])} of what may be used"
    per = "per image, in a batch" if loopback else "per frame, in steady state"
    of = f"of a batch of {number(report['batch'])}" if loopback else "first beat in to last beat out"
    return [
        Fact("Fits the board?", "yes" if fits else "no", "modelled", fits, room, fits),
        Fact("Frames per second", number(report["fps"]), simulated, report["fps"],
             f"{number(report['interval_cycles'])} cycles {per}"),
        Fact("Latency", f"{number(report['latency_ms'])} ms", simulated, report["latency_ms"], of),
        Fact("Bottleneck", report["bottleneck"] or "unknown", "counted", report["bottleneck"], _bound(report)),
        *_clock(report),
        _checked(report),
    ]  # fmt: skip


def _clock(report: Report) -> Iterator[Fact]:
    """The clock that placing and routing reached, where that was tried: by open tools here, or by the vendor's."""
    place, vendor = report.get("place"), (report.get("vendor") or {}).get("placed")
    if place is not None and place["mhz"] is not None:
        reached, wanted, tool, origin = place["mhz"], place["wanted_mhz"], place["tool"], "measured"
    elif vendor is not None and vendor["mhz"] is not None:
        reached, wanted, tool, origin = vendor["mhz"], report["clock_mhz"], vendor["tool"] or "vendor tools", "imported"
    else:
        return
    asked = "" if wanted is None else f"{number(wanted)} asked for; "
    yield Fact(
        "Clock reached",
        f"{number(reached)} MHz",
        origin,
        reached,
        f"{asked}by {tool}",
        None if wanted is None else reached >= wanted,
    )


def _bound(report: Report) -> str:
    if report["execution"] == "loopback":
        return "the layer that takes longest"
    return "sets the interval" if report["bottleneck"] in _units(report) else "moves a frame more slowly than any unit"


def _units(report: Report) -> set[str]:
    """Names of the units: what binds and is none of them lies outside, as a memory or a serial line does."""
    return {layer["name"] for layer in report["layers"]}


def _checked(report: Report) -> Fact:
    found = report["verification"]
    if found is None:
        return Fact("Equal to onnxruntime?", "not compared", "", None, "no comparison was run")
    open_, wrong = found["explained_by_ambiguous"], found["mismatches"]
    more = f"{number(found['values'])} integers of {counted(found['samples'], 'sample')}"
    if wrong > open_:
        return Fact("Equal to onnxruntime?", f"{number(wrong - open_)} differ", "measured", wrong, more, good=False)
    text = "yes" if not wrong else f"yes, but {number(wrong)} left open"
    return Fact("Equal to onnxruntime?", text, "measured", wrong, more, good=True)


def _verified(report: Report) -> Iterator[str]:
    found = report["verification"]
    if found is None:
        yield "Nothing was compared with onnxruntime in this build; flowc verify does it."
    else:
        yield from _compared(found)
    csim = report.get("csim")
    if csim is not None:
        same = f"gave every output integer of {counted(csim['samples'], 'frame')} as the emulator does."
        wrong = f"differs from the emulator in {counted(csim['mismatches'], 'integer')}: do not use this design."
        yield f"The generated C++, compiled with g++, {wrong if csim['mismatches'] else same}"
    rtl = report.get("rtlsim")
    if rtl is not None:
        wrong, cycles, modelled = rtl["mismatches"], rtl["interval_cycles"], rtl["model_interval_cycles"]
        yield (
            f"The generated SystemVerilog, simulated over {counted(rtl['frames'], 'frame')}, gave {counted(wrong, 'wrong beat')} and "
            f"takes {number(cycles)} cycles per frame; the model says {number(modelled)}."
        )


def _compared(found: Report) -> Iterator[str]:
    values, wrong, open_ = found["values"], found["mismatches"], found["explained_by_ambiguous"]
    bounded = found.get("compared_within_bound") or 0
    if not wrong:
        yield f"Every one of {number(values - bounded)} integers equals onnxruntime's."
    elif wrong == open_:
        yield (
            f"{number(values - wrong)} of {number(values)} integers equal onnxruntime's; the other {number(wrong)} lie where the "
            "model itself does not say which integer is right."
        )
    else:
        yield f"{number(wrong - open_)} of {number(values)} integers differ from onnxruntime's and nothing explains it."
    if bounded:
        yield (
            f"{number(bounded)}{' more' if not wrong else ' of them'} are sums in floats, each within the bound that any order of "
            "additions keeps."
        )
    for entry in found.get("explanations") or []:
        yield str(entry["text"])
    if found.get("not_compared"):
        yield f"{counted(found['not_compared'], 'value')} could not be compared: the reference has no tensor for them."


def _certified(report: Report) -> Iterator[str]:
    found = report["certificate"]
    whole, open_ = found["thresholds"], found["ambiguous"]
    if not whole:
        return
    sure = whole - open_
    yield (
        f"Certificate: {'all' if not open_ else f'{number(sure)} of'} {counted(whole, 'threshold')} "
        f"{'are' if whole != 1 else 'is'} decided alike by every conforming float32 runtime"
        + (
            f"; {number(open_)} leave {percent(found['ambiguous_value_share'])} of the accumulator values open."
            if open_
            else ", whatever the input."
        )
    )


def _tightest(report: Report) -> tuple[str, float] | None:
    """The resource that is used most of what may be used, and its share."""
    budget = report.get("budget") or report["available"]
    shares = {k: report["resources"][k] / b for k, b in budget.items() if b and report["resources"].get(k) is not None}
    return max(shares.items(), key=lambda item: item[1]) if shares else None


def _advice(report: Report) -> Iterator[str]:
    """What binds, and what to change."""
    tight = _tightest(report)
    if not report["fits"]:
        where = "" if tight is None else f": {_NAMES[tight[0]]} is at {percent(tight[1])} of what may be used"
        yield f"Too large{where}. Ask for a lower --fps, fix less PE and SIMD in the folding file, or take a larger board."
        return
    if report["execution"] == "loopback":
        yield from _loopback_advice(report)
    else:
        yield from _dataflow_advice(report)
    if tight is None:
        return
    name, share = _NAMES[tight[0]], tight[1]
    if share < _ROOM and report["execution"] == "dataflow":
        room = f"The board has room: {name} is at {percent(share)} of what may be used"
        trade = ". A higher --fps, or none, trades it for rate" if report["bottleneck"] in _units(report) else ""
        yield f"{room}{trade}; at this rate a smaller board may do."
    elif share > _FULL:
        yield (
            f"The board is nearly full: {name} is at {percent(share)} of what may be used. For more, take a larger board, fewer "
            "bits, or a higher clock."
        )


def _dataflow_advice(report: Report) -> Iterator[str]:
    interval, slowest = report["interval_cycles"], report["bottleneck"]
    if slowest not in _units(report):
        yield (
            f"The {slowest} binds: inputs, outputs and streamed weights take longer to move than any unit to compute. Keep weights on "
            "the chip, or narrow inputs and outputs."
        )
        return
    cycles = sorted((layer["cycles"], layer["name"]) for layer in report["layers"] if layer["name"] != slowest)
    level = [name for count, name in reversed(cycles) if count * _CLOSE >= interval]
    slower = [(count, name) for count, name in cycles if 0 < count * _CLOSE < interval]
    step = ""
    if slower:
        count, name = slower[-1]
        rate = math.floor(report["fps"] * interval / count)
        step = f" --fps {rate} asks for as much as '{name}', the next slowest, gives as it is."
    if level:
        named = f"'{level[0]}' is" if len(level) == 1 else f"{counted(len(level), 'unit')} ('{level[0]}', ...) are"
        yield (
            f"'{slowest}' binds, and {named} within 5% of it: more rate needs more PE or SIMD in all of them, or a higher --clock.{step}"
        )
    else:
        yield f"'{slowest}' alone binds: more PE or SIMD there gives more rate.{step}"


def _loopback_advice(report: Report) -> Iterator[str]:
    total = sum(layer["cycles"] for layer in report["layers"]) or 1
    memory = sum(layer["cycles"] for layer in report["layers"] if layer["binds"] == "memory")
    share = memory / total
    slowest = max(report["layers"], key=lambda layer: layer["cycles"], default=None)
    if slowest is not None:
        what = "external memory" if slowest["binds"] == "memory" else "array"
        yield f"'{slowest['name']}' takes {percent(slowest['cycles'] / total)} of the time, and the {what} binds there."
    if share > _ROOM:
        yield (
            f"The external memory binds for {percent(share)} of the time. A larger --batch reads weights less often; fewer bits move "
            "fewer bytes."
        )
    else:
        yield f"The array binds for {percent(1 - share)} of the time. More lanes (a larger board) or fewer bits make it faster."
    traffic = report["traffic"]
    if traffic["lower_bound_bytes"]:
        ratio = traffic["bytes_per_image"] / traffic["lower_bound_bytes"]
        yield f"It moves {ratio:.2f} times the bytes that moving each weight and activation once would take."
