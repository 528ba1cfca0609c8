"""Which sources a record was made with."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["changed", "commit"]

_ROOT = Path(__file__).resolve().parents[1]


def commit() -> str:
    """The commit that is checked out, "and changes" where a known file differs from it; "no commit" outside of a repository."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/records")
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return f"{head} and changes" if changed else head


def changed(*folders: str) -> str:
    """The last commit that changed these folders, "and changes" where a file in them differs from it; "no commit" as above."""
    try:
        last = _git("log", "-1", "--abbrev=12", "--format=%h", "--", *folders)
        more = _git("status", "--porcelain", "--untracked-files=no", "--", *folders)
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return f"{last} and changes" if more else last


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
