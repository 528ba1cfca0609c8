"""Every error a user of flowc can meet, and the exit code each one ends the command line with.

``str(error)`` is one readable paragraph: what is wrong, where, and what to do about it. Names that come out of a model
file are shown through `shown`, so that a hostile name can neither break the paragraph nor drive a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

__all__ = [
    "DamagedError",
    "FlowcError",
    "InfeasibleError",
    "MismatchError",
    "ModelError",
    "Offence",
    "TargetError",
    "TooLargeError",
    "UnsupportedError",
    "UsageError",
    "counted",
    "shown",
    "similar",
]

_LONGEST_NAME = 120
_LONGEST_TEXT = 100_000


def shown(name: str, limit: int = _LONGEST_NAME) -> str:
    """`name` as it may stand in a message: control characters become spaces, and it is cut at `limit`."""
    text = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def similar(name: str, known: Iterable[str], most: int = 1, likeness: float = 0.6) -> list[str]:
    """The names of `known` that `name` may be a misspelling of, the likeliest first; `likeness` 1 takes equal ones only."""
    import difflib  # which only a misspelt name needs

    return difflib.get_close_matches(name, [*known], most, likeness)


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """``1 sample``, ``2,000 samples``: a number with what it counts; `plural` where that is no ``s`` more."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


class FlowcError(Exception):
    """Base of every error flowc raises on purpose.

    Args:
        message: what is wrong.
        node: name of the ONNX node (or tensor) concerned, if there is one.
        remedy: what the user can do about it.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, node: str | None = None, remedy: str | None = None) -> None:
        self.message = message
        self.node = node
        self.remedy = remedy
        where = f"node '{shown(node)}': " if node is not None else ""
        parts = [_sentence(where + shown(message, _LONGEST_TEXT))]
        if remedy is not None:
            text = _sentence(shown(remedy, _LONGEST_TEXT))
            parts.append(text if text.startswith("flowc") else text[:1].upper() + text[1:])
        super().__init__(" ".join(parts))


class UsageError(FlowcError):
    """A request that makes no sense: a wrong option, a missing input array, an output that can't be written."""


class DamagedError(UsageError):
    """A design whose files contradict each other: cut off, edited, or of different builds."""

    def __init__(self, message: str) -> None:
        super().__init__(f"its files are damaged: {message}", remedy="Build the design again")


class ModelError(FlowcError):
    """A model file that can't be read, is malformed, or asks for something flowc can't do."""


class Offence(NamedTuple):
    """One operator flowc refuses: the node's name, its operator, and why."""

    node: str
    op: str
    reason: str


class UnsupportedError(ModelError):
    """Operators outside what flowc supports; holds and prints every one of them.

    Args:
        offences: (node, op, reason) of each refused node, in graph order; at least one. What several parts of a node are refused for
            alike, such as the groups of a convolution, is said once.
        remedy: what the user can do about it.
    """

    def __init__(self, offences: Iterable[tuple[str, str, str]], *, remedy: str | None = None) -> None:
        self.offences = tuple(dict.fromkeys(Offence(*offence) for offence in offences))
        listed = "; ".join(f"'{shown(o.node)}' ({shown(o.op)}): {o.reason}" for o in self.offences)
        super().__init__(f"{counted(len(self.offences), 'unsupported node')}: {listed}", remedy=remedy)


class TargetError(FlowcError):
    """An unknown or malformed target description."""


class InfeasibleError(FlowcError):
    """The request is sound but can't be met on the target: it does not fit, or the wanted rate is out of reach."""

    exit_code = 3


class TooLargeError(InfeasibleError):
    """The network does not fit on the target in this execution style, however slow it may be."""


class MismatchError(FlowcError):
    """Verification found a value that differs from the reference and that no ambiguity explains."""

    exit_code = 4
