"""Gives every stream a FIFO depth and a memory.

Before::

    fork -> add            (depth None)

After::

    fork -> add            (depth 192, memory srl): what the other branch takes until its first result
"""

from flowc.allocate.fifos import size_fifos

__all__ = ["size_fifos"]
