"""What the commands share: options, their types, and the configuration file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from flowc.cli.config import EXECUTIONS, read_config
from flowc.errors import UsageError
from flowc.model.input_type import InputType

__all__ = [
    "BuildRequest",
    "Session",
    "backend_option",
    "build_options",
    "clock_option",
    "complete_target",
    "debug_option",
    "emulator_option",
    "folding_option",
    "input_type_option",
    "json_option",
    "model_argument",
    "request_from",
    "session",
    "utilization_option",
]

Command = Callable[..., Any]

_PATH = click.Path(path_type=Path)

model_argument = click.argument("model", type=_PATH)


@dataclass
class Session:
    """What one run of the command line carries along.

    Attributes:
        debug: tracebacks of errors are shown.
        quiet: nothing is said but errors, and what ``--json`` asks for.
        verbose: stages are named on stderr as they end, with what they took.
    """

    debug: bool = False
    quiet: bool = False
    verbose: bool = False


def session() -> Session:
    """That of the command that runs."""
    return click.get_current_context().ensure_object(Session)


def _note(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and parameter.name is not None:
        setattr(context.ensure_object(Session), parameter.name, True)


def debug_option(command: Command) -> Command:
    """Add the options that every command has."""
    flags = (
        (("-q", "--quiet"), "Say nothing but errors."),
        (("-v", "--verbose"), "Name stages and their times on stderr."),
        (("--debug",), "Show the traceback of errors."),
    )
    for names, text in reversed(flags):
        command = click.option(*names, is_flag=True, expose_value=False, callback=_note, help=text)(command)
    return command


input_type_option = click.option("--input-type", metavar="TYPE", help="Integers of a float input: TYPE[:SCALE[:ZERO]].")
emulator_option = click.option(
    "--emulator",
    type=click.Choice(("numpy", "native")),
    help="In numpy, or by compiled kernels. [default: native where a C++ compiler is found]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


def _positive(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise click.BadParameter(f"{value!r} is not a finite number above 0.", context, parameter)
    return value


clock_option = click.option(
    "--clock", type=float, callback=_positive, metavar="MHZ", help="Clock in MHz. [default: the target's]"
)
folding_option = click.option("--folding", type=_PATH, metavar="FILE.json", help="PE, SIMD and styles fixed by hand.")
utilization_option = click.option(
    "--utilization",
    metavar="SHARES",
    help="Shares that may be used, such as lut=70%,dsp=90%. [default: lut, ff 80%; others 95%]",
)


def complete_target(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of boards; of a list, its last entry is completed."""
    from flowc.targets import known_targets

    before, comma, last = incomplete.rpartition(",")
    return [
        CompletionItem(before + comma + t.name, help=t.description) for t in known_targets() if t.name.startswith(last)
    ]


def complete_backend(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of backends."""
    from flowc.backends import known

    return [CompletionItem(name) for name in known() if name.startswith(incomplete)]


backend_option = click.option(
    "--backend",
    metavar="NAME",
    shell_complete=complete_backend,
    help="Hardware language: hls or rtl. [default: hls; rtl for Lattice parts]",
)


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """The options of ``build`` and ``estimate`` after the configuration file has been read."""

    target: str
    output: Path | None = None
    fps: float | None = None
    clock_mhz: float | None = None
    execution: str = "auto"
    input_type: InputType | None = None
    folding: Path | None = None
    utilization: str | None = None
    backend: str | None = None
    batch: int | None = None
    latency_ms: float | None = None
    engine: Path | None = None
    status: bool = False
    csim: bool = False
    rtlsim: bool = False
    verify: bool = True
    force: bool = False
    strict: bool = False
    dump_passes: bool = False
    verify_passes: bool = False
    explain: bool = False


def build_options(command: Command) -> Command:
    """Add the options that decide what is built; the command gets each under its name, None where it was not given."""
    options = [
        click.option(
            "--target",
            metavar="NAME",
            shell_complete=complete_target,
            help="Board (flowc targets lists them), or a TOML file.",
        ),
        click.option(
            "--fps",
            type=float,
            callback=_positive,
            metavar="N",
            help="Frames per second. [default: all that fits]",
        ),
        clock_option,
        click.option(
            "--execution",
            type=click.Choice(EXECUTIONS),
            metavar="STYLE",
            help="auto, dataflow or loopback. [default: auto]",
        ),
        input_type_option,
        folding_option,
        utilization_option,
        backend_option,
        click.option("--batch", type=int, metavar="N", help="Images at a time (loopback; 1: in stripes)."),
        click.option(
            "--latency",
            type=float,
            callback=_positive,
            metavar="MS",
            help="Most milliseconds of a batch (loopback).",
        ),
        click.option(
            "--engine", type=_PATH, metavar="FILE.json", help="An engine that exists: engine.json of a build."
        ),
        click.option("--config", type=_PATH, metavar="FILE.toml", help="These options as keys of a file."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def request_from(config: Path | None, given: Mapping[str, Any]) -> BuildRequest:
    """The options `given` on the command line (None: not given), completed by the file `config` and the defaults.

    Raises:
        UsageError: the file is faulty, an option is, or no target is named.
    """
    merged = read_config(config) if config is not None else {}
    merged |= {name: value for name, value in given.items() if value is not None}
    if "target" not in merged:
        raise UsageError("no target is named", remedy="Add --target NAME; 'flowc targets' lists the known ones")
    for name in ("output", "folding", "engine"):
        if name in merged:
            merged[name] = Path(merged[name])
    if "input_type" in merged:
        merged["input_type"] = InputType.parse(merged["input_type"])
    if "clock" in merged:
        merged["clock_mhz"] = merged.pop("clock")
    if "latency" in merged:
        merged["latency_ms"] = merged.pop("latency")
    return BuildRequest(**merged)
