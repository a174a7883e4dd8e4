"""Export to C: a C99 header and source file that need only ``<math.h>``.

The generated code allocates no memory and reads no files.  The weights are constants, and each statement of
the network's program becomes a loop.  For a network that was trained on a table, the code also standardizes
numbers and one-hot encodes categories.  With ``int8=True`` the weights are quantized to bytes with one scale
per column, and the result reports the loss of accuracy.  The source contains ten test rows with their
predictions; compiled with ``-DNAME_SELF_TEST`` it is a program that checks them.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from workings.errors import FileError, InputError
from workings.files.c_loops import INDENT, KEYWORDS, CDefinitions, CLoopWriter, c_text, entries
from workings.files.table_statements import input_statements, output_statements
from workings.files.verification import (
    Agreement,
    Exported,
    GeneratedRows,
    allowed_difference,
    check_special,
    compare,
    generated_rows,
    special_rows,
    target_scale,
    typical_sizes,
    write_verified,
)
from workings.model.model import Model
from workings.support.arrays import Array
from workings.support.escaping import in_comment
from workings.tables.columns import CategoryColumn, Columns, columns_in
from workings.version import __version__

CLONES = """\
/* gcc compiles the next function twice: for all processors, and for those with fused multiplication and addition. The
   program takes the one that fits its processor. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__FMA__) && !defined(__clang__) && __GNUC__ >= 6
__attribute__((target_clones("fma", "default")))
#endif
"""
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2")
TEST_ROWS = 10
LEVELS = 127  # largest magnitude of a quantized weight
LONGEST_LITERAL = 4_000  # bytes; C99 promises 4,095
CODES_PER_LINE = 12  # characters of a text that is too long for a literal


def export(network: Model, path: Path, *, name: str | None = None, int8: bool = False) -> Exported:
    """Write a network as C source and header; if a compiler is available, compile, run and compare.

    Parameters
    ----------
    network : Model
    path : path
        Path of the source, ``digits.c``; the header is ``digits.h`` in the same folder.
    name : str or None
        Prefix of all names in the files; by default the file's name.
    int8 : bool
        Quantize the matrices to bytes; the notes of the result report the loss of accuracy.

    Raises
    ------
    InputError
        For a name that is not valid in C.
    NotCompilableError
        For a statement that cannot be written in C; the message names it.
    FileError
        If the compiled program's predictions differ.
    """
    program = CProgram(network, identifier(name, path), path.stem, int8)
    contents = {f"{path.stem}.c": program.source().encode(), f"{path.stem}.h": program.header().encode()}
    rows = generated_rows(network)
    notes = program.int8_notes(rows) if int8 else ()
    return write_verified(path, contents, lambda folder: program.run(folder, rows), notes)


def identifier(name: str | None, path: Path) -> str:
    """Return the prefix of all names in the files; raise for a file or a name that C cannot have.

    >>> identifier(None, Path("2-moons.c"))
    'net_2_moons'
    """
    if path.stem.lower() in HEADERS or not path.name.isprintable() or set(path.stem) & set('"\\'):
        raise InputError(
            f"{path.name!r} is not a usable name for a C file, because its header would be {path.stem + '.h'!r}: "
            f"choose a name that is not one of C's own headers and has no quotes or backslashes, as 'digits.c'."
        )
    if name is None:
        plain = re.sub(r"[^0-9A-Za-z_]", "_", path.stem).strip("_") or "net"
        return f"net_{plain}" if plain[0].isdigit() or plain in KEYWORDS else plain
    if not re.fullmatch(r"[A-Za-z][0-9A-Za-z_]*", name) or name in KEYWORDS:
        raise InputError(f"name={name!r} is not a valid C name: use letters, digits and _, as in 'digits'.")
    return name


@dataclass
class CProgram:
    """Generates the C code of one network."""

    network: Model
    prefix: str
    stem: str
    int8: bool
    long_texts: dict[str, str] = field(default_factory=dict)

    @cached_property
    def columns(self) -> Columns | None:
        """The columns of the table that the network was trained on; None without a table."""
        return columns_in(self.network.preprocessing)

    @property
    def real(self) -> str:
        """The C type of the network's numbers."""
        return "float" if self.network.dtype == np.float32 else "double"

    @cached_property
    def matrices(self) -> dict[str, tuple[Array, Array]]:
        """The quantized matrices, each with the scales of its columns; empty without ``int8``."""
        if not self.int8:
            return {}
        return {name: as_bytes(array) for name, array in self.network.parameters.items() if array.ndim == 2}

    @cached_property
    def exported_network(self) -> Model:
        """The network that the file computes: with ``int8``, one with quantized weights."""
        exported_network = copy.deepcopy(self.network)
        for name, (levels, scale) in self.matrices.items():
            exported_network.parameters[name] = levels * scale
        return exported_network

    # -- the two files -----------------------------------------------------------------------

    @property
    def arguments(self) -> list[tuple[str, str, int]]:
        """The arguments of the prediction function: type, name, length."""
        if self.columns is None:
            return [(self.real, "X", self.network.n_in or 1)]
        given = [("double", "columns", len(self.columns.numbers)), ("int", "categories", len(self.columns.words))]
        return [argument for argument in given if argument[2]]

    @property
    def prototypes(self) -> dict[str, str]:
        """The prototypes of the functions, with their comments."""
        prefix, network = self.prefix, self.network
        given = ", ".join(f"const {kind} {name}[{length}]" for kind, name, length in self.arguments)
        found = {
            f"void {prefix}_outputs({given}, {self.real} p[{network.n_out}])": (
                "Computes the outputs p for one row; an input that is NAN makes them NAN."
            )
        }
        outputs = f"const {self.real} p[{network.n_out}]"
        if network.targets.has_labels:
            found[f"int {prefix}_label({outputs})"] = (
                "Returns the index of the predicted label, from 0; it means nothing if p is NAN."
            )
        elif network.targets.is_classification:
            found[f"int {prefix}_label({outputs}, int output)"] = "Returns 1 if the label of this output holds, else 0."
        elif output_statements(network, self.columns).statements:
            which = ", int output" if network.n_out > 1 else ""
            found[f"double {prefix}_value({outputs}{which})"] = "Returns the prediction in the target's original unit."
        return found

    def header(self) -> str:
        """Return the header file."""
        prefix = self.prefix
        lines = [comment(self.about()), f"#ifndef {prefix.upper()}_H", f"#define {prefix.upper()}_H", ""]
        lines += ["#ifdef __cplusplus", 'extern "C" {', "#endif", ""]
        for prototype, words in self.prototypes.items():
            lines += [comment(words), f"{prototype};", ""]
        if self.labels is not None:
            lines += [comment("The labels, in the order of their columns."), f"extern {self.labels[0]};", ""]
        for declaration, (words, _) in self.names.items():
            lines += [comment(words), f"extern {declaration};", ""]
        return "\n".join([*lines, "#ifdef __cplusplus", "}", "#endif", "", "#endif", ""])

    def about(self) -> str:
        """Return the comment at the top of both files."""
        network = self.network
        lines = [f"A neural network; written by Workings {__version__}.", ""]
        lines += [f"Layers: {', '.join(map(repr, network.layers))}; loss {network.loss!r}."]
        lines += (
            [f"The weights are quantized to bytes, with a scale for each column ({self.real})."] if self.int8 else []
        )
        if self.columns is not None:
            lines += ["", "Inputs are in the table's original units; a missing number is NAN, a missing category -1."]
            for index, column in enumerate(self.columns.numbers):
                lines += [
                    f"  columns[{index}]: {in_comment(column.name)}"
                    + ("" if column.fill is not None else ", must not be missing")
                ]
            for index, words in enumerate(self.columns.words):
                known = ", ".join(f"{code} {in_comment(category)}" for code, category in enumerate(words.categories))
                lines += [f"  categories[{index}]: {in_comment(words.name)}: {known}"]
        return "\n".join(lines)

    @property
    def labels(self) -> tuple[str, list[str]] | None:
        """The declaration of the label array, and its entries; None without labels."""
        classes = self.network.classes
        if classes is None or not self.network.targets.has_labels:
            return None
        if classes.dtype.kind == "U":
            return f"const char *const {self.prefix}_labels[{len(classes)}]", self.texts(classes.tolist())
        whole = [int(label) for label in classes.tolist()]
        kind = "unsigned long long" if max(whole) > np.iinfo(np.int64).max else "long long"
        return f"const {kind} {self.prefix}_labels[{len(whole)}]", [whole_number(label) for label in whole]

    def texts(self, texts: list[str]) -> list[str]:
        """Return texts as expressions: string literals, and the names of arrays for those too long for a literal."""
        for text in texts:
            if "\0" in text:
                raise InputError(f"C cannot take the text {text[:40]!r}, because a C string ends at the character \\0.")
        return [self.long_text(text) if len(text.encode()) > LONGEST_LITERAL else c_text(text) for text in texts]

    def long_text(self, text: str) -> str:
        """Define a text that is too long for a string literal as an array of characters, and return its name."""
        self.long_texts.setdefault(text, f"{self.prefix}_text_{len(self.long_texts)}")
        return self.long_texts[text]

    @cached_property
    def names(self) -> dict[str, tuple[str, list[str]]]:
        """The declarations of arrays with the names of columns and categories: the comment and the entries of each."""
        columns = self.columns
        if columns is None:
            return {}
        several = {
            "columns": ("The names of the numeric columns.", [column.name for column in columns.numbers]),
            "categories": ("The names of the categorical columns.", [column.name for column in columns.words]),
            **{
                f"categories_{index}": (
                    f"The categories of {in_comment(column.name)}, by index.",
                    list(column.categories),
                )
                for index, column in enumerate(columns.words)
            },
        }
        return {
            f"const char *const {self.prefix}_{name}[{len(texts)}]": (words, self.texts(texts))
            for name, (words, texts) in several.items()
            if texts
        }

    def source(self) -> str:
        """Return the source file."""
        parts = CDefinitions(self.prefix, self.public_names)
        functions = [self.outputs(parts), *self.decoding_functions(parts)]
        lines = [comment(self.about()), "#include <math.h>", "", f'#include "{self.stem}.h"', "", *parts.lines]
        arrays = {} if self.labels is None else dict([self.labels])
        arrays |= {declaration: texts for declaration, (_, texts) in self.names.items()}
        lines += [line for text, name in self.long_texts.items() for line in array_of_characters(name, text)]
        for declaration, texts in arrays.items():
            lines += [f"{declaration} = {{", *(f"{INDENT}{text}," for text in texts), "};", ""]
        return "\n".join([*lines, *functions, self.self_test()])

    @property
    def public_names(self) -> set[str]:
        """The names that the header declares."""
        declared = [*self.prototypes, *self.names, *([] if self.labels is None else [self.labels[0]])]
        names = {name for text in declared for name in re.findall(rf"\b{self.prefix}_\w+", text)}
        return names | set(self.long_texts.values())

    def outputs(self, parts: CDefinitions) -> str:
        """Return the function that computes the outputs."""
        network, n_in = self.network, self.network.n_in or 1
        program = network.inference.needed_for("p")
        fixed = {**network.parameters, **network.statistics}
        body = self.input_lines(parts)
        names = {"X": "X", "p": "p"}
        loops = CLoopWriter(program, {"X": ("n", n_in)}, fixed, self.real, parts, self.matrices, ("p",), names)
        lines = with_index([*body, *loops.lines()], {"X": n_in, "p": network.n_out})
        return CLONES + function(next(iter(self.prototypes)), lines)

    def input_lines(self, parts: CDefinitions) -> list[str]:
        """Return the lines that encode a table's columns as X; empty without a table."""
        columns = self.columns
        if columns is None:
            return []
        lines = [f"{self.real} X[{self.network.n_in}];"]
        if columns.numbers:
            count = len(columns.numbers)
            names = {"columns": "columns", "numbers": "scaled", "gaps": "gaps"}
            loops = CLoopWriter(
                input_statements(columns), {"columns": ("n", count)}, columns.arrays, "double", parts, names=names
            )
            lines += with_index(loops.lines(), {"columns": count})
        numbers, words, place = 0, 0, 0
        for column in columns.columns:
            if isinstance(column, CategoryColumn):
                lines += category_lines(column, words, place)
                words += 1
            else:
                entry = "scaled" if len(columns.numbers) == 1 else f"scaled[{numbers}]"
                lines += [f"X[{place}] = ({self.real}){entry};"]
                gap = "gaps" if len(columns.numbers) == 1 else f"gaps[{numbers}]"
                lines += [f"X[{place + 1}] = ({self.real}){gap};"] if column.indicator else []
                numbers += 1
            place += column.width
        return lines

    def decoding_functions(self, parts: CDefinitions) -> list[str]:
        """Return the functions that convert outputs to labels or values."""
        prototype = next(reversed(self.prototypes))
        network, statements = self.network, output_statements(self.network, self.columns)
        if not statements.statements:
            return []
        if network.targets.is_multiclass:
            return [function(prototype, arg_max(str(statements["best"]), network.n_out))]
        target, n_out = statements.statements[0].target, network.n_out
        real = self.real if target == "chosen" else "double"
        loops = CLoopWriter(statements.needed_for(target), {"p": ("n", n_out)}, {}, real, parts, names={"p": "p"})
        lines = with_index(loops.lines(), {"p": n_out})
        result = f"{target}[output]" if n_out > 1 else target
        return [function(prototype, [*lines, f"return {'(int)' if target == 'chosen' else ''}{result};"])]

    # -- verification ---------------------------------------------------------------------------

    def self_test(self) -> str:
        """Return the self-test: ten rows with their outputs, and a main function that counts mismatches."""
        rows = generated_rows(self.network).first(TEST_ROWS)
        p = self.exported_network.outputs(rows.X, engine="reference").astype(np.float64)
        allowed = allowed_difference(self.exported_network, rows.X)
        given = [
            rows.X if name == "X" else rows.numbers if name == "columns" else rows.codes.astype(np.int64)
            for _, name, _ in self.arguments
        ]
        arrays = [
            f"static const {kind} test_{name}[{TEST_ROWS}][{length}] = {{\n{entries(values, kind)}\n}};"
            for (kind, name, length), values in zip(self.arguments, given, strict=True)
        ]
        n_out = self.network.n_out
        arrays += [f"static const double test_p[{TEST_ROWS}][{n_out}] = {{\n{entries(p, 'double')}\n}};"]
        arrays += [f"static const double test_size[{n_out}] = {{\n{entries(typical_sizes(p), 'double')}\n}};"]
        arguments = ", ".join(f"test_{name}[row]" for _, name, _ in self.arguments)
        return SELF_TEST.format(
            macro=f"{self.prefix.upper()}_SELF_TEST", arrays="\n\n".join(arrays), rows=TEST_ROWS, real=self.real,
            n_out=n_out, allowed=repr(allowed), call=f"{self.prefix}_outputs({arguments}, p)",
        )  # fmt: skip

    def run(self, folder: Path, rows: GeneratedRows) -> Agreement | None:
        """Compile the files, run the self-test and the generated rows, and compare; None without a compiler."""
        compiler = compiler_here()
        if compiler is None:
            return None
        (folder / f"{self.stem}_driver.c").write_text(self.driver())
        driver = self.compile(compiler, folder)
        wrong = subprocess.run([driver, "self-test"], check=False).returncode
        if wrong < 0:
            raise self.termination_error()
        if wrong:
            raise FileError(
                f"{self.stem}.c fails its self-test for {wrong} of {TEST_ROWS} rows: this is a bug in Workings."
            )
        runtime = Path(compiler).name
        special = special_rows(self.network)
        check_special(
            runtime, self.exported_network, special, self.run_driver(driver, special)[:, : self.network.n_out]
        )
        found = self.run_driver(driver, rows)
        p, rest = found[:, : self.network.n_out], found[:, self.network.n_out :]
        if not self.gives_values:
            return compare(runtime, self.exported_network, rows, p, self.decode(rest.astype(np.int64)))
        both = (
            compare(runtime, self.exported_network, rows, p),
            compare(runtime, self.exported_network, rows, rest, scale=target_scale(self.network)),
        )
        return max(both, key=lambda agreement: agreement.difference)

    @property
    def gives_values(self) -> bool:
        """Whether there is a function that converts outputs to the target's original unit."""
        return any(f"{self.prefix}_value(" in prototype for prototype in self.prototypes)

    def decode(self, labels: Array) -> Array | None:
        """Convert label indices to the network's labels."""
        targets = self.network.targets
        if not labels.shape[1] or not targets.has_labels:
            return labels if labels.shape[1] else None
        return labels[:, 0] if targets.classes is None else targets.classes[labels[:, 0]]

    def termination_error(self) -> FileError:
        """Return the error for a program that the system terminated."""
        return FileError(f"{self.stem}.c was terminated by the system: its layers may be too wide for the stack.")

    def run_driver(self, driver: Path, rows: GeneratedRows) -> Array:
        """Return what the driver prints for some rows: the outputs, and labels or values."""
        given = self.driver_input(rows)
        done = subprocess.run([driver], input=given, capture_output=True, text=True, check=False)
        if done.returncode:
            raise self.termination_error()
        return np.array(done.stdout.split(), dtype=np.float64).reshape(len(rows), -1)

    def compile(self, compiler: str, folder: Path) -> Path:
        """Compile the driver, with warnings as errors, and return its path."""
        command = [compiler, *FLAGS, "-o", "driver", f"{self.stem}_driver.c", "-lm"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FileError(f"{self.stem}.c does not compile; this is a bug in Workings: {done.stderr[:500]}")
        return folder / "driver"

    def driver(self) -> str:
        """Return a C program for the verification, which contains the source, so that it is compiled only once.

        With an argument it runs the self-test; without one it reads rows and prints their outputs and labels.
        """
        declarations = [f"{kind} {name}[{length}];" for kind, name, length in self.arguments]
        reads = [
            f'for (int i = 0; i < {length}; i++) if (scanf("{FORMATS[kind]}", &{name}[i]) != 1) return 0;'
            for kind, name, length in self.arguments
        ]
        given = ", ".join(name for _, name, _ in self.arguments)
        each = f"for (int i = 0; i < {self.network.n_out}; i++)"
        writes, which = [f'{each} printf("%.17g\\n", (double)p[i]);'], "p, i" if self.network.n_out > 1 else "p"
        if self.network.targets.has_labels:
            writes += [f'printf("%d\\n", {self.prefix}_label(p));']
        elif self.gives_values:
            writes += [f'{each} printf("%.17g\\n", {self.prefix}_value({which}));']
        elif self.network.targets.is_classification:
            writes += [f'{each} printf("%d\\n", {self.prefix}_label(p, i));']
        body = [*reads, f"{self.prefix}_outputs({given}, p);", *writes]
        return "\n".join(
            [
                f"#define {self.prefix.upper()}_SELF_TEST",
                "#define main workings_self_test",
                f'#include "{self.stem}.c"',
                "#undef main",
                "#include <stdio.h>",
                "int main(int count, char **words) {",
                *declarations,
                f"{self.real} p[{self.network.n_out}];",
                "if (count > 1 && *words[1]) return workings_self_test();",
                "for (;;) {",
                *body,
                "}",
                "}",
                "",
            ]
        )

    def driver_input(self, rows: GeneratedRows) -> str:
        """Return rows as input for the driver."""
        values = {"X": rows.X, "columns": rows.numbers, "categories": rows.codes}
        given = [values[name].tolist() for _, name, _ in self.arguments]
        return "\n".join(" ".join(map(repr, chain(*row))) for row in zip(*given, strict=True))

    def int8_notes(self, rows: GeneratedRows) -> tuple[str, ...]:
        """Report the effect of quantization: the largest difference of p, and the share of labels that change."""
        whole, rounded = (
            network.outputs(rows.X, engine="reference") for network in (self.network, self.exported_network)
        )
        lines = [
            f"int8: largest difference of p on {len(rows)} generated rows {float(np.abs(whole - rounded).max()):.2g}"
        ]
        if self.network.targets.is_classification:
            decode = self.network.targets.decode
            share = float((decode(whole) != decode(rounded)).mean())
            lines += [f"int8: {100 * share:.1f} % of the labels change"]
        return tuple(lines)


HEADERS = frozenset((
    "assert", "complex", "ctype", "errno", "fenv", "float", "inttypes", "iso646", "limits", "locale", "math", "setjmp",
    "signal", "stdalign", "stdarg", "stdatomic", "stdbool", "stdckdint", "stddef", "stdint", "stdio", "stdlib",
    "stdnoreturn", "string", "strings", "tgmath", "threads", "time", "uchar", "unistd", "wchar", "wctype",
))  # fmt: skip  # the standard headers of C, without .h
FORMATS = {"double": "%lf", "float": "%f", "int": "%d"}
SELF_TEST = """\
#ifdef {macro}

{arrays}

/* Returns the number of rows whose outputs differ from those at export. */
int main(void)
{{
    int mismatches = 0;
    for (int row = 0; row < {rows}; row++) {{
        {real} p[{n_out}];
        int wrong = 0;
        {call};
        for (int j = 0; j < {n_out}; j++) {{
            const double size = fmax(test_size[j], fabs(test_p[row][j]));
            const double away = fabs((double)p[j] - test_p[row][j]);
            const int same = p[j] == test_p[row][j] || (p[j] != p[j] && test_p[row][j] != test_p[row][j]);
            wrong |= !(same || away <= {allowed} * size);
        }}
        mismatches += wrong;
    }}
    return mismatches;
}}

