"""The commands. Each turns its options into calls of the Python API and shows what comes back.

What is not needed to parse the command line is imported when a command runs, so that ``--help``, ``--version`` and
completion answer at once.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

import flowc
from flowc.cli.explore import explore
from flowc.cli.explore_array import explore_array
from flowc.cli.options import (
    build_options,
    debug_option,
    emulator_option,
    input_type_option,
    json_option,
    model_argument,
    request_from,
    session,
)
from flowc.cli.progress import progress
from flowc.cli.report import report
from flowc.cli.synth import synth
from flowc.errors import MismatchError, ModelError, UsageError, counted, shown

__all__ = ["cli"]

_SAMPLES = 4
_PATH = click.Path(path_type=Path)
_directory = click.argument("directory", metavar="DIR", type=_PATH)


@click.group(
    context_settings={"max_content_width": 110},
    epilog="Exit codes: 0 done, 2 bad usage or model, 3 can't be met on the target, 4 mismatch, 1 a bug.",
)
@click.version_option(flowc.__version__, prog_name="flowc", message="%(prog)s %(version)s")
@debug_option
def cli() -> None:
    """Compile quantized ONNX networks into bit-exact FPGA accelerators."""


cli.add_command(explore)
cli.add_command(explore_array)
cli.add_command(report)
cli.add_command(synth)


@cli.command()
@model_argument
@build_options
@click.option("-o", "--output", type=_PATH, metavar="DIR", help="[default: build/<model>-<target>]")
@click.option("--status", is_flag=True, default=None, help="Counters and a reset of its own for the accelerator.")
@click.option("--csim", is_flag=True, default=None, help="Compile the C++ with g++ and check it.")
@click.option("--rtlsim", is_flag=True, default=None, help="Simulate the RTL (--backend rtl) and check it.")
@click.option("--no-verify", "verify", flag_value=False, default=None, help="Skip the check against onnxruntime.")
@click.option(
    "--strict",
    is_flag=True,
    default=None,
    help="Exit 3 where there would be a warning.",
)
@click.option("--force", is_flag=True, default=None, help="Replace DIR even if it is not flowc's.")
@click.option("--dump-passes", is_flag=True, default=None, help="Keep graphs after passes in DIR/passes/.")
@click.option("--verify-passes", is_flag=True, default=None, help="Execute the graph around each pass.")
@click.option("--explain", is_flag=True, default=None, help="Say what became of each node, and why.")
@json_option
@debug_option
def build(model: Path, config: Path | None, as_json: bool, **given: Any) -> None:
    """Compile MODEL into an accelerator project.

    \b
    flowc build net.onnx --target ultra96
    flowc build net.onnx --target zcu104 --fps 3000 --clock 200 --csim
    flowc build net.onnx --target pynq-z2 --input-type uint8:0.00392156886
    """
    from flowc import api
    from flowc.cli import show
    from flowc.targets import load_target

    request = request_from(config, given)
    target = load_target(request.target)
    output = request.output if request.output is not None else Path("build", f"{model.stem}-{target.name}")
    with progress() as tell:
        design = api.build(
            model,
            target,
            output=output,
            fps=request.fps,
            clock_mhz=request.clock_mhz,
            execution=request.execution,
            input_type=request.input_type,
            folding=request.folding,
            utilization=request.utilization,
            backend=request.backend,
            batch=request.batch,
            latency_ms=request.latency_ms,
            engine=request.engine,
            status=request.status,
            csim=request.csim,
            rtlsim=request.rtlsim,
            verify=request.verify,
            force=request.force,
            strict=request.strict,
            dump_passes=request.dump_passes,
            verify_passes=request.verify_passes,
            progress=tell,
        )
    for note in design.report["notes"]:
        if note.startswith("warning: "):
            click.echo(f"flowc: {note}", err=True)
    if as_json:
        show.as_json(design.report)
        return
    if request.explain:
        show.nodes(design.notes)
    if not session().quiet:
        show.report(design.report, [("written to", f"{output}/"), ("to look at", f"{output}/report.html")])


@cli.command()
@model_argument
@build_options
@json_option
@debug_option
def estimate(model: Path, config: Path | None, as_json: bool, **given: Any) -> None:
    """Say how fast MODEL would be and what it would take; writes nothing.

    \b
    flowc estimate net.onnx --target ultra96 --fps 1000
    """
    from flowc import api
    from flowc.cli import show

    request = request_from(config, given)
    with progress() as tell:
        report = api.estimate(
            model,
            request.target,
            fps=request.fps,
            clock_mhz=request.clock_mhz,
            execution=request.execution,
            input_type=request.input_type,
            folding=request.folding,
            utilization=request.utilization,
            backend=request.backend,
            batch=request.batch,
            latency_ms=request.latency_ms,
            engine=request.engine,
            progress=tell,
        )
    if as_json:
        show.as_json(report)
    elif not session().quiet:
        show.report(report, [])


@cli.command()
@_directory
@click.option(
    "--input",
    "source",
    type=_PATH,
    required=True,
    metavar="IN.npz",
    help="Samples: an array per input, or 'x'; or a .npy.",
)
@click.option("--output", "sink", type=_PATH, required=True, metavar="OUT.npz", help="One array per output.")
@click.option("--labels", metavar="NAME|FILE.npy", help="Classes, for an accuracy: an array of IN, or a file.")
@emulator_option
@json_option
@debug_option
def run(directory: Path, source: Path, sink: Path, labels: str | None, emulator: str | None, as_json: bool) -> None:
    """Emulate the design in DIR, bit for bit.

    \b
    flowc run build/net-ultra96 --input images.npz --output logits.npz
    flowc run build/net-ultra96 --input test.npz --labels y --output logits.npz
    """
    from flowc import kernels
    from flowc.cli import show
    from flowc.cli.running import run_dataset
    from flowc.design.design import load

    ran = run_dataset(load(directory), source, sink, labels=labels, emulator=emulator)
    if as_json:
        show.as_json(ran.as_dict)
        return
    if emulator is None and ran.emulator == "numpy" and not session().quiet:
        click.echo(f"flowc: computed in numpy, which is slower: {kernels.unavailable()}", err=True)
    rate = f"{ran.samples / ran.seconds:,.0f}/s" if ran.seconds else "too short to tell"
    if not session().quiet:
        done = f"{counted(ran.samples, 'sample')} in {ran.seconds:.3g} s ({rate})"
        click.echo(f"{done}, written to {shown(str(sink), 1000)}")
        if ran.accuracy is not None:
            click.echo(f"accuracy: {ran.accuracy}")


@cli.command()
@_directory
@click.option(
    "--input", "source", type=_PATH, metavar="IN.npz", help="Samples to verify with, as many as it holds, or a .npy."
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    metavar="N",
    help=f"Random samples, where no input is given. [default: {_SAMPLES}]",
)
@click.option("--seed", type=click.IntRange(0), metavar="S", help="Seed of the random samples. [default: 0]")
@click.option("--csim", is_flag=True, help="Check the generated C++ as well.")
@click.option("--rtlsim", is_flag=True, help="Check the generated SystemVerilog as well, cycle by cycle.")
@emulator_option
@json_option
@debug_option
def verify(
    directory: Path,
    source: Path | None,
    samples: int | None,
    seed: int | None,
    csim: bool,
    rtlsim: bool,
    emulator: str | None,
    as_json: bool,
) -> None:
    """Compare the design in DIR with onnxruntime, integer by integer.

    \b
    flowc verify build/net-ultra96 --samples 100 --csim
    flowc verify build/net-ultra96 --input test.npz
    """
    from flowc.cli import show
    from flowc.cli.running import verify_dataset
    from flowc.design import csim as csims
    from flowc.design import rtlsim as rtlsims
    from flowc.design.design import load
    from flowc.files.dataset import read_samples

    if source is not None and (samples is not None or seed is not None):
        raise UsageError(
            "--input names the samples, --samples and --seed draw random ones", remedy="Use one or the other"
        )
    design = load(directory)
    inputs = None if source is None or not (csim or rtlsim) else read_samples(source, design.inputs)
    count, start = samples or _SAMPLES, seed or 0
    mismatch = None
    found: dict[str, Any] = {"verification": None, "csim": None, "rtlsim": None}
    with progress() as tell:
        try:
            tell("comparing with onnxruntime")
            if source is None:
                verified = design.verify(samples=count, seed=start, emulator=emulator, progress=tell.done)
            else:
                verified = verify_dataset(design, source, emulator=emulator, progress=tell.done)
            found["verification"] = verified
            if csim:
                tell("compiling and running the generated C++")
                found["csim"], mismatch = csims.compare(design, directory, samples=count, seed=start, inputs=inputs)
            if rtlsim and mismatch is None:
                tell("simulating the generated SystemVerilog")
                found["rtlsim"], mismatch = rtlsims.compare(design, directory, samples=count, seed=start, inputs=inputs)
        except MismatchError as error:
            mismatch = error
            found["verification"] = design.report["verification"]
    _keep(design.report | {key: value for key, value in found.items() if value is not None}, directory)
    if as_json:
        show.as_json(found)
    elif not session().quiet:
        show.verification(found)
    if mismatch is not None:
        raise mismatch


def _keep(report: dict[str, Any], directory: Path) -> None:
    """Writes what was found into the report of the design; where that can't be written, it is only said."""
    from flowc.report.report import update

    try:
        update(report, directory)
    except UsageError as error:
        click.echo(f"flowc: the report was not updated: {error}", err=True)


