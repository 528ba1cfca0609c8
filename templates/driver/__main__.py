"""Says what runs here and what does not, and why: ``python3 -m driver [--bitfile design.bit]``."""

from __future__ import annotations

import argparse

from .driver import Accelerator
from .samples import guarded

__all__ = ["main"]


def report(accelerator: Accelerator) -> str:
    """Lines of "part: how it runs"."""
    lines = ["inputs: " + ", ".join(accelerator.inputs)]
    for name, part in (("head", accelerator._head), ("tail", accelerator._tail)):
        how = "the model has none" if part is None else "lacking" if part.lacks else "runs in " + part.engine
        lines.append("{}: {}".format(name, how))
    device = accelerator.device
    lines.append(
        "accelerator: " + ("lacking" if device is None else "{}, {} frames at once".format(device.name, device.batch))
    )
    return "\n".join([*lines, *("lacks: " + text for text in accelerator.lacks)])


@guarded
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="driver", description="What of the model runs here.")
    parser.add_argument("--bitfile")
    parser.add_argument("--emulate", action="store_true", help="an emulator instead of a board")
    options = parser.parse_args()
    accelerator = Accelerator(options.bitfile, emulate=options.emulate or None)
    print(report(accelerator))
    accelerator.close()


if __name__ == "__main__":
    main()
