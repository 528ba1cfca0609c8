"""The options of a build: what is allowed in each, and the TOML file that holds them (``--config``).

A key of the file is the long option without its dashes: ``clock = 150`` is ``--clock 150``, and ``verify = false`` is
``--no-verify``. An option on the command line wins over the file. File names in it are relative to the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowc.errors import UsageError, shown
from flowc.files.toml import Key, count, faults, matching, one_of, parse_toml, positive, read_toml

__all__ = ["EXECUTIONS", "KEYS", "read_config"]

EXECUTIONS = ("auto", "dataflow", "loopback")
"""Execution styles, as ``--execution`` names them."""

_TEXT = matching(r"[^\x00]{1,4096}")


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


KEYS = (
    Key("target", "the name of a target or a TOML file", _TEXT, required=False),
    Key("output", "a directory", _TEXT, required=False),
    Key("fps", "a number above 0, in frames per second", positive, required=False),
    Key("clock", "a number above 0, in MHz", positive, required=False),
    Key("execution", "one of " + ", ".join(repr(e) for e in EXECUTIONS), one_of(EXECUTIONS), required=False),
    Key("input-type", "TYPE[:SCALE[:ZERO_POINT]], e.g. 'uint8:0.00392156886'", _TEXT, required=False),
    Key("folding", "a JSON file", _TEXT, required=False),
    Key("utilization", "RESOURCE=SHARE,..., e.g. 'lut=0.7,bram18=90%'", _TEXT, required=False),
    Key("backend", "the name of a backend, e.g. 'hls'", _TEXT, required=False),
    Key("batch", "an integer of at least 1", count(1), required=False),
    Key("latency", "a number above 0, in milliseconds", positive, required=False),
    Key("engine", "a JSON file", _TEXT, required=False),
    Key("status", "true or false", _flag, required=False),
    Key("csim", "true or false", _flag, required=False),
    Key("rtlsim", "true or false", _flag, required=False),
    Key("verify", "true or false", _flag, required=False),
    Key("force", "true or false", _flag, required=False),
    Key("strict", "true or false", _flag, required=False),
    Key("dump-passes", "true or false", _flag, required=False),
    Key("verify-passes", "true or false", _flag, required=False),
    Key("explain", "true or false", _flag, required=False),
)
"""Every key a configuration file may have."""


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The options in the TOML file `path`, under the names of `KEYS` with ``_`` for ``-``.

    Raises:
        UsageError: it can't be read, is not TOML, or has a key or value that is not allowed; every fault is named.
    """
    path = Path(path)
    where = f"configuration file '{shown(str(path))}'"
    entries = parse_toml(read_toml(path, "configuration file", UsageError), where, UsageError)
    found = faults(entries, KEYS)
    if found:
        raise UsageError(
            f"{where}: " + "; ".join(found), remedy="The page docs/cli.md lists what a configuration file may hold"
        )
    return {name.replace("-", "_"): value for name, value in _relative_to(path.parent, entries).items()}


def _relative_to(folder: Path, entries: Mapping[str, Any]) -> dict[str, Any]:
    """`entries` with their file names taken from `folder`; a target without a separator or ``.toml`` is a name."""
    placed = dict(entries)
    for name in ("output", "folding", "engine"):
        if name in placed:
            placed[name] = str(folder / placed[name])
    target = placed.get("target", "")
    if os.sep in target or target.endswith(".toml"):
        placed["target"] = str(folder / target)
    return placed
