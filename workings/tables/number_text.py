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
from workings.tables.plain_csv import GAP_MARKS, OTHER_SIGNS, USUAL_SIGNS, number_in
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
    return unit in CURRENCIES or (len(unit) == 1 and is_currency_sign(unit))


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


def is_usual_number(text: str) -> bool:
    """Return whether a text is a number in the usual format.

    >>> [is_usual_number(text) for text in ("1.5", "1e400", "$1.50", "true", "red")]
    [True, True, False, False, False]
    """
    try:
        return text.strip().lower() not in ("", "true", "false") and isinstance(number_in(text.strip(), "."), float)
    except ValueError:
        return False


GROUPED_BY_POINTS = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+$"
GROUPED_OR_SHORT = GROUPED_BY_POINTS + r"|^[+-]?\d{1,3}$"


def may_be_grouped(texts: Iterable[str]) -> bool:
    """Return whether points may separate thousands in all of these numbers.

    >>> may_be_grouped(["1.234", "5"]), may_be_grouped(["1.234", "1.5"])
    (True, False)
    """
    given = list(texts)
    has_groups = any(re.match(GROUPED_BY_POINTS, text) for text in given)
    return has_groups and all(re.match(GROUPED_OR_SHORT, text) for text in given)


MISSING_MARKS = (*GAP_MARKS, "none", "nil", "-", "--", ".")


def are_mostly_numbers(texts: Sequence[str]) -> bool:
    """Return whether at least four fifths of a column's texts are numbers, not counting markers of missing values.

    >>> are_mostly_numbers(["1", "NA", "?"]), are_mostly_numbers(["1", "2", "S"])
    (True, False)
    """
    counts = Counter(text for text in texts if text.lower() not in MISSING_MARKS)
    found = sum(count for text, count in counts.items() if is_usual_number(text) or is_number_text(text))
    return found > 0 and found >= 4 * (counts.total() - found)


MAGNITUDE_NAMES = """
k m b t g tsd mn mm mio mill million millions bn mrd bio billion billions thousand trillion lakh crore cr
"""
MAGNITUDES = frozenset(MAGNITUDE_NAMES.split())
FEW_LIKE_NUMBERS = 20  # as many classes are usual


def with_suffix(texts: Sequence[str]) -> list[str]:
    """Return the different texts of a column that are numbers with a suffix for thousands, millions or billions.

    The result is empty if others are no numbers.  Few whole numbers without a currency may be categories.

    >>> with_suffix(["$1.5M", "$900k", "12"]), with_suffix(["2K", "4K"]), with_suffix(["1.5M", "red"])
    (['$1.5M', '$900k'], [], [])
    """
    found = [text for text in texts if has_suffix(text)]
    are_amounts = len(found) > FEW_LIKE_NUMBERS or any(
        re.search(r"\d[.,]\d", text) or any(map(is_currency_sign, text)) for text in found
    )
    others = set(texts) - set(found) if are_amounts else ()
    return found if are_amounts and all(is_usual_number(text) or is_number_text(text) for text in others) else []


def has_suffix(text: str) -> bool:
    """Return whether a text is a number with a suffix for thousands, millions or billions.

    >>> [has_suffix(text) for text in ("1.5M", "-$2 mio.", "EUR 900k", "3 Mrd €", "5 kg", "M1")]
    [True, True, True, True, False, False]
    """
    found = NUMBER_WITH_UNIT.fullmatch(text.translate(str.maketrans(OTHER_SIGNS, USUAL_SIGNS)).strip())
    if found is None:
        return False
    before, after = found["before"].strip("("), found["after"].strip(" .)")
    scale = re.match(r"[^\W\d_]+", after)
    if scale is None or scale[0].lower() not in MAGNITUDES:
        return False
    rest = after[scale.end() :].strip(" .")
    return all(not sign or is_currency(sign) or re.fullmatch("[A-Z]{3}", sign) for sign in (before, rest))


def is_currency_sign(character: str) -> bool:
    """Return whether a character is the sign of a currency, such as $."""
    return unicodedata.category(character) == "Sc"


def find_format(texts: Sequence[str], name: str, decimal: str | None = None, fix: str = "") -> NumberFormat | None:
    """Return the format of a column's different texts; None if some are not numbers.

    Parameters
    ----------
    texts : sequence of str
        The different values.
    name : str
        The column's name, for messages.
    decimal : str, optional
        The decimal sign, if it is known.
    fix : str, optional
        What to do about numbers that can be read in two ways; by default, to name the decimal sign.

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
        raise ambiguous(texts, name, formats, fix)
    if not all(map(is_number_text, texts)):
        return None
    other = next((text for text in texts if not is_number_text(text, decimal)), None)
    if other is not None:
        raise InputError(
            f"{other!r} in column {name!r} is not a number with the decimal sign {decimal!r}. Correct it, or name "
            f"another decimal sign."
        )
    raise mixed_units(texts, units, name) if len(set(units)) > 1 else mixed_signs(texts, units[0], name, decimal)


def ambiguous(texts: Sequence[str], name: str, formats: Sequence[NumberFormat], fix: str) -> InputError:
    """Return the error for numbers that can be read in two ways."""
    first, second = formats[:2]
    text = next(text for text in texts if first.number(text) != second.number(text))
    fix = fix or (
        f"Name the decimal sign: `--decimal {first.decimal}` or `--decimal {second.decimal}` "
        f"(decimal={first.decimal!r} or {second.decimal!r} in Python)."
    )
    return InputError(
        f"{text!r} in column {name!r} can be read as {first.number(text):.12g} or as {second.number(text):.12g}. {fix}"
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
