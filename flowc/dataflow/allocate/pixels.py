"""Folds of layers that take several pixels of a row per cycle: what is left where a fully unfolded layer is still too slow.

Padding and window take ``window_pixels`` P of a row per cycle, all channels of each, and the window gives the P / stride output positions
that they stand for. The unit behind computes ``pixels`` Q of these per cycle: one, folded as ever, or more, each of them whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from flowc.dataflow.allocate.fold import MAX_LANES, Fold, Folding
from flowc.units import Mvtu, Pad, Pool, Unit, Vvtu, Window, divisors
from flowc.units.cost import ARRIVING, MAX_PRODUCTS, MAX_STREAM_BITS
from flowc.units.pixels import MOST_PIXELS, per_beat

__all__ = ["counts", "pixel_conflict", "pixel_cycles", "pixel_folds", "pixel_reason", "window_counts"]

KEYS = ("pixels", "window_pixels")
_FRONTS = 2  # numbers of pixels that are worth a look
_READERS = 2  # numbers of inputs for a number of lanes


def window_counts(layer: Folding) -> list[int]:
    """Numbers of pixels above 1 that the layer's padding and window can take per cycle, ascending."""
    window = layer.window
    if window is None or _refusal(layer) is not None:
        return []
    return [p for p in range(2, MOST_PIXELS + 1) if _divides(layer, window, p)]


