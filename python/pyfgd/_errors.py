"""What can go wrong, as exceptions that say where."""

import json
from collections.abc import Callable
from typing import Any


class FgdError(Exception):
    """Something went wrong on the way: a file, a model, the machine. The base of all exceptions of this package."""

    def rename(self, shown: Callable[[str], str]) -> None:
        """Says names of files as the caller knows them."""
        self.args = tuple(shown(part) if isinstance(part, str) else part for part in self.args)


class UsageError(FgdError, ValueError):
    """What was asked for makes no sense; the message says what would."""


class InvalidSubmission(FgdError, ValueError):
    """Captions that cannot be scored.

    ``findings`` lists every problem, notes included: dicts with ``file``, ``row`` (counted from 1), ``id``, ``kind``,
    ``severity`` and ``message``. ``file``, ``row`` and ``id`` are those of the first error, or None.
    """

    def __init__(self, message: str, findings: list[dict[str, Any]] | None = None) -> None:
        self.message = message
        self.findings = findings or []
        errors = [finding for finding in self.findings if finding["severity"] == "error"]
        first = next(iter(errors), {})
        self.file: str | None = first.get("file")
        self.row: int | None = first.get("row")
        self.id: str | None = first.get("id")
        super().__init__(message, self.findings)

    def rename(self, shown: Callable[[str], str]) -> None:
        findings = [{**finding, "file": shown(finding["file"])} for finding in self.findings]
        InvalidSubmission.__init__(self, shown(self.message), findings)

    def __str__(self) -> str:
        shown = [line(finding) for finding in self.findings if finding["severity"] == "error"][:10]
        return "\n  ".join([self.message, *shown])


def line(finding: dict[str, Any]) -> str:
    """A finding in one line."""
    place = [f"row {finding['row']}" if finding.get("row") else "", f"id {finding['id']}" if finding.get("id") else ""]
    return ", ".join([finding["file"], *filter(None, place)]) + f": {finding['message']}"


def exception(kind: str, message: str, findings: str) -> FgdError:
    """The exception for an error of the native part."""
    if kind == "invalid":
        return InvalidSubmission(message, [{"file": one["file"], **one["finding"]} for one in json.loads(findings)])
    return (UsageError if kind == "usage" else FgdError)(message)
