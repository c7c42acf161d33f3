"""Ctrl-C while the program is still being loaded, when there is nothing yet that would have to end in order.

Imports nothing of ours: it has to be there before everything else.
"""

import os
import signal
import sys

INTERRUPTED = 130
"""The exit code of a process that was interrupted: 128 and the number of SIGINT."""


def leave_at_once() -> None:
    """From now on Ctrl-C ends the process with a sentence, wherever it is."""
    _replace(signal.default_int_handler, _leave)


def leave_in_order() -> None:
    """From now on Ctrl-C is an exception again, as Trio wants it."""
    _replace(_leave, signal.default_int_handler)


def _replace(old: object, new: "signal._HANDLER") -> None:
    if signal.getsignal(signal.SIGINT) is old:  # whoever has us ignore it, as `nohup` does, has a reason
        signal.signal(signal.SIGINT, new)


def _leave(_number: int, _frame: object) -> None:
    os.write(sys.stderr.fileno(), b"pulsekeeper: interrupted\n")
    os._exit(INTERRUPTED)
