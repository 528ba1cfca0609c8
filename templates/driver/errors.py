"""Errors of the driver: what the one who calls it can mend. Their text says what is wrong, and what to do."""

from __future__ import annotations

__all__ = ["DriverError", "InputError", "MissingError"]


class DriverError(Exception):
    """Any of them."""


class InputError(DriverError, ValueError):
    """Data or an option that the model can't take."""


class MissingError(DriverError, RuntimeError):
    """Something that this place lacks: a board, a bitstream, a package, memory."""
