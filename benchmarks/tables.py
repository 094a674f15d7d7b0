"""Markdown tables that are also legible as plain text."""

from collections.abc import Sequence


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Return a table with aligned columns: the first `words` to the left, figures to the right."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    rule = [
        "-" * (width + 2) if number < words else "-" * (width + 1) + ":"
        for number, width in enumerate(widths)
    ]
    head, *body = [_line(row, widths, words) for row in (columns, *rows)]
    return "\n".join([head, f"|{'|'.join(rule)}|", *body])


def _line(row: Sequence[str], widths: Sequence[int], words: int) -> str:
    cells = [
        cell.ljust(width) if number < words else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return f"| {' | '.join(cells)} |"
