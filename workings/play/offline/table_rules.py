"""The rules for tables of the user in the browser, written from Python: how a column is chosen and encoded.

``own-table.js`` reads a table and learns the encoding of its columns.  The formulas, the thresholds and the encoding
itself are those of the library: ``columns.js`` is written from them, and from the JavaScript reading of a network that
was trained on a table.
"""

from __future__ import annotations

import json

from workings.model.targets import one_hot
from workings.play.offline.function_modules import functions_module
from workings.readings.javascript.names import file_text
from workings.support.json_values import JsonObject
from workings.tables import screening
from workings.tables.cells import mostly_numbers, too_many_categories
from workings.tables.columns import NumberColumn, filled, missing, standard
from workings.tables.features import MISSING_CATEGORY
from workings.tables.number_text import CURRENCIES, PERCENT, UNITS
from workings.tables.plain_csv import GAP_MARKS
from workings.tables.target_column import are_classes

FUNCTIONS = (standard, filled, missing, one_hot, mostly_numbers, too_many_categories, are_classes)


def rules() -> JsonObject:
    """Return the thresholds of ``workings/tables``, and its patterns for names of identifiers.

    >>> rules()["usual_categories"]
    50
    """
    return {
        "gaps": list(GAP_MARKS),
        "units": sorted({*CURRENCIES, *UNITS, *PERCENT}),
        "missing_category": MISSING_CATEGORY,
        "indicator_name": NumberColumn("@", fill=0.0, indicator=True).names[1],
        "nearly_empty": screening.NEARLY_EMPTY,
        "fewest_rows": screening.FEWEST_ROWS,
        "least_rows_of_word": screening.LEAST_ROWS_OF_WORD,
        "usual_categories": screening.USUAL_CATEGORIES,
        "years": list(screening.YEARS),
        "identifiers": [
            [screening.IDENTIFIER_NAMES.pattern.removeprefix("(?i)"), "iu"],
            [screening.CAMEL_IDENTIFIERS.pattern, "u"],
        ],
    }


def columns_module() -> str:
    """Return the module with the rules, and with ``encodedColumn``, which encodes a column of a table."""
    further = f"{file_text('columns.js')}\nexport const rules = {json.dumps(rules())};"
    return functions_module("How columns of tables are chosen and encoded.", FUNCTIONS, further, "encodedColumn")
