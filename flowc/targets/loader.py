"""Reading and checking target files."""

from __future__ import annotations

import functools
import importlib.resources
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowc.errors import TargetError, shown, similar
from flowc.files.toml import Key, count, faults, matching, one_of, parse_toml, positive, read_toml
from flowc.targets.target import FAMILIES, PIN_ROLES, Target

__all__ = ["KEYS", "known_targets", "load_target", "target_of"]


def _share(value: Any) -> bool:
    return positive(value) and value <= 1


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) and text.strip() for text in value.values())


def _pins(value: Any) -> bool:
    return isinstance(value, dict) and all(
        role in PIN_ROLES and isinstance(pin, str) and re.fullmatch(r"!?[A-Z0-9]{1,4}", pin)
        for role, pin in value.items()
    )


KEYS = (
    Key("name", "lower-case letters, digits, '-', '_' and '.'", matching(r"[a-z0-9][a-z0-9._-]{0,63}")),
    Key("description", "one line of text", matching(r"[^\x00-\x1f\x7f]{1,200}")),
    Key("part", "the device as Vivado names it, e.g. 'xczu3eg-sbva484-1-e'", matching(r"[A-Za-z0-9-]{1,64}")),
    Key("family", "one of " + ", ".join(repr(f) for f in FAMILIES), one_of(FAMILIES)),
    Key("lut", "an integer of at least 1", count(1)),
    Key("lutram", "an integer of at least 0", count(0), required=False),
    Key("ff", "an integer of at least 1", count(1)),
    Key("bram18", "an integer of at least 0 (18 kbit blocks; a 36 kbit block counts as two)", count(0)),
    Key("uram", "an integer of at least 0", count(0)),
    Key("dsp", "an integer of at least 0", count(0)),
    Key("clock_mhz", "a number above 0 and not above max_clock_mhz, in MHz", positive),
    Key("max_clock_mhz", "a number above 0, in MHz", positive),
    Key("ddr_gbps", "a number above 0, in 10^9 bytes per second", positive, required=False),
    Key("ddr_efficiency", "a number above 0 and at most 1", _share, required=False),
    Key("ddr_bytes", "an integer of at least 1, in bytes", count(1), required=False),
    Key(
        "board_part",
        "a board of Vivado's board store, e.g. 'xilinx.com:zcu104:part0:1.1'",
        matching(r"[A-Za-z0-9._:-]{1,100}"),
        required=False,
    ),
    Key("power_w", "a number above 0, in watts", positive, required=False),
    Key("made", "true or false", lambda value: isinstance(value, bool), required=False),
    Key("crystal_mhz", "a number above 0, in MHz", positive, required=False),
    Key("baud", "an integer of at least 9600, in bits per second", count(9600), required=False),
    Key("pins", f"a table of {', '.join(PIN_ROLES)}: each a pin such as 'G2', active low '!10'", _pins, required=False),
    Key("sources", "a table of texts", _texts, required=False),
)
"""Every key a target file may have."""


def known_targets() -> list[Target]:
    """The targets that come with flowc, by name."""
    return [_shipped(name) for name in _names()]


def load_target(name_or_path: str | os.PathLike[str]) -> Target:
    """The target called `name_or_path`, or the one a TOML file describes.

    A `Path`, and any text with a path separator or ending in ``.toml``, is taken for a file; the rest for a name, whose
    case does not matter.

    Raises:
        TargetError: there is no such target or file, or the file is not a sound description; every fault is named.
    """
    text = os.fspath(name_or_path)
    if not isinstance(name_or_path, str) or text.endswith(".toml") or os.sep in text:
        return _parse(read_toml(Path(text), "target file", TargetError), text)
    if text.lower() in _names():
        return _shipped(text.lower())
    close = similar(text.lower(), _names())
    hint = f"did you mean '{close[0]}'? " if close else ""
    raise TargetError(
        f"unknown target '{shown(text)}': {hint}the known ones are {', '.join(_names())}",
        remedy="A board of your own can be given as a TOML file: --target ./board.toml (docs/adding-a-target.md)",
    )


@functools.cache
def _names() -> tuple[str, ...]:
    """The targets that come with flowc, in order; each has the name of its file."""
    files = (Path(file.name) for file in importlib.resources.files(__package__).iterdir())
    return tuple(sorted(file.stem for file in files if file.suffix == ".toml"))


@functools.cache
def _shipped(name: str) -> Target:
    file = importlib.resources.files(__package__).joinpath(f"{name}.toml")
    return _parse(file.read_bytes(), file.name)


def _parse(data: bytes, origin: str) -> Target:
    where = f"target file '{shown(origin)}'"
    return target_of(parse_toml(data, where, TargetError), where)


def target_of(given: Mapping[str, Any], where: str) -> Target:
    """The target that the keys of a file describe; `where` names the file in messages.

    Raises:
        TargetError: it is not a sound description; every fault is named.
    """
    entries = dict(given)
    found = faults(entries, KEYS)
    if not found and entries["clock_mhz"] > entries["max_clock_mhz"]:
        found.append(f"'clock_mhz' is {entries['clock_mhz']:g}, above 'max_clock_mhz' ({entries['max_clock_mhz']:g})")
    if found:
        raise TargetError(f"{where}: " + "; ".join(found), remedy="The format is described in docs/adding-a-target.md")
    for key in ("clock_mhz", "max_clock_mhz", "ddr_gbps", "ddr_efficiency", "power_w", "crystal_mhz"):
        if key in entries:
            entries[key] = float(entries[key])
    return Target(**entries)
