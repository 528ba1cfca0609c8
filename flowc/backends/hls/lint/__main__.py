"""``python -m flowc.backends.hls.lint DIR``: prints what is wrong, one line each; exit code 1 if anything is."""

from __future__ import annotations

import sys
from pathlib import Path

from flowc.backends.hls.lint import INSTANCE_RULES, RULES, lint, lint_instances
from flowc.errors import FlowcError

__all__ = ["main"]

_USAGE = """usage: python -m flowc.backends.hls.lint [--no-compile] DIR

  --no-compile  only rules of the code as it is written; templates are not compiled with the layers' numbers
"""


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code: 0 clean, 1 findings, 2 bad usage, or no compiler for what it is to evaluate."""
    compiled = "--no-compile" not in arguments
    folders = [a for a in arguments if a != "--no-compile"]
    if len(folders) != 1 or folders[0].startswith("-"):
        rules = "\n".join(f"  {name:19} {text}" for name, text in {**RULES, **INSTANCE_RULES}.items())
        sys.stderr.write(f"{_USAGE}\nrules:\n{rules}\n")
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        findings = lint(Path(folders[0]))
        findings += lint_instances(Path(folders[0])) if compiled else []
    except FlowcError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
