"""The command line: a thin skin on the Python API.

Exit codes: 0 done; 1 a bug in flowc; 2 bad usage or an unsupported model; 3 the request can't be met on the target;
4 a verification mismatch; 130 interrupted; 143 ended by SIGTERM.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from flowc.cli.commands import cli
from flowc.cli.options import Session
from flowc.cli.startup import collect_seldom, defer_unused
from flowc.errors import FlowcError

__all__ = ["cli", "main"]

_INTERRUPTED = 130
_ENDED = 143
_OUT_OF_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; `arguments` default to those of the process."""
    session = Session()
    if arguments is None:
        collect_seldom()
        defer_unused()
        _unwind_when_ended()
    try:
        cli.main(
            args=None if arguments is None else [*arguments], prog_name="flowc", standalone_mode=False, obj=session
        )
        if sys.stdout is not None:  # closed by who started us
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        _say(error.format_message())
        return error.exit_code
    except click.ClickException as error:
        return _fail(_with_hint(error), error, session, code=2)
    except FlowcError as error:
        return _fail(str(error), error, session, code=error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _say("flowc: interrupted; nothing was written")
        return _INTERRUPTED
    except _EndedError:
        _say("flowc: ended; nothing was written")
        return _ENDED
    except BrokenPipeError:  # the reader of our output (head, less) has left
        _drop_output()
        return 0
    except OSError as error:
        if error.errno not in _OUT_OF_ROOM:
            return _bug(error)
        _drop_output()
        return _fail(
            f"the output can't be written: {error.strerror}. Make room, or send it elsewhere.", error, session, code=2
        )
    except Exception as error:  # noqa: BLE001 - whatever else arrives here is a bug of ours, and is shown as one
        return _bug(error)
    return 0


class _EndedError(BaseException):
    """Somebody has sent SIGTERM. Like KeyboardInterrupt no Exception: nobody but `main` means to catch it."""


def _unwind_when_ended() -> None:
    """SIGTERM unwinds the process as Ctrl-C does: programs that it started are ended, temporary folders removed."""

    def end(*_: object) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is being done
        raise _EndedError

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)


def _bug(error: Exception) -> int:
    traceback.print_exception(error)
    _say("flowc: this is a bug in flowc; please report it with the traceback above and, if you can, the model")
    return 1


def _drop_output() -> None:
    """What is still to be written to stdout goes nowhere, instead of failing once more when the process ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _with_hint(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        message += f" Try '{error.ctx.command_path} --help'."
    return message


def _fail(message: str, error: Exception, session: Session, code: int) -> int:
    if session.debug:
        traceback.print_exception(error)
    _say(f"flowc: error: {message}")
    return code


def _say(message: str) -> None:
    with contextlib.suppress(OSError, AttributeError):  # stderr may be closed or full
        print(message, file=sys.stderr)  # noqa: T201 - the command line's own voice
