"""``flowc report``: what was built, shown again; what vendor tools made of it, read in."""

from __future__ import annotations

from pathlib import Path

import click

from flowc.cli.options import debug_option, json_option, session
from flowc.errors import InfeasibleError, UsageError, shown

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
@click.option("--markdown", is_flag=True, help="Print tables in Markdown, for a pull request.")
@click.option("--html", type=_PATH, metavar="FILE", help="Write the builds side by side as a page.")
@click.option(
    "--budget", "budgets", multiple=True, metavar="FIGURE<=N", help="Exit 3 where the last build breaks it; repeatable."
)
@json_option
@debug_option
def show(
    directories: tuple[Path, ...], markdown: bool, html: Path | None, budgets: tuple[str, ...], as_json: bool
) -> None:
    """Show the report of the design in DIR and write its report.html again, or lay several side by side.

    A budget is lut<=30000, fps>=1000, or a change from the first build such as lut<=+5%. A folder that has a command's name is
    written with './' before it.

    \b
    flowc report build/net-ultra96
    flowc report build/before build/after --html changes.html
    flowc report build/before build/after --markdown --budget 'fps>=-2%'
    """
    from flowc.cli import show as tables
    from flowc.cli.show_compare import comparison as show_comparison
    from flowc.report.budget import Budget, broken
    from flowc.report.compare import compare
    from flowc.report.markdown import markdown_of
    from flowc.report.page.compare import write_comparison
    from flowc.report.report import read, update

    if as_json and markdown:
        raise UsageError("--json and --markdown exclude each other", remedy="Choose one")
    wanted = [Budget.parse(text) for text in budgets]
    found = [read(directory) for directory in directories]
    names = [str(directory) for directory in directories]
    if len(found) == 1:
        update(found[0], directories[0])
    side_by_side = compare(found, names)
    over = broken(side_by_side, wanted)
    if html is not None:
        write_comparison(side_by_side, html)
    if as_json:
        tables.as_json(found[0] if len(found) == 1 else side_by_side.as_dict())
    elif markdown:
        click.echo(markdown_of(side_by_side, over), nl=False)
    elif not session().quiet and len(found) == 1:
        tables.report(found[0], [("to look at", f"{directories[0]}/report.html")])
    elif not session().quiet:
        show_comparison(side_by_side)
    if html is not None and not (as_json or markdown or session().quiet):
        click.echo(f"written to {shown(str(html), 1000)}")
    if over:
        raise InfeasibleError("over budget: " + "; ".join(over), remedy="Change the design, or the budget")


@report.command("import")
@click.argument("directory", metavar="DIR", type=_PATH)
@click.argument("files", metavar="[FILE]...", nargs=-1, type=_PATH)
@json_option
@debug_option
def import_(directory: Path, files: tuple[Path, ...], as_json: bool) -> None:
    """Bring what vendor tools reported of the design in DIR into its report.

    Reports are looked for where the scripts of the build leave them, or are the FILEs: csynth.xml, csynth.rpt, export_syn.xml, and what
    Vivado's report_utilization and report_timing_summary wrote.

    \b
    flowc report import build/net-ultra96
    flowc report import build/net-ultra96 reports/csynth.xml
    """
    from flowc.cli import show as tables
    from flowc.cli.show_vendor import vendor
    from flowc.design.vendor import import_reports

    found = import_reports(directory, files)["vendor"]
    if as_json:
        tables.as_json(found)
    elif not session().quiet:
        vendor(found)
