"""Tables: CSV and Parquet files to arrays, and back.

A network takes an array of numbers; people have files with ages, colours and gaps.  ``read_table``
and ``write_table`` are the way in and out.  ``Preprocessing`` learns from the training table how
each column becomes numbers (numbers are standardized, categories become one column for each value)
and does exactly the same to every later table, so it is stored together with the network.  What
cannot be understood is refused with its row, its column and a remedy; a gap is filled only when
that was asked for.
"""

from workings.tables.cells import marks_as_gaps
from workings.tables.columns import CategoryColumn, NumberColumn
from workings.tables.files import read_table, write_table
from workings.tables.preprocessing import Preprocessing
from workings.tables.targets import ClassTarget, LabelsTarget, NumberTarget

__all__ = [
    "CategoryColumn",
    "ClassTarget",
    "LabelsTarget",
    "NumberColumn",
    "NumberTarget",
    "Preprocessing",
    "marks_as_gaps",
    "read_table",
    "write_table",
]
