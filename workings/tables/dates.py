"""Dates and times: recognize how a column writes them, and take them apart into numbers such as year and weekday.

A format is recognized where exactly one fits every value of the column.  It is part of the column's description, so
every later table is read in the same way.  Generated scripts contain a copy of ``date_parts``.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array
from workings.support.keywords import CheckedKeywords
from workings.tables.plain_csv import unmarked
from workings.tables.schema import damaged, stored_entries, stored_text, stored_word
from workings.tables.values import as_list, is_gap, place_of

PARTS = ("year", "month", "day", "weekday", "hour", "minute")
ISO, TIMES = "", ("%H:%M", "%H:%M:%S")
DAY_FIRST, MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"
DAYS = ("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d-%m-%Y", DAY_FIRST, MONTH_FIRST)
FORMATS = (ISO, *(day + time for day in DAYS for time in ("", " %H:%M", " %H:%M:%S")), *TIMES)
ORDERS = {"day-first": MONTH_FIRST, "month-first": DAY_FIRST}  # the formats that each excludes
DATE_TYPES = (str, datetime.date, datetime.time, np.datetime64)
LOOKS_LIKE_DATE = re.compile(r"\d{1,4}[-/.:]\d{1,2}([-/.:]\d{1,4})?([T ].*)?")


def date_part(value: Any, part: str, form: str) -> float:
    """Return a part of a date or time as a number; nan for a missing value.

    Parameters
    ----------
    value : str, date, time or datetime64
        Text in the given format.  A date with a time zone is converted to UTC.
    part : str
        year, month, day, weekday (0 is Monday), hour or minute.
    form : str
        The format of text, as in ``strptime``; empty for ISO 8601.

    Raises
    ------
    ValueError
        For text in another format, and for a value that is no date or time.
    AttributeError
        For a time without a date, if the part is not an hour or minute.

    Examples
    --------
    >>> date_part("31.12.2024", "month", "%d.%m.%Y"), date_part("2024-12-31T07:30", "hour", "")
    (12.0, 7.0)
    >>> date_part(datetime.date(2024, 12, 31), "weekday", ""), date_part("", "day", "")
    (1.0, nan)
    """
    if value is None or value != value or value == "":
        return math.nan
    if isinstance(value, str):
        text = value.strip()
        value = datetime.datetime.strptime(text, form) if form else datetime.datetime.fromisoformat(text)
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if not isinstance(value, (datetime.date, datetime.time)):
        raise ValueError(f"{value!r} is not a date")
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.UTC)
    if part in ("hour", "minute"):
        return float(getattr(value, part, 0))  # a date without a time begins at midnight
    return float(value.weekday() if part == "weekday" else getattr(value, part))


def date_parts(values: Any, part: str, form: str, name: str) -> Array:
    """Return a part of each date or time of a column, as float64 with nan for missing values.

    Raises
    ------
    ValueError
        For a value that is no date, or text in another format; the message names the column.

    Examples
    --------
    >>> date_parts(["2024-12-31", None], "year", "", "day")
    array([2024.,   nan])
    """
    try:
        return np.array([date_part(value, part, form) for value in values], dtype=float)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ValueError(f"The column {name} must hold dates: {error}") from error


@dataclass(frozen=True)
class DatePart(CheckedKeywords):
    """A part of the dates of a table's column.

    Parameters
    ----------
    source : str
        The column's name.
    part : str
        year, month, day, weekday, hour or minute.
    form : str
        The format of text, as in ``strptime``; empty for ISO 8601.

    Examples
    --------
    >>> DatePart("day", "month", "%d.%m.%Y").read(["31.12.2024", None], marks=False)
    array([12., nan])
    """

    source: str
    part: str
    form: str = ISO

    def read(self, values: object, *, marks: bool) -> Array:
        """Return this part of each value, as float64 with NaN for missing values."""
        known: dict[Any, float] = {}
        found = []
        for row, value in enumerate(as_list(values)):
            if isinstance(value, DATE_TYPES) and value in known:
                found.append(known[value])
                continue
            found.append(self.number(value, row, marks=marks))
            if isinstance(value, DATE_TYPES):
                known[value] = found[-1]
        return np.array(found, dtype=np.float64)

    def number(self, value: object, row: int, *, marks: bool) -> float:
        """Return this part of one value; raise for a value that is no date."""
        if is_gap(value) or (marks and isinstance(value, str) and not unmarked(value.strip())):
            return math.nan
        try:
            if not isinstance(value, DATE_TYPES):
                raise TypeError(value)
            return date_part(value, self.part, self.form)
        except (TypeError, ValueError, OverflowError, AttributeError) as error:
            shown = f"Text {value!r}" if isinstance(value, str) else f"The value {value!r}"
            raise InputError(
                f"{shown} in {place_of(row, self.source)}: this column must hold dates such as {self.example}, as in "
                f"training. Correct the value."
            ) from error

    @property
    def example(self) -> str:
        """A date or time in the column's format, for messages."""
        day = datetime.datetime(2024, 12, 31, 17, 30)
        return day.strftime(self.form) if self.form else day.date().isoformat()

    def to_dict(self) -> dict[str, str]:
        """Return a dict that JSON can store."""
        return {"column": self.source, "part": self.part, "format": self.form}

    @classmethod
    def from_dict(cls, stored: object) -> DatePart:
        """Read the result of ``to_dict``; raise FileError for anything else."""
        source, part, form = stored_entries(stored, ("column", "part", "format"))
        if part not in PARTS or form not in FORMATS:
            raise damaged("a date", f"a part ({', '.join(PARTS)}) and a known format", str(stored))
        return cls(stored_text(source, "a date's column"), part, stored_word(form, "a date's format"))


