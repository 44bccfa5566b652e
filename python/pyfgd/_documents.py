"""What jobs answer: plain data with attributes, tables for notebooks, and the reports of the command."""

import html
import io
import json
import os
from collections.abc import Iterable, Iterator, KeysView
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _native
from ._errors import UsageError

if TYPE_CHECKING:
    import pandas


#: Columns of tables that hold names and words.
_TEXTS = {"system", "versus", "slice", "group", "metric", "unit", "reason"}


class Document:
    """JSON with its fields as attributes: ``document.results.n``. Lists and dicts inside are documents too."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return _inside(self._data[name])
        except KeyError:
            raise AttributeError(f"no field {name}, only {', '.join(self._data)}") from None

    def __getitem__(self, name: str) -> Any:
        return _inside(self._data[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def keys(self) -> KeysView[str]:
        """The names of the fields."""
        return self._data.keys()

    def __contains__(self, name: object) -> bool:
        return name in self._data

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self._data]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self._data == other._data

    def __hash__(self) -> int:
        return hash(json.dumps(self._data, sort_keys=True))

    def __repr__(self) -> str:
        return json.dumps(self._data, indent=2, ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """The plain data, a copy."""
        copy: dict[str, Any] = json.loads(json.dumps(self._data))
        return copy


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return Document(value)
    return [_inside(item) for item in value] if isinstance(value, list) else value


class Record(Document):
    """The versioned result of one job, with everything needed to understand, repeat and compare it.

    Fields of ``results`` are at hand directly: ``record.fgd_paired.value`` is ``record.results.fgd_paired.value``.
    ``print(record)`` shows the table of the command; in a notebook it is a page with charts.
    """

    def __init__(self, text: str) -> None:
        self._text = _native.check_record(text)
        super().__init__(json.loads(self._text))

    def __getattr__(self, name: str) -> Any:
        # A record that is being unpickled has no fields yet.
        if not name.startswith("_") and name not in self._data and name in self._data["results"]:
            return _inside(self._data["results"][name])
        return super().__getattr__(name)

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self._data["results"]]

    def __reduce__(self) -> tuple[type["Record"], tuple[str]]:
        return Record, (self._text,)

    def __str__(self) -> str:
        return _native.render(self._text, "text").rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def to_json(self) -> str:
        """The document as the command writes it, byte for byte."""
        return self._text

    def to_markdown(self) -> str:
        """Markdown tables."""
        return _native.render(self._text, "md")

    def to_pandas(self) -> "pandas.DataFrame":
        """A data frame with one row for each number."""
        import pandas

        table = pandas.read_csv(io.StringIO(_native.render(self._text, "csv")), dtype=str, keep_default_na=False)
        for name in table.columns:
            if name in _TEXTS:
                # In a file an apostrophe keeps spreadsheets from calculating a name.
                table[name] = table[name].str.replace(r"^'(?=[=+\-@\t\r])", "", regex=True)
            elif (numbers := pandas.to_numeric(table[name], errors="coerce")).notna().eq(table[name] != "").all():
                table[name] = numbers
        return table.mask(table == "")

    def chart(self) -> str:
        """The chart, as SVG.

        :raises UsageError: where there is nothing to draw.
        """
        return _native.chart(self._text)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the record: ``.json``, ``.csv``, ``.md``, ``.html`` (a page that needs no other file), ``.svg`` (the chart),
        ``.txt``, or a site in a folder that exists or ends with a slash. Answers what to open."""
        place = Path(path)
        if place.is_dir() or os.fspath(path).endswith(("/", os.sep)):
            return Path(_native.site([self._text], place))
        forms = {".json": "json", ".csv": "csv", ".md": "md", ".txt": "text"}
        match place.suffix.lower():
            case ".html" | ".htm":
                text = _native.page([self._text])
            case ".svg":
                text = self.chart()
            case suffix if suffix in forms:
                text = _native.render(self._text, forms[suffix])
            case suffix:
                raise UsageError(f"{place}: nothing is written as {suffix!r}: use .json, .csv, .md, .html, .svg or .txt")
        _native.write(place, text)
        return place

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Record":
        """A record that was saved as ``.json``, by this package or the command."""
        try:
            return cls(Path(path).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise UsageError(f"{os.fspath(path)}: is no record: {error}") from None

    def _repr_html_(self) -> str:
        # A frame of its own, so that neither the notebook's sheet nor the page's reaches into the other.
        page = html.escape(_native.page([self._text]), quote=True)
        return (
            f'<iframe srcdoc="{page}" sandbox="allow-scripts allow-popups allow-downloads" '
            'style="width:100%;height:32em;border:0"></iframe>'
        )

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def report(records: Record | Iterable[Record], path: str | os.PathLike[str]) -> Path:
    """Writes a report of records: one page (``.html``), or a site in a folder. Answers what to open."""
    texts = [record.to_json() for record in ([records] if isinstance(records, Record) else records)]
    place = Path(path)
    if place.suffix.lower() in (".html", ".htm") and not place.is_dir():
        _native.write(place, _native.page(texts))
        return place
    return Path(_native.site(texts, place))
