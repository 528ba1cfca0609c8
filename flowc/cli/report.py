"""``flowc report``: what was built, shown again; what vendor tools made of it, read in."""

from __future__ import annotations

from pathlib import Path

import click

from flowc.cli.options import debug_option, json_option, session

__all__ = ["report"]

_PATH = click.Path(path_type=Path)


class _Reports(click.Group):
    """A group whose commands take folders; a folder where a command would stand is one to show."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Reports, subcommand_metavar="DIR... | COMMAND [ARGS]...")
@debug_option
def report() -> None:
    """Show the reports of builds, or bring in those of vendor tools.

    \b
    flowc report build/net-ultra96
    flowc report import build/net-ultra96
    """


@report.command()
@click.argument("directories", metavar="DIR...", nargs=-1, required=True, type=_PATH)
@json_option
@debug_option
def show(directories: tuple[Path, ...], as_json: bool) -> None:
    """Show the report of the design in each DIR, and write its report.html again.

    A folder that has a command's name is written with './' before it.
    """
    from flowc.cli import show as tables
    from flowc.report import read, update

    found = [read(directory) for directory in directories]
    for content, directory in zip(found, directories, strict=True):
        update(content, directory)
    if as_json:
        tables.as_json(found[0] if len(found) == 1 else found)
    elif not session().quiet:
        for content, directory in zip(found, directories, strict=True):
            tables.report(content, [("written to", f"{directory}/")])


@report.command("import")
@click.argument("directory", metavar="DIR", type=_PATH)
@click.argument("files", metavar="[FILE]...", nargs=-1, type=_PATH)
@json_option
@debug_option
def import_(directory: Path, files: tuple[Path, ...], as_json: bool) -> None:
    """Bring what vendor tools reported of the design in DIR into its report.

    Reports are looked for where the scripts of the build leave them, or are the FILEs: csynth.xml, csynth.rpt, export_syn.xml, and what
    Vivado's report_utilization and report_timing_summary wrote.
    """
    from flowc.cli import show as tables
    from flowc.cli.show_vendor import vendor
    from flowc.design.vendor import import_reports

    found = import_reports(directory, files)["vendor"]
    if as_json:
        tables.as_json(found)
    elif not session().quiet:
        vendor(found)
