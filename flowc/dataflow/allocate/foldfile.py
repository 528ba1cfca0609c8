"""Folding files: what the user fixes by hand, per layer.

::

    {"defaults": {"memory": "bram"},
     "conv1": {"pe": 16, "simd": 3},
     "conv2": {"pe": 32, "simd": 32, "memory": "lutram", "multiplier": "lut"}}

Keys of a layer: ``pe`` (lanes of outputs), ``simd`` (inputs per cycle), ``memory`` (weights: auto, lutram, bram, uram, stream),
``multiplier`` (auto, lut, dsp, packed, overlapped), ``threshold_memory`` (auto, lutram, bram), ``window_memory`` (line buffer:
also uram), ``window_simd`` (channels per cycle into the window), ``parallel`` (the window leaves in one beat),
``window_pixels`` (pixels of a row per cycle into the window), ``pixels`` (positions that the main unit computes per cycle).
``defaults`` holds styles for every layer that has them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowc.dataflow.allocate.layers import Layer, find_layers
from flowc.dataflow.allocate.pixels import pixel_conflict, pixel_reason
from flowc.errors import UsageError, shown, similar
from flowc.files.read import read_file
from flowc.passes.insert_width_converters import remove_width_converters
from flowc.units import Mvtu, Pool, Vvtu
from flowc.units.graph import Dataflow

__all__ = ["KEYS", "chosen_folding", "fixed_layers", "folding_of", "read_folding"]

KEYS = (
    "pe", "simd", "memory", "multiplier", "threshold_memory", "window_memory", "window_simd", "parallel", "pixels", "window_pixels",
)  # fmt: skip
_STYLES = ("memory", "multiplier", "threshold_memory", "window_memory")
_LARGEST_FILE = 10_000_000


def read_folding(path: str | Path) -> dict[str, Any]:
    """The object in a folding file. Raises UsageError where it can't be read or is not a JSON object."""
    path = Path(path)
    content = read_file(path, "folding file", UsageError, most=_LARGEST_FILE)
    name = shown(str(path))
    try:
        data = json.loads(content, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"folding file '{name}' is not valid JSON: {error}",
            remedy='It holds an object such as {"conv1": {"pe": 16, "simd": 3}}',
        ) from None
    if not isinstance(data, dict):
        raise UsageError(
            f"folding file '{name}' holds {_kind(data)}, not an object of layers",
            remedy="Take folding.json of a build as a start",
        )
    return data


def folding_of(given: str | os.PathLike[str] | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A folding, or the one in the file of that path. Raises UsageError for anything else."""
    if given is None or isinstance(given, Mapping):
        return given
    if isinstance(given, str | os.PathLike):
        return read_folding(Path(given))
    raise UsageError(
        f"a folding is an object of layers or the path of a JSON file, not {_kind(given)}",
        remedy="Take folding.json of a build as a start",
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key '{shown(key)}' stands twice")
        found[key] = value
    return found


def fixed_layers(layers: Sequence[Layer], folding: Mapping[str, Any]) -> list[Layer]:
    """The layers with what ``folding`` fixes. Raises UsageError that names the key and what is allowed."""
    if not isinstance(folding, Mapping):
        raise UsageError(
            f"a folding is an object of layers, not {_kind(folding)}", remedy="Take folding.json of a build as a start"
        )
    by_name = {layer.name: layer for layer in layers}
    inside = {unit.name: layer.name for layer in layers for unit in layer.units}
    defaults = folding.get("defaults", {}) if "defaults" not in by_name else {}
    _check_object("defaults", defaults)
    for key in defaults:
        if key not in _STYLES:
            raise UsageError(
                f"folding 'defaults': unknown key '{shown(str(key))}'; allowed are {', '.join(_STYLES)}",
                remedy="Take it out, or name it with a layer",
            )
    for name in folding:
        if name in by_name or name == "defaults":
            continue
        if name in inside:
            raise UsageError(
                f"folding: unit '{shown(name)}' folds with its layer '{inside[name]}'", remedy="Name that one"
            )
        near = similar(str(name), by_name)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise UsageError(
            f"folding: unknown layer '{shown(str(name))}'; {hint}the layers are {', '.join(by_name)}",
            remedy="Take folding.json of a build as a start, or flowc estimate to see the layers",
        )
    result = []
    for layer in layers:
        own = folding.get(layer.name, {})
        _check_object(layer.name, own)
        for key, value in own.items():
            _check_value(layer, key, value)
        styles = {k: v for k, v in defaults.items() if layer.allowed(k)}
        for key, value in styles.items():
            _check_value(layer, key, value, "defaults")
        fixed = {k: v for k, v in {**styles, **own}.items() if v != "auto"}
        result.append(layer.with_fixed(fixed) if fixed else layer)
        conflict = pixel_conflict(result[-1])
        if conflict is not None:
            raise UsageError(
                f"folding '{layer.name}': {conflict}", remedy="Leave one of them out, or ask for one pixel per cycle"
            )
    return result


def chosen_folding(graph: Dataflow) -> dict[str, dict[str, Any]]:
    """What `fixed_layers` must be given for a graph to be folded as this one is."""
    found = {}
    for layer in find_layers(remove_width_converters(graph)):
        window, main = layer.window, layer.main
        values = {
            key: getattr(main, key)
            for key in ("pe", "simd", "memory", "multiplier", "threshold_memory")
            if layer.allowed(key)
        }
        if window is not None:
            values |= {"window_memory": window.memory, "parallel": window.parallel}
            values |= {} if window.parallel else {"window_simd": window.simd}
        values |= {"pixels": main.pixels} if isinstance(main, Mvtu | Vvtu | Pool) and main.pixels > 1 else {}
        values |= {"window_pixels": window.pixels} if window is not None and window.pixels > 1 else {}
        kept = {key: value for key, value in values.items() if value in layer.allowed(key) and value != "auto"}
        if kept:
            found[layer.name] = kept
    return found


def _check_object(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise UsageError(
            f"folding '{shown(name)}': expected an object such as {{\"pe\": 4}}, not {_kind(value)}",
            remedy="Name what is fixed of the layer, and its value",
        )


def _check_value(layer: Layer, key: str, value: Any, where: str | None = None) -> None:
    label = f"folding '{where or layer.name}'"
    keys = [k for k in KEYS if layer.allowed(k)]
    if key not in keys:
        raise UsageError(
            f"{label}: unknown key '{shown(str(key))}'; {layer.main.kind} '{layer.name}' has {', '.join(keys) or 'none'}",
            remedy="Take it out, or correct its name",
        )
    allowed = layer.allowed(key)
    sample = allowed[0]
    if type(value) is not type(sample):
        names = {int: "an integer", bool: "true or false", str: "a string"}
        raise UsageError(
            f"{label}: '{key}' must be {names[type(sample)]}, not {_kind(value)}; allowed are {_listed(allowed)}",
            remedy="Give one of those, or take the entry out",
        )
    if value not in allowed:
        raise UsageError(
            f"{label}: '{key}' can't be {json.dumps(value)}; allowed are {_listed(allowed)}",
            remedy=_capital(pixel_reason(layer)) if key in ("pixels", "window_pixels") else None,
        )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(json.dumps(v) for v in values)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return json.dumps(value)
    kinds = {int: "an integer", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return kinds.get(type(value), type(value).__name__)
