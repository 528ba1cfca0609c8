"""The vendor's AP types as a precompiled header of GCC: parsing them is a third of what compiling a design costs.

The header is made when the same compiler, flags and types are asked for a second time, and kept in the user's cache folder: what
is compiled once on a machine should not wait for it. GCC itself refuses a precompiled header that does not fit (another compiler,
other options), and reads the plain one beside it instead.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from flowc.files.cache import kept

__all__ = ["precompiled"]

_HEADER = "#ifndef AP_INT_MAX_W\n#define AP_INT_MAX_W 4096\n#endif\n#include <ap_int.h>\n#include <fstream>\n#include <iostream>\n"
_NAME = "types.hpp"
_MOST = 4  # of about 80 MB each


def precompiled(compiler: str, flags: Sequence[str], include: Path) -> list[str]:
    """Options that make a compilation start from the precompiled AP types; none at first, and where they can't be had.

    Args:
        compiler: the C++ compiler; one that is not GCC gets none.
        flags: those of the compilation, without search paths of the design.
        include: folder of the AP types.
    """
    said = subprocess.run(
        [compiler, *flags, "-E", "-v", "-x", "c++", "/dev/null"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if said.returncode != 0 or "\ngcc version " not in said.stderr:
        return []
    # What GCC says of itself holds its version, the processor that "native" means, and where it looks for headers.
    headers = [p for p in sorted(include.rglob("*.h")) if p.is_file()]
    made_from = [_HEADER, *flags, said.stderr, *(part for p in headers for part in (str(p), p.read_bytes()))]
    asked = []

    def note(folder: Path) -> None:
        asked.append(folder)

    if kept("csim-asked", made_from, note, most=32) is None or asked:
        return []

    def make(folder: Path) -> None:
        header = folder / _NAME
        header.write_text(_HEADER, encoding="utf-8")
        command = [compiler, *flags, "-isystem", str(include), "-x", "c++-header", "-o", f"{header}.gch", str(header)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            raise OSError("the header can't be precompiled")

    folder = kept("csim", made_from, make, most=_MOST)
    return [] if folder is None else ["-include", str(folder / _NAME)]
