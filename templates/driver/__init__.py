"""The driver of an accelerator: runs on the board with numpy and pynq, on Python 3.8 and newer.

    from driver import Accelerator
    accelerator = Accelerator()
    y = accelerator(x)                  # numpy in, numpy out; the first axis is the batch

``python3 -m driver`` says what this place has and lacks.
"""

from .driver import Accelerator
from .errors import DriverError, InputError, MissingError

__all__ = ["Accelerator", "DriverError", "InputError", "MissingError"]
