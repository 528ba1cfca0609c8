"""Rendering of text templates, and what every generated file shares: its heading and how it reaches the disk."""

from __future__ import annotations

import functools
import importlib.resources
from pathlib import Path
from typing import Any

import jinja2

from flowc.errors import UsageError
from flowc.files.compiled import compiled_templates

__all__ = ["commented", "copied", "render", "write"]


def _source(name: str) -> str:
    return importlib.resources.files("flowc.templates").joinpath(*name.split("/")).read_text(encoding="utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    """Undefined names are errors; blocks leave no blank lines. Nothing rendered here is HTML."""
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701
        bytecode_cache=compiled_templates("code"),
    )


def render(template: str, **values: Any) -> str:
    """The text of ``flowc.templates`` file `template` (a path with '/') with its expressions filled in."""
    return _environment().get_template(template).render(**values)


@functools.lru_cache(maxsize=64)
def commented(header: str, mark: str) -> str:
    """`header` with every line behind the comment sign `mark`; control characters in it become spaces."""
    lines = ("".join(c if c.isprintable() else " " for c in line) for line in header.splitlines())
    return "".join(f"{mark} {line}".rstrip() + "\n" for line in lines)


def copied(template: str, header: str, mark: str) -> str:
    """The text of ``flowc.templates`` file `template` as it is, under `header`."""
    return commented(header, mark) + _source(template)


def write(path: Path, text: str) -> None:
    """Writes a generated file, its folders first.

    Raises:
        UsageError: the file can't be written.
    """
    data = text.encode()
    try:
        try:
            path.write_bytes(data)
        except FileNotFoundError:  # as of the first file of a folder
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"can't write '{path}': {error.strerror}", remedy="Choose another folder") from error
