"""Count the sentences of Markdown files, and print the median length and the share of long ones.

Usage: ``python tools/sentences.py README.md docs/guide.md``; a ``-`` reads standard input, as in
``git show HEAD:README.md | python tools/sentences.py -``.

How it counts:

- Fenced code blocks, tables, headings, images, HTML tags and reference definitions are skipped.
- A list item or a quotation is text like any other; its marker (``-``, ``1.``, ``>``) is removed.
- A blank line, a list marker or a skipped line ends a sentence, also one without a full stop.
- Otherwise a sentence ends at ``.``, ``!``, ``?`` or ``…`` that a space and a new sentence follow: a capital, a digit,
  a quotation mark, a parenthesis or code.  A colon or a semicolon does not end one.
- A word is what stands between spaces and holds a letter or a digit.  ``code`` is one word, however long it is;
  a link counts as its text.
- A sentence with more than 25 words is long.
"""

from __future__ import annotations

import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

LONG = 25
FENCE = re.compile(r"^\s*(```|~~~)")
SKIPPED = re.compile(r"^\s*(#|\||!\[|<|\[[^\]]+\]:)")
MARKER = re.compile(r"^\s*(?:[-*+>]|\d+[.)])\s+")
CODE = re.compile(r"`+[^`]+`+")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
ABBREVIATION = re.compile(r"\b(e\.g|i\.e|et al|vs|cf|eq|Fig)\.")
END = re.compile(r"""(?<=[.!?…])["')*_]*\s+(?=["'(*_\[]*[A-Z0-9À-ÞΑ-Ω\x00])""")
CODE_WORD = "\x00code"


def paragraphs(text: str) -> Iterator[str]:
    """Yield the running text of a Markdown file, one paragraph or list item at a time."""
    lines: list[str] = []
    in_code = False
    for line in [*text.splitlines(), ""]:
        is_fence = bool(FENCE.match(line))
        in_code ^= is_fence
        is_text = bool(line.strip()) and not in_code and not is_fence and not SKIPPED.match(line)
        if lines and (not is_text or MARKER.match(line)):
            yield " ".join(lines)
            lines = []
        if is_text:
            lines.append(MARKER.sub("", line).strip())


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a Markdown file; each code span is replaced by one word."""
    for paragraph in paragraphs(text):
        plain = LINK.sub(r"\1", CODE.sub(CODE_WORD, paragraph))
        plain = ABBREVIATION.sub(r"\1", plain)
        yield from (sentence for sentence in END.split(plain) if words(sentence))


def words(sentence: str) -> int:
    """Return the number of words in a sentence."""
    return sum(any(letter.isalnum() for letter in word) for word in sentence.split())


def summary(text: str) -> tuple[int, float, float]:
    """Return the number of sentences, the median of their words, and the share with more than 25 words."""
    lengths = [words(sentence) for sentence in sentences(text)]
    if not lengths:
        return 0, 0.0, 0.0
    return len(lengths), statistics.median(lengths), sum(length > LONG for length in lengths) / len(lengths)


def main(names: list[str]) -> None:
    """Print one line for each file, and each long sentence if ``--long`` is given."""
    shows_long = "--long" in names
    print(f"{'file':<28}{'sentences':>10}{'median':>8}{'over 25':>9}")
    for name in (name for name in names if name != "--long"):
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        count, median, share = summary(text)
        print(f"{name:<28}{count:>10}{median:>8g}{share:>9.0%}")
        for sentence in sentences(text) if shows_long else ():
            if words(sentence) > LONG:
                print(f"  {words(sentence):>3}  {sentence.replace(CODE_WORD, '`…`')}")


if __name__ == "__main__":
    main(sys.argv[1:])
