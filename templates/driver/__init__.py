"""The driver of an accelerator: runs on the board with numpy and pynq, on Python 3.8 and newer.

    from driver import Accelerator
    accelerator = Accelerator("design.bit")
    y = accelerator(x)                  # numpy in, numpy out; the first axis is the batch
"""

from .driver import Accelerator

__all__ = ["Accelerator"]