def counts(layer: Folding) -> list[int]:
    """Numbers of output positions above 1 that the layer's main unit can compute per cycle, ascending."""
    if _refusal(layer) is not None:
        return []
    if layer.window is None:
        return per_beat(layer.main.inputs[0])
    given = {p // layer.window.stride[1] for p in window_counts(layer)}
    return sorted({q for g in given for q in divisors(g) if q > 1})


def pixel_reason(layer: Folding) -> str:
    """What numbers of pixels a layer can take, in words."""
    refusal = _refusal(layer)
    if refusal is not None:
        return refusal
    window = layer.window
    if window is None:
        return f"pixels must divide rows of {layer.main.inputs[0].w}, and be {MOST_PIXELS} at most"
    rows = layer.pads[0].inputs[0].w if layer.pads else window.frame.w
    stride = f", be a multiple of the stride of {window.stride[1]}" if window.stride[1] > 1 else ""
    return (
        f"pixels into the window must divide rows of {rows}{stride}, give rows of {window.out_w} positions in whole beats, and be "
        f"{MOST_PIXELS} at most"
    )


def pixel_conflict(layer: Folding) -> str | None:
    """What contradicts, of that which the user fixed, that the layer takes several pixels per cycle; None: nothing."""
    fixed, main = layer.fixed, layer.main
    several = [key for key in KEYS if fixed.get(key, 1) > 1]
    if not several:
        return None
    said = " and ".join(f"{key} = {fixed[key]}" for key in several)
    if fixed.get("parallel") is False or "window_simd" in fixed:
        key = "parallel" if fixed.get("parallel") is False else "window_simd"
        return f"{said} takes windows whole from beats of whole pixels, and leaves nothing for '{key}'"
    if fixed.get("memory") in ARRIVING:
        return f"{said} excludes weights that come from memory ('{fixed['memory']}')"
    if "pixels" not in several:
        return None
    whole = {"pe": main.folding().get("pe", [1])[-1], "simd": main.folding().get("simd", [1])[-1]}
    for key in ("pe", "simd"):
        if key in fixed and fixed[key] != whole[key]:
            return f"{said} asks for pixels that are computed whole, {key} = {whole[key]}, not {fixed[key]}"
    window = layer.window
    if window is not None and "window_pixels" in fixed:
        given = fixed["window_pixels"] // window.stride[1]
        if given % fixed["pixels"]:
            return f"{said}: the window gives {given} positions per cycle, which is no multiple"
    return None


def pixel_cycles(layer: Folding) -> set[int]:
    """Numbers of cycles at which the choice of the layer's folds with several pixels changes."""
    found = {front.cycles for p in window_counts(layer) if (front := _front(layer, p)) is not None}
    return found | {_whole(layer.main, q).interval for q in (1, *counts(layer)) if counts(layer)}


def pixel_folds(layer: Folding, limit: int) -> Iterator[Fold]:
    """Folds of at most ``limit`` cycles with several pixels per cycle: the least that do, and the next."""
    main = layer.main
    if layer.fixed.get("memory") in ARRIVING or layer.fixed.get("parallel") is False or "window_simd" in layer.fixed:
        return
    if layer.window is None:
        for q in layer.wanted("pixels", counts(layer)):
            reader = _reader(layer, _whole(main, q), limit)
            if reader is not None and q > 1:
                yield Fold(
                    {layer.name: reader.changes}, reader.cycles, reader.unit.in_widths[0], reader.unit.out_widths[0]
                )
                return
        return
    found = 0
    for p in layer.wanted("window_pixels", window_counts(layer)):
        front = _front(layer, p) if p > 1 else None
        if front is None or front.cycles > limit:
            continue
        wide = front.window.out_widths[0]
        before = found
        for reader in _readers(layer, front.window, limit):
            enters = reader.unit.in_widths[0]
            inner = None if enters == wide else (front.window.frame.dtype.bits, wide, enters)
            changes = {**front.changes, layer.name: reader.changes}
            cycles = max(front.cycles, reader.cycles)
            yield Fold(changes, cycles, p * front.window.frame.c, reader.unit.out_widths[0], inner)
            found = before + 1
        if found == _FRONTS:
            return


class _Front(NamedTuple):
    """Padding and window that take several pixels: changes per unit, cycles, the window."""

    changes: dict[str, dict[str, Any]]
    cycles: int
    window: Window


class _Reader(NamedTuple):
    """The main unit behind them: its changes, itself, cycles."""

    changes: dict[str, Any]
    unit: Unit
    cycles: int


def _refusal(layer: Folding) -> str | None:
    """Why the layer can't take several pixels per cycle, whatever their number; None where it can."""
    main = layer.main
    if not isinstance(main, Mvtu | Vvtu | Pool) or (layer.window is None and not isinstance(main, Mvtu)):
        return f"a {main.kind} takes one pixel per cycle"
    if isinstance(main, Mvtu) and main.groups > 1:
        return "a grouped product takes one pixel per cycle"
    if len(layer.pads) > 1 or not all(isinstance(pad, Pad) for pad in layer.pads):
        return "in front of a transposed convolution's window, and of two paddings, pixels come one per cycle"
    return None


def _divides(layer: Folding, window: Window, pixels: int) -> bool:
    """Whether rows in front of padding and window, and those of positions behind them, are whole beats."""
    if pixels % window.stride[1] or window.out_w % (pixels // window.stride[1]):
        return False
    first = layer.pads[0].inputs[0] if layer.pads else window.frame  # behind a padding, rows are filled up
    return first.w % pixels == 0


def _front(layer: Folding, pixels: int) -> _Front | None:
    """Padding and window for so many pixels; None where a word would be too wide."""
    assert layer.window is not None
    channels = layer.window.frame.c
    wide = {"simd": channels, "pixels": pixels}
    own = {**wide, "block": channels, "parallel": True, "spare": 0}
    window: Window = layer.window.with_(**own)
    bits = window.frame.dtype.bits
    beat = pixels * channels * bits
    if max(beat, window.kernel[0] * beat, window.out_widths[0] * bits) > MAX_STREAM_BITS:
        return None
    pads = [pad.with_(**wide) for pad in layer.pads]
    changes = {**{pad.name: wide for pad in pads}, window.name: own}
    return _Front(changes, max(unit.interval for unit in (*pads, window)), window)


def _whole(main: Unit, pixels: int) -> Unit:
    """The main unit, so many positions per cycle, each computed whole."""
    if isinstance(main, Mvtu):
        own = {"pe": main.mh, "simd": main.mw, "block": main.mw // main.taps}
    else:
        own = {"pe": main.folding()["pe"][-1], "parallel": True}
    whole: Unit = main.with_(**own, pixels=pixels)
    return whole


def _reader(layer: Folding, unit: Unit, limit: int) -> _Reader | None:
    """The main unit, if it keeps to ``limit``, to what the user fixed, and to the widest words and the most lanes."""
    widths = max(unit.in_widths[0], unit.out_widths[0])
    wide = max(unit.in_widths[0] * unit.inputs[0].dtype.bits, unit.out_widths[0] * unit.outputs[0].dtype.bits)
    if isinstance(unit, Mvtu):
        wide = max(wide, unit.simd * unit.weight_type.bits)
    if unit.interval > limit or widths > MAX_LANES or wide > MAX_STREAM_BITS:
        return None
    if isinstance(unit, Vvtu) and unit.products > MAX_PRODUCTS:
        return None
    names = ("pe", "simd", "block", "pixels") if isinstance(unit, Mvtu) else ("pe", "parallel", "pixels")
    changes = {name: getattr(unit, name) for name in names}
    kept = all(layer.fixed.get(key, changes[key]) == changes[key] for key in ("pe", "simd", "pixels") if key in changes)
    return _Reader(changes, unit, unit.interval) if kept else None


def _readers(layer: Folding, window: Window, limit: int) -> Iterator[_Reader]:
    """Ways to compute what the window gives: one position per cycle, or the least number of them that keeps to ``limit``."""
    main = layer.main
    alone = list(_folded(layer, limit)) if isinstance(main, Mvtu) else [_reader(layer, _whole(main, 1), limit)]
    found = [reader for reader in alone if reader is not None]
    yield from found
    if not found:
        several = (_reader(layer, _whole(main, q), limit) for q in divisors(window.given) if q > 1)
        yield from [reader for reader in several if reader is not None][:1]


def _folded(layer: Folding, limit: int) -> Iterator[_Reader]:
    """An MVTU behind windows of several pixels, one position per cycle or in several cycles."""
    main = _whole(layer.main, 1)
    for pe in layer.wanted("pe", layer.allowed("pe")):
        ways = (
            _reader(layer, main.with_(pe=pe, simd=simd), limit) for simd in layer.wanted("simd", layer.allowed("simd"))
        )
        yield from [way for way in ways if way is not None][:_READERS]
