"""The commands. Each turns its options into one call of the Python API and shows what comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import flowc
from flowc.cli.options import BuildRequest, build_options, debug_option, json_option, progress, request_from
from flowc.errors import UsageError

__all__ = ["cli"]

_MODEL = click.argument("model", type=click.Path(path_type=Path))
_DESIGN = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
_INPUT = click.Path(path_type=Path)


@click.group(epilog="Exit codes: 0 done, 2 bad usage or model, 3 can't be met on the target, 4 mismatch, 1 a bug.")
@click.version_option(flowc.__version__, prog_name="flowc", message="%(prog)s %(version)s")
@debug_option
def cli() -> None:
    """Compile quantized ONNX networks into bit-exact FPGA accelerators."""


@cli.command()
@_MODEL
@build_options
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="[default: build/<model>-<target>]")
@click.option("--csim", is_flag=True, default=None, help="Compile the generated C++ with g++ and check it.")
@click.option("--no-verify", "verify", flag_value=False, default=None, help="Skip the check against onnxruntime.")
@click.option("--force", is_flag=True, default=None, help="Replace DIR even if flowc did not write it.")
@click.option("--dump-passes", is_flag=True, default=None, help="Keep the graph after each pass, in DIR/passes/.")
@click.option("--verify-passes", is_flag=True, default=None, help="Execute the graph around each pass.")
@click.option("--explain", is_flag=True, default=None, help="Say which rewrites did not apply, and why.")
@json_option
@debug_option
def build(model: Path, config: Path | None, as_json: bool, **given: Any) -> None:
    """Compile MODEL into an accelerator project.

    \b
    flowc build net.onnx --target ultra96
    flowc build net.onnx --target zcu104 --fps 3000 --clock 200 --csim
    flowc build net.onnx --target pynq-z2 --input-type uint8:0.00392156886
    """
    from flowc.cli import show

    request = request_from(config, **given)
    with progress() as tell:
        design = _build(model, request, tell)
    if as_json:
        show.as_json(design.report)
    else:
        show.build(design.report, design.directory, design.notes if request.explain else None)
