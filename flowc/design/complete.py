"""Whether a design on disk has all files that a tool reads: said before it runs, in flowc's words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flowc.errors import UsageError, shown
from flowc.files import manifest

__all__ = ["SIMULATED", "SYNTHESIZED", "check_complete"]

SYNTHESIZED = ("rtl/files.f", "rtl/lib/", "rtl/units/", "rtl/data/")
"""What tools for SystemVerilog read of a design, besides the top level, which is the last in files.f."""

SIMULATED = (*SYNTHESIZED, "rtl/sim/", "hls/")
"""What the simulations read, of either language."""

_UNREAD = (".tcl", ".md", ".py", "/Makefile")
"""What lies beside the sources for other tools and for people."""


def check_complete(directory: Path, below: tuple[str, ...], needed: Iterable[str] = ()) -> None:
    """Raises UsageError where files of a design are gone.

    Args:
        directory: the design.
        below: how paths begin that are looked for where ``manifest.json`` lists them.
        needed: paths that must be there, whatever it lists.
    """
    gone = [name for name in manifest.missing(directory, below) if not name.endswith(_UNREAD)]
    gone += [name for name in needed if name not in gone and not (directory / name).is_file()]
    if gone:
        more = f", and {len(gone) - 1} more file{'s' * (len(gone) > 2)}" if len(gone) > 1 else ""
        raise UsageError(
            f"'{shown(str(directory))}' is not a complete flowc design: '{shown(gone[0])}' is missing{more}",
            remedy="Build it again with: flowc build ...",
        )
