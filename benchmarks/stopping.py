"""How a measuring command is stopped: by Ctrl-C or SIGTERM, so that it still cleans up."""

import signal


def stop_on_signals() -> None:
    """Have both raise KeyboardInterrupt.

    Ctrl-C is set too, since a shell starts what it puts into the background with SIGINT ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
