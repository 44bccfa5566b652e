"""The command ``fgd`` inside Python's process: ``python -m pyfgd`` and the script of the package."""

import signal
import sys


def main() -> int:
    """Runs the command with the arguments of this process, and answers its exit code."""
    # Python's own handler would wait for Python to be asked again, which is when everything is done.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from ._native import main

    return main(["fgd", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
