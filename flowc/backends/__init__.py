"""Backends: each writes a dataflow graph down in one hardware language (`flowc.backends.base`).

Beside them stands what every backend's project shares: scripts that make a bitstream, and the driver.
"""

from flowc.backends.base import Backend, Cells, Marked, Simulated, chosen, find, known, register

__all__ = ["Backend", "Cells", "Marked", "Simulated", "chosen", "find", "known", "register"]
