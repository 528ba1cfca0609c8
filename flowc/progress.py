"""What is being worked on right now, told to whoever listens: a terminal's line while a command runs, nobody as a rule.

Whoever works says `at` with the layer, pass or file in hand, and `done` how many of how many samples are through. Both cost next to
nothing where nobody listens. The listener belongs to the context that set it: threads that a function starts tell nobody.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol

__all__ = ["Listener", "at", "done", "listening"]


class Listener(Protocol):
    """Who is told."""

    def at(self, what: str) -> None:
        """``what``, for instance a layer, is being worked on."""

    def done(self, samples: int, count: int) -> None:
        """So many of ``count`` samples are through."""


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tells ``listener`` of all that is worked on meanwhile."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def at(what: str) -> None:
    """Says that ``what`` is being worked on: a layer, a pass, a file."""
    listener = _listener.get()
    if listener is not None:
        listener.at(what)


def done(samples: int, count: int) -> None:
    """Says that so many of ``count`` samples are through."""
    listener = _listener.get()
    if listener is not None:
        listener.done(samples, count)
