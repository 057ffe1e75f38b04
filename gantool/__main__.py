"""`gantool`, and `python -m gantool`: signals are heard before anything slow is imported."""

import os
import sys
import time
from contextlib import suppress

from gantool.runtime.signals import EXIT, leave_at_once


def main() -> None:
    began = time.monotonic()
    leave_at_once()
    from gantool.cli import run

    code = run(began=began)
    if code in EXIT.values():  # all is saved; threads that still decode images are not waited for
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
