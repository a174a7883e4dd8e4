"""Recognize how the numbers of a text column are written, such as $1,163.74, 45 % or 1.234,5.

A format is recognized where exactly one reading fits every value of the column.  It is part of the column's
description, so every later table is read in the same way.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from workings.errors import InputError
from workings.support.keywords import CheckedKeywords
from workings.tables.plain_csv import OTHER_SIGNS, USUAL_SIGNS, number_in
from workings.tables.schema import damaged, stored_entries, stored_word

DECIMALS = (".", ",")
THOUSANDS = ("", ",", ".", "'", " ")
MOST_UNIT = 20  # characters
CURRENCY_NAMES = """
USD EUR GBP JPY CHF CAD AUD NZD CNY INR BRL MXN ZAR SEK NOK DKK PLN CZK HUF TRY RUB KRW SGD HKD ILS AED SAR THB IDR MYR
PHP VND UAH RON BGN ISK EGP NGN KES CLP COP PEN ARS Kč kr zł Ft Fr Fr. Rs Rs. R$ A$ C$ US$ NZ$ HK$ S$
"""
UNIT_NAMES = """
mg g kg t lb lbs oz nm µm um mm cm dm m km in ft yd mi m² m³ km² ha sqm sqft ml cl dl l L gal ns µs us ms s sec min h hr
hrs °C °F ° Hz kHz MHz GHz kB KB MB GB TB km/h kmh mph m/s rpm kW kWh MW Wh kJ kcal cal mV kV mA kPa hPa Pa bar mbar psi
ppm px
"""
CURRENCIES, UNITS = frozenset(CURRENCY_NAMES.split()), frozenset(UNIT_NAMES.split())
PERCENT = ("%", "٪", "‰")


@dataclass(frozen=True)
class NumberFormat(CheckedKeywords):
    """How the numbers of a column are written.

    Parameters
    ----------
    decimal : str
        The decimal sign, ``"."`` or ``","``.
    thousands : str
        The separator of thousands, or empty text.
    unit : str
        What stands before or after each number, such as ``"$"`` or ``"%"``, or empty text.

    Examples
    --------
    >>> NumberFormat(",", ".", "€").number("1.234,50 €")
    1234.5
    >>> NumberFormat(".", "", "$").describe()
    'money ($)'
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""

    def number(self, text: str) -> float:
        """Parse a value; raise ValueError if it is written in another way."""
        return number_in(text.strip(), self.decimal, self.thousands, self.unit)

    def fits(self, texts: Iterable[str]) -> bool:
        """Return whether all texts are numbers of this format."""
        try:
            return all(isinstance(self.number(text), float) for text in texts)
        except ValueError:
            return False

    def describe(self) -> str:
        """Describe the format in a few words."""
        parts = [f"decimal sign {self.decimal!r}"] if self.decimal == "," else []
        parts += [f"thousands separator {self.thousands!r}"] if self.thousands else []
        return ", ".join([unit_words(self.unit), *parts])

    def to_dict(self) -> dict[str, str]:
        """Return a dict that JSON can store."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: object) -> NumberFormat:
        """Read the result of ``to_dict``; raise FileError for anything else."""
        decimal, thousands, unit = (
            stored_word(value, "a number's format")
            for value in stored_entries(stored, ("decimal", "thousands", "unit"))
        )
        if decimal not in DECIMALS or thousands not in THOUSANDS or decimal == thousands or len(unit) > MOST_UNIT:
            raise damaged("a number's format", "a decimal sign, a thousands separator and a unit", str(stored))
        return cls(decimal, thousands, unit)


def unit_words(unit: str) -> str:
    """Describe a unit.

    >>> unit_words("$"), unit_words("%"), unit_words("kg"), unit_words("")
    ('money ($)', 'percent (45% is 45)', "numbers with the unit 'kg'", 'numbers')
    """
    if not unit:
        return "numbers"
    if unit in PERCENT:
        return f"percent (45{unit} is 45)" if unit != "‰" else "per mille (45‰ is 45)"
    return f"money ({unit})" if is_currency(unit) else f"numbers with the unit {unit!r}"


def is_currency(unit: str) -> bool:
    """Return whether a unit is a currency's sign or short name."""
    return unit in CURRENCIES or (len(unit) == 1 and unicodedata.category(unit) == "Sc")


NUMBER_WITH_UNIT = re.compile(
    r"\(?\s*[+-]?\s*(?P<before>[^\d\s,+-]*?)\s*[+-]?\s*"  # such as -$
    r"(?P<digits>[.,]?\d[\d.,' ]*)(?:[eE][+-]?\d+)?"
    r"\s*(?P<after>\D*?)\s*\)?"
)


