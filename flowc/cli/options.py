"""What the commands share: options, their types, the configuration file, and progress."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from flowc.config import EXECUTIONS, read_config
from flowc.errors import UsageError
from flowc.input_type import InputType

__all__ = ["BuildRequest", "Session", "build_options", "json_option", "progress"]

Command = Callable[..., Any]


@dataclass
class Session:
    """What one run of the command line carries along."""

    debug: bool = False


def _set_debug(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Session).debug = True


debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_set_debug, help="Show the traceback of errors."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on stdout.")


class _Positive(click.ParamType):
    """A finite number above 0."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number.", param, ctx)
        if not (math.isfinite(number) and number > 0):
            self.fail(f"{value!r} is not a finite number above 0.", param, ctx)
        return number


class _TargetName(click.ParamType):
    """A target's name or file; completes the names."""

    name = "name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del ctx, param
        from flowc.targets import known_targets

        return [CompletionItem(t.name, help=t.description) for t in known_targets() if t.name.startswith(incomplete)]


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """The options of ``build`` and ``estimate`` after the configuration file has been read."""

    target: str
    output: Path | None
    fps: float | None
    clock_mhz: float | None
    execution: str
    input_type: InputType | None
    folding: Path | None
    csim: bool
    verify: bool
    force: bool
    dump_passes: bool
    verify_passes: bool
    explain: bool


def build_options(command: Command) -> Command:
    """Add the options that decide what is built; the command gets them as one `BuildRequest` called ``request``."""
    options = [
        click.option("--target", type=_TargetName(), help="Board to build for (see 'flowc targets'), or a TOML file."),
        click.option("--fps", type=_Positive("n"), help="Wanted frames per second. [default: as fast as fits]"),
        click.option("--clock", type=_Positive("mhz"), help="Clock in MHz. [default: the target's]"),
        click.option("--execution", type=click.Choice(EXECUTIONS), help="Execution style. [default: auto]"),
        click.option("--input-type", metavar="TYPE[:SCALE[:ZP]]", help="Type of an input the model leaves float."),
        click.option("--folding", type=click.Path(path_type=Path), metavar="FILE", help="Folding fixed by hand (JSON)."),
        click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="Options as TOML."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def request_from(config: Path | None, **given: Any) -> BuildRequest:
    """The options `given` on the command line (None: not given), completed by the file `config` and the defaults.

    Raises:
        UsageError: the file is faulty, an option is, or no target is named.
    """
    merged = read_config(config) if config is not None else {}
    merged.update({name: value for name, value in given.items() if value is not None})
    if "target" not in merged:
        raise UsageError("no target is named", remedy="Add --target NAME; 'flowc targets' lists the known ones")
    input_type = merged.get("input_type")
    return BuildRequest(
        target=merged["target"],
        output=_path(merged.get("output")),
        fps=merged.get("fps"),
        clock_mhz=merged.get("clock"),
        execution=merged.get("execution", "auto"),
        input_type=InputType.parse(input_type) if input_type is not None else None,
        folding=_path(merged.get("folding")),
        csim=merged.get("csim", False),
        verify=merged.get("verify", True),
        force=merged.get("force", False),
        dump_passes=merged.get("dump_passes", False),
        verify_passes=merged.get("verify_passes", False),
        explain=merged.get("explain", False),
    )


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function that shows what is being done on stderr, where that is a terminal, and does nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status("starting") as status:
        yield lambda text: status.update(escape(text))
