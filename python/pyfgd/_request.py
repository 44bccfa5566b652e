"""Requests as the JSON that the native part takes."""

import json
import os
from collections.abc import Mapping, Set
from typing import Any

from ._errors import UsageError


def to_json(request: Mapping[str, Any]) -> str:
    """A request as text. Paths, sets, and numbers and arrays of numpy may stand in it."""
    try:
        return json.dumps(request, default=_plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None


def several(names: Any) -> Any:
    """Names, of which a single one may stand alone."""
    return [names] if isinstance(names, str) else names


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        # A set has another order in every process, and the record keeps it.
        return sorted(value, key=str)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise UsageError(f"{value!r} is no setting")