def unit_of(text: str) -> str | None:
    """Return the unit of a number, or empty text if it has none; None for text that is not a number.

    >>> [unit_of(text) for text in ("$1.50", "-45 %", "1.234,5", "3 apples", "red", "1-2")]
    ['$', '%', '', None, None, None]
    """
    text = text.translate(str.maketrans(OTHER_SIGNS, USUAL_SIGNS))
    found = NUMBER_WITH_UNIT.fullmatch(text.strip())
    if found is None or (found["before"] and found["after"]):
        return None
    before, after = found["before"].strip("("), found["after"]
    is_known = not before + after or is_currency(before + after) or after in UNITS | set(PERCENT)
    return before + after if is_known else None


def formats_of(texts: Sequence[str], unit: str, decimal: str | None) -> list[NumberFormat]:
    """Return the formats that fit all texts, each with a different reading of them.

    >>> formats_of(["1,234", "2"], "", None)
    [NumberFormat(decimal=',', thousands='', unit=''), NumberFormat(decimal='.', thousands=',', unit='')]
    """
    found: dict[tuple[float, ...], NumberFormat] = {}
    for thousands in THOUSANDS:
        for sign in DECIMALS if decimal is None else (decimal,):
            form = NumberFormat(sign, thousands, unit)
            if sign != thousands and form.fits(texts):
                found.setdefault(tuple(map(form.number, texts)), form)
    return list(found.values())


def is_number_text(text: str, decimal: str | None = None) -> bool:
    """Return whether a text is a number in any format, or in any with this decimal sign.

    >>> [is_number_text(text) for text in ("$1.50", "1,234.5", "1.2.3", "red", "10.0.0.1")]
    [True, True, False, False, False]
    """
    unit = unit_of(text)
    return unit is not None and bool(formats_of([text], unit, decimal))


def find_format(texts: Sequence[str], name: str, decimal: str | None = None) -> NumberFormat | None:
    """Return the format of a column's different texts; None if some are not numbers.

    Parameters
    ----------
    texts : sequence of str
        The different values.
    name : str
        The column's name, for messages.
    decimal : str, optional
        The decimal sign, if it is known.

    Raises
    ------
    InputError
        If two readings fit, or if all texts are numbers with different units or decimal signs.

    Examples
    --------
    >>> find_format(["$1.50", "$1,163.74"], "price")
    NumberFormat(decimal='.', thousands=',', unit='$')
    >>> find_format(["red", "$5"], "price")
    """
    units: list[str] = []
    for text in texts:
        unit = unit_of(text)
        if unit is None:
            return None
        units.append(unit)
    if not units:
        return None
    formats = formats_of(texts, units[0], decimal) if len(set(units)) == 1 else []
    if len(formats) == 1:
        return formats[0]
    if formats:
        raise ambiguous(texts, name, formats)
    if not all(map(is_number_text, texts)):
        return None
    other = next((text for text in texts if not is_number_text(text, decimal)), None)
    if other is not None:
        raise InputError(
            f"{other!r} in column {name!r} is not a number with the decimal sign {decimal!r}. Correct it, or name "
            f"another decimal sign."
        )
    raise mixed_units(texts, units, name) if len(set(units)) > 1 else mixed_signs(texts, units[0], name, decimal)


def ambiguous(texts: Sequence[str], name: str, formats: Sequence[NumberFormat]) -> InputError:
    """Return the error for numbers that can be read in two ways."""
    first, second = formats[:2]
    text = next(text for text in texts if first.number(text) != second.number(text))
    return InputError(
        f"{text!r} in column {name!r} can be read as {first.number(text):.12g} or as {second.number(text):.12g}. Name "
        f"the decimal sign: `--decimal {first.decimal}` or `--decimal {second.decimal}` "
        f"(decimal={first.decimal!r} or {second.decimal!r} in Python)."
    )


def mixed_units(texts: Sequence[str], units: Sequence[str], name: str) -> InputError:
    """Return the error for numbers with different units, which names one of the most frequent unit and one other."""
    usual = Counter(units).most_common(1)[0][0]
    one = texts[units.index(usual)]
    other = next(text for text, unit in zip(texts, units, strict=True) if unit != usual)
    return InputError(
        f"Column {name!r} holds numbers with different units, such as {one!r} and {other!r}. Write all of them with "
        f"the same unit or without one, or leave the column out (`--drop`)."
    )


def mixed_signs(texts: Sequence[str], unit: str, name: str, decimal: str | None) -> InputError:
    """Return the error for numbers that no single format fits, which names two that exclude each other."""
    count = next(count for count in range(2, len(texts) + 1) if not formats_of(texts[:count], unit, decimal))
    other = texts[count - 1]
    one = next((text for text in texts[: count - 1] if not formats_of([text, other], unit, decimal)), texts[0])
    return InputError(
        f"Column {name!r} holds numbers with different decimal signs or separators, such as {one!r} and {other!r}. "
        f"Write all of them in the same way, or leave the column out (`--drop`)."
    )
