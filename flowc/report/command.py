"""The command line that makes a design, however it was made."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

import onnx

from flowc.model.input_type import InputType

__all__ = ["command_line"]


def command_line(
    command: str, model: str | os.PathLike[str] | onnx.ModelProto, options: Mapping[str, Any]
) -> str | None:
    """What to type for the same result.

    Args:
        command: ``build`` or ``estimate``.
        model: as the Python interface takes it.
        options: by their long names without dashes; None and False are left out.

    Returns:
        The line; None where the model or an option was given as an object that no command line can name.
    """
    if isinstance(model, onnx.ModelProto):
        return None
    words = ["flowc", command, os.fspath(model)]
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append(f"--{name}")
        if value is True:
            continue
        if isinstance(value, float):
            words.append(f"{value:.12g}")
        elif isinstance(value, str | int | os.PathLike | InputType):
            words.append(str(value))
        else:
            return None
    return shlex.join(words)
