"""Tables: read CSV and Parquet files, encode their columns as arrays, and write predictions.

``read_table`` and ``write_table`` read and write files.  ``Preprocessing`` learns from the training table how each
column is encoded (numbers are standardized, categories are one-hot encoded).  It applies the same encoding to every
later table, so it is stored with the network.  A value that cannot be encoded raises an error with its row, its
column and a fix.  Missing values are filled only with ``impute=True``.
"""

from workings.tables.cells import marks_as_gaps
from workings.tables.columns import CategoryColumn, NumberColumn
from workings.tables.files import read_table, write_table
from workings.tables.preprocessing import Preprocessing
from workings.tables.stream import TableStream, stream
from workings.tables.target_column import ClassTarget, LabelsTarget, NumberTarget

__all__ = [
    "CategoryColumn",
    "ClassTarget",
    "LabelsTarget",
    "NumberColumn",
    "NumberTarget",
    "Preprocessing",
    "TableStream",
    "marks_as_gaps",
    "read_table",
    "stream",
    "write_table",
]