@cli.command()
@model_argument
@input_type_option
@json_option
@debug_option
def info(model: Path, input_type: str | None, as_json: bool) -> None:
    """Say what MODEL holds and what would become of it, before a target is named.

    Of a model that can't be compiled, too: which nodes are refused and why. The exit code is 2 then.

    \b
    flowc info net.onnx
    flowc info net.onnx --input-type uint8:0.00392156886
    flowc info net.onnx --json | jq .bops
    """
    from flowc import api
    from flowc.cli import show
    from flowc.survey import survey

    refused = None
    with progress() as tell:
        try:
            found = api.info(model, input_type=input_type, progress=tell)
        except ModelError as error:
            tell("looking at its nodes")
            refused = error
            try:
                found = survey(model, error)
            except ModelError:  # it can't be read at all
                raise error from None
    if as_json:
        show.as_json(found)
    elif refused is None:
        show.info(found)
    else:
        show.survey(found)
    if refused is not None:
        raise refused


@cli.command()
@json_option
@debug_option
def targets(as_json: bool) -> None:
    """List the known boards.

    \b
    flowc targets
    flowc targets --json | jq -r '.[].name'
    """
    from flowc.cli import show
    from flowc.targets import known_targets

    known = known_targets()
    if as_json:
        show.as_json([dataclasses.asdict(target) for target in known])
    else:
        show.targets(known)
