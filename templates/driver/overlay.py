"""Loading a bitstream under PYNQ, and finding its blocks."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from .errors import MissingError

__all__ = ["load_overlay", "part_of"]


def load_overlay(bitfile: Path) -> Any:
    """(the pynq package, the overlay).

    Raises:
        MissingError: pynq is not installed, or can't load the bitstream.
    """
    try:
        pynq = importlib.import_module("pynq")
    except ImportError as error:
        raise MissingError("no board: pynq can't be imported ({})".format(error)) from error
    try:
        return pynq, pynq.Overlay(str(bitfile))
    except (OSError, RuntimeError, ValueError) as error:
        raise MissingError(
            "pynq can't load {}: {}. The .hwh file must lie beside it, and PYNQ wants root's rights".format(bitfile, error)
        ) from error


def part_of(overlay: Any, name: str) -> Any:
    """A block of the overlay. Raises MissingError where there is none of that name."""
    try:
        return getattr(overlay, name)
    except AttributeError as error:
        raise MissingError(
            "the bitstream has no '{}': it is of another design, or older than this driver. Copy design.bit and design.hwh of the "
            "same build".format(name)
        ) from error
