"""Progress of jobs: bars of tqdm where there is one, log lines otherwise."""

import logging
import sys
from typing import Any, Protocol

log = logging.getLogger("pyfgd")


class Listener(Protocol):
    """Who is told how far a job is; bars have numbers."""

    def say(self, line: str) -> None: ...
    def begin(self, bar: int, what: str, unit: str, total: int) -> None: ...
    def advance(self, bar: int, count: int) -> None: ...
    def set(self, bar: int, done: int, total: int) -> None: ...
    def end(self, bar: int) -> None: ...


def listener(wanted: bool | None) -> Listener:
    """Bars if they are wanted; if that is not said, where somebody looks."""
    if wanted is None:
        wanted = sys.stderr is not None and sys.stderr.isatty() or "ipykernel" in sys.modules
    if not wanted:
        return Lines()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return Lines()
    return Bars(tqdm)


class Lines:
    """Sentences go to the log of this package, counts nowhere."""

    def say(self, line: str) -> None:
        log.info("%s", line)

    def begin(self, bar: int, what: str, unit: str, total: int) -> None: ...
    def advance(self, bar: int, count: int) -> None: ...
    def set(self, bar: int, done: int, total: int) -> None: ...
    def end(self, bar: int) -> None: ...


class Bars(Lines):
    """One bar of tqdm for each count."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._bars: dict[int, Any] = {}

    def begin(self, bar: int, what: str, unit: str, total: int) -> None:
        self._bars[bar] = self._tqdm(total=total, desc=what, unit=f" {unit}", leave=False)

    def advance(self, bar: int, count: int) -> None:
        self._bars[bar].update(count)

    def set(self, bar: int, done: int, total: int) -> None:
        shown = self._bars[bar]
        shown.total = total
        shown.update(done - shown.n)

    def end(self, bar: int) -> None:
        self._bars.pop(bar).close()