#endif
"""


def as_bytes(W: Array) -> tuple[Array, Array]:
    """Quantize a matrix to whole numbers from -127 to 127; return them with the scale of each column.

    >>> levels, scale = as_bytes(np.array([[1.27, 0.0], [-0.5, 0.0]]))
    >>> levels.tolist(), scale.tolist()
    ([[127, 0], [-50, 0]], [0.01, 1.0])
    """
    largest = np.abs(W).max(axis=0)
    scale = np.array([size / LEVELS or 1.0 for size in largest.tolist()], dtype=W.dtype)
    return np.rint(W / scale).astype(np.int8), scale


def compiler_here() -> str | None:
    """Find a C compiler: the one in the variable CC, or gcc, cc or clang; None if there is none."""
    for name in (os.environ.get("CC", ""), "gcc", "cc", "clang"):
        if name and shutil.which(name):
            return shutil.which(name)
    return None


def comment(words: str) -> str:
    """Return a C comment of one or more lines.

    >>> print(comment("a */\\nb"))
    /* a * /
     * b
     */
    <BLANKLINE>
    """
    plain = words.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("??", "? ?")
    lines = plain.splitlines()
    if len(lines) == 1:
        return f"/* {lines[0]} */"
    return "\n".join([f"/* {lines[0]}", *(f" * {line}".rstrip() for line in lines[1:]), " */", ""])


def whole_number(value: int) -> str:
    """Return a literal of type long long, or unsigned long long for numbers from 2**63.

    >>> whole_number(-5), whole_number(2**63), whole_number(-(2**63))
    ('-5LL', '9223372036854775808ULL', '(-9223372036854775807LL - 1)')
    """
    if value == np.iinfo(np.int64).min:  # in C, -9223372036854775808 is the negative of a number that is too large
        return f"({value + 1}LL - 1)"
    return f"{value}ULL" if value > np.iinfo(np.int64).max else f"{value}LL"


def array_of_characters(name: str, text: str) -> list[str]:
    """Return the definition of a text as an array of characters."""
    codes = [f"'\\{byte:03o}'" for byte in [*text.encode(), 0]]
    lines = [", ".join(codes[start : start + CODES_PER_LINE]) for start in range(0, len(codes), CODES_PER_LINE)]
    return [f"static const char {name}[] = {{", *(f"{INDENT}{line}," for line in lines), "};", ""]


def function(prototype: str, lines: list[str]) -> str:
    """Return a C function with an indented body."""
    return "\n".join([prototype, "{", *(INDENT + line for line in lines), "}", ""])


def with_index(lines: list[str], given: dict[str, int]) -> list[str]:
    """Add the index [0] to arguments of length 1; the generated loops omit axes of length 1."""
    for name, length in given.items():
        if length == 1:
            lines = [
                re.sub(rf"(?<![\w.]){name}(?![\w\[])", f"{name}[0]", line) if not line.startswith("/*") else line
                for line in lines
            ]
    return lines


def category_lines(column: CategoryColumn, index: int, place: int) -> list[str]:
    """Return the lines that one-hot encode one categorical column; NaN for a category that the column refuses."""
    given, width = f"categories[{index}]", column.width
    code = given if column.fill is None else f"({given} == -1 ? {column.categories.index(column.fill)} : {given})"
    if column.unknown == "zeros":
        return [f"for (int j = 0; j < {width}; j++) {{", f"{INDENT}X[{place} + j] = {code} == j;", "}"]
    return [
        f"for (int j = 0; j < {width}; j++) {{",
        f"{INDENT}const int code = {code};",
        f"{INDENT}X[{place} + j] = code < 0 || code >= {width} ? NAN : code == j;",
        "}",
    ]


def arg_max(statement: str, n_out: int) -> list[str]:
    """Return the lines that find the index of the largest entry of ``p``, the first of equal ones, or the first NaN."""
    if statement != "best = p.argmax(axis=1)":
        raise InputError(f"C cannot take `{statement}`.")
    return [
        f"/* {statement} */",
        "int best = 0;",
        f"for (int j = 1; j < {n_out}; j++) {{",
        f"{INDENT}if (p[j] > p[best] || (p[j] != p[j] && p[best] == p[best])) {{",
        f"{INDENT}{INDENT}best = j;",
        f"{INDENT}}}",
        "}",
        "return best;",
    ]