def fits(text: str, form: str) -> bool:
    """Return whether a text is a date or time in this format."""
    try:
        date_part(text, "hour", form)
    except (ValueError, OverflowError):
        return False
    return True


def looks_like_date(text: str) -> bool:
    """Return whether a text has the shape of a date or time, whether or not it is one.

    >>> [looks_like_date(text) for text in ("2024-12-31", "31.12.2024 17:30", "7:30", "1.5", "2024", "10.0.0.1")]
    [True, True, True, False, False, False]
    """
    found = LOOKS_LIKE_DATE.fullmatch(text.strip())
    return found is not None and (found[1] is not None or ":" in text)


def find_date_format(texts: Sequence[str], name: str, order: str | None = None) -> str | None:
    """Return the format of a column's different texts; None if they are not dates.

    Parameters
    ----------
    texts : sequence of str
        The different values.
    name : str
        The column's name, for messages.
    order : str, optional
        ``"day-first"`` or ``"month-first"``, for dates such as 05/01/2024.

    Raises
    ------
    InputError
        If two formats fit, or if some texts are not dates and all others are.

    Examples
    --------
    >>> find_date_format(["31/12/2024", "05/01/2024"], "day"), find_date_format(["red", "31/12/2024"], "day")
    ('%d/%m/%Y', None)
    """
    shaped = [text for text in texts if looks_like_date(text)]
    if not shaped or len(shaped) < 0.8 * len(texts):
        return None
    excluded = ORDERS.get(order or "", "none")
    formats = [form for form in FORMATS if not form.startswith(excluded)]
    counts = {form: sum(fits(text, form) for text in shaped) for form in formats if fits(shaped[0], form)}
    counts = counts or {form: sum(fits(text, form) for text in shaped) for form in formats}
    most = max(counts.values(), default=0)
    best = [form for form, count in counts.items() if count == most]
    if most < 0.8 * len(texts):
        return None
    if len(best) > 1:
        raise InputError(
            f"{shaped[0]!r} in column {name!r} can be read with the day first or with the month first. Name the order: "
            f"`--dates day-first` or `--dates month-first` (dates= in Python)."
        )
    strays = [text for text in texts if not fits(text, best[0])]
    if strays:
        raise InputError(
            f"Text {strays[0]!r} in column {name!r} is not a date, but {most} of the column's {len(texts)} different "
            f"values are. Correct it; for a missing value, leave the cell empty. Or leave the column out: "
            f"`--drop {name}`."
        )
    return best[0]


def parts_of(values: object, source: str, form: str, *, marks: bool) -> dict[str, Array]:
    """Return the parts of a column of dates that differ from row to row.

    >>> sorted(parts_of(["2024-01-05", "2024-02-06"], "day", "", marks=False))
    ['day', 'month', 'weekday']
    """
    has_day = form not in TIMES and not all(isinstance(value, datetime.time) for value in as_list(values))
    wanted = PARTS if has_day else PARTS[4:]
    found = {part: DatePart(source, part, form).read(values, marks=marks) for part in wanted}
    return {part: x for part, x in found.items() if len(np.unique(x[~np.isnan(x)])) > 1}
