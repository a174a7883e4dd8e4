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
ISO = ""  # ISO 8601
HOURS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
TIMES = HOURS  # columns that hold no dates
NUMBERED_DAYS = """
%Y/%m/%d %Y.%m.%d %d.%m.%Y %d-%m-%Y %m-%d-%Y %d/%m/%Y %m/%d/%Y
%d.%m.%y %y.%m.%d %d-%m-%y %m-%d-%y %y-%m-%d %d/%m/%y %m/%d/%y %y/%m/%d
"""
NAMED_DAYS = """
%d %b %Y|%d-%b-%Y|%d/%b/%Y|%d%b%Y|%b %d %Y|%b %d, %Y|%Y-%b-%d|%d %B %Y|%d. %B %Y|%B %d %Y|%B %d, %Y
%d %b %y|%d-%b-%y|%d%b%y
"""
SPACED_DAYS = ("%d. %m. %Y",)
DAYS = (*NUMBERED_DAYS.split(), *SPACED_DAYS, *re.split(r"[|\n]", NAMED_DAYS.strip()))
FORMATS = (ISO, *(day + time for day in DAYS for time in ("", *(f" {hour}" for hour in HOURS))), *TIMES)
SIGNS = {form: set(re.sub("%.", "", form)) for form in FORMATS}  # the characters between the parts
ORDERS = {"day-first": "%d", "month-first": "%m", "year-first": "%y"}  # how the formats begin
DATE_TYPES = (str, datetime.date, datetime.time, np.datetime64)
NUMBERED_DATE = re.compile(r"\d{1,4}[-/.:] ?\d{1,2}([-/.:] ?\d{1,4})?([T ].*)?")
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
NAMED_DATE = re.compile(rf"(?i)(\d{{1,4}}[-/ ]?|\d\d?\. )?({MONTHS})[a-z]*[-/ ]?\d{{1,4}}(, ?\d{{4}}|[- ]\d.*)?( .*)?")
NAME_OF_MONTH = re.compile(rf"(?i){MONTHS}")
FEWEST_SHAPED = 0.8  # the share of texts that are dates in a column of dates
MOST_TRIED = 200  # texts that choose the possible formats
VERSION_NUMBER = re.compile(r"\d+\.\d+\.\d")  # 1.10.3, where others, such as 1.10.12, could be dates


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

    @property
    def century_note(self) -> str:
        """Which years two digits stand for; empty for a format with years of four digits."""
        return "; 69 to 99 are read as 1969 to 1999, 00 to 68 as 2000 to 2068" if "%y" in self.form else ""

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


def may_fit(text: str, form: str) -> bool:
    """Return whether a text has the signs of a format; this is quick, while ``strptime`` compiles each format anew.

    >>> may_fit("5/1/24", "%d/%m/%y"), may_fit("5/1/24", "%d.%m.%y"), may_fit("5/1/24", "%d/%b/%Y")
    (True, False, False)
    """
    return SIGNS[form] <= set(text) and ("%b" in form.lower()) == bool(NAME_OF_MONTH.search(text))


def looks_like_date(text: str) -> bool:
    """Return whether a text has the shape of a date or time, whether or not it is one.

    >>> [looks_like_date(text) for text in ("2024-12-31", "31.12.24 17:30", "7:30", "Dec 31, 2024", "5 JAN 2024")]
    [True, True, True, True, True]
    >>> [looks_like_date(text) for text in ("1.5", "2024", "10.0.0.1", "May 5", "mark 2")]
    [False, False, False, False, False]
    """
    found = NUMBERED_DATE.fullmatch(text.strip())
    if found is not None:
        return found[1] is not None or ":" in text
    named = NAMED_DATE.fullmatch(text.strip())
    return named is not None and len(re.findall(r"\d+", text)) > 1


def find_date_format(texts: Sequence[str], name: str, order: str | None = None) -> str | None:
    """Return the format of a column's different texts; None if they are not dates.

    Parameters
    ----------
    texts : sequence of str
        The different values.
    name : str
        The column's name, for messages.
    order : str, optional
        ``"day-first"``, ``"month-first"`` or ``"year-first"``, for dates such as 05/01/2024 and 05.01.24.

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
    if not shaped or len(shaped) < FEWEST_SHAPED * len(texts):
        return None
    tried = shaped[:MOST_TRIED]
    formats = [form for form in FORMATS if any(may_fit(text, form) and fits(text, form) for text in tried)]
    counts = {form: sum(fits(text, form) for text in shaped) for form in formats}
    fitting = {form: count for form, count in counts.items() if count >= FEWEST_SHAPED * len(texts)}
    if not fitting:
        refuse_mixed(texts, formats, name)
        return None
    wanted = [form for form in fitting if order is not None and order_of(form) == order]
    most = max(fitting[form] for form in wanted or fitting)
    form = the_format([form for form in wanted or fitting if fitting[form] == most], shaped[0], name)
    strays = [text for text in texts if not fits(text, form)]
    if any(map(VERSION_NUMBER.fullmatch, strays)):
        return None
    if strays:
        raise InputError(
            f"Text {strays[0]!r} in column {name!r} is not a date, but {most} of the column's {len(texts)} different "
            f"values are. Correct it; for a missing value, leave the cell empty. Or leave the column out: "
            f"`--drop {name}`."
        )
    return form


def refuse_mixed(texts: Sequence[str], formats: Sequence[str], name: str) -> None:
    """Raise for dates, each of which fits a format, while no format fits most of them."""
    kinds = [next((form for form in formats if fits(text, form)), None) for text in texts]
    if None not in kinds and len(set(kinds)) > 1:
        second = next(place for place, kind in enumerate(kinds) if kind != kinds[0])
        raise InputError(
            f"Column {name!r} holds dates in different formats, such as {texts[0]!r} and {texts[second]!r}. Write all "
            f"of them in one format, or leave the column out: `--drop {name}`."
        )


def order_of(form: str) -> str | None:
    """Return the order of day, month and year in a format; None if a month's name makes it clear."""
    return next((order for order, start in ORDERS.items() if form.lower().startswith(start)), None)


def the_format(formats: Sequence[str], text: str, name: str) -> str:
    """Return the format, if all of these formats have one order of day, month and year; raise otherwise.

    >>> the_format(["%d %b %Y", "%d %B %Y"], "1 May 2024", "day")
    '%d %b %Y'
    """
    orders = list(dict.fromkeys(map(order_of, formats)))
    if len(orders) < 2:
        return formats[0]
    first, second = (str(order) for order in orders[:2])
    raise InputError(
        f"{text!r} in column {name!r} can be read with the {first[:-6]} first or with the {second[:-6]} first. Name "
        f"the order: {' or '.join(f'`--dates {order}`' for order in orders)} (dates= in Python)."
    )


def parts_of(values: object, source: str, form: str, *, marks: bool) -> dict[str, Array]:
    """Return the parts of a column of dates that differ from row to row.

    >>> sorted(parts_of(["2024-01-05", "2024-02-06"], "day", "", marks=False))
    ['day', 'month', 'weekday']
    """
    has_day = form not in TIMES and not all(isinstance(value, datetime.time) for value in as_list(values))
    wanted = PARTS if has_day else PARTS[4:]
    found = {part: DatePart(source, part, form).read(values, marks=marks) for part in wanted}
    return {part: x for part, x in found.items() if len(np.unique(x[~np.isnan(x)])) > 1}
