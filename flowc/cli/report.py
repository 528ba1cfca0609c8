"""``flowc report``: what was built, shown again."""

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
    """Show the reports of builds: flowc report build/net-ultra96."""


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
