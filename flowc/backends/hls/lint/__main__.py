"""``python -m flowc.backends.hls.lint DIR``: prints what is wrong, one line each; exit code 1 if anything is."""

from __future__ import annotations

import sys
from pathlib import Path

from flowc.backends.hls.lint import RULES, lint
from flowc.errors import FlowcError

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit code: 0 clean, 1 findings, 2 bad usage."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        rules = "\n".join(f"  {name:16} {text}" for name, text in RULES.items())
        sys.stderr.write(f"usage: python -m flowc.backends.hls.lint DIR\n\nrules:\n{rules}\n")
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        findings = lint(Path(arguments[0]))
    except FlowcError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
