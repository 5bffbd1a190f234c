"""`python -m recodec`, which is how `torchrun` starts it, and the command `recodec`."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line of this process."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        # Until the command line is loaded, Ctrl-C ends it without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main as run

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
