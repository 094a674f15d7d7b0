"""Small pieces of HTML: tables, numbers with intervals."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff }
table { border-collapse: collapse; margin: .6rem 0 }
th, td { padding: .15rem .6rem; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
caption { text-align: left; color: #444; padding: .2rem 0 }
.plots { display: flex; flex-wrap: wrap; gap: 1rem }
svg { max-width: 100%; height: auto }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """Return a whole page that needs no other file."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; cells are text."""
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><caption>{escape(caption)}</caption>\n<tr>{names}</tr>\n{body}</table>"


def confusion(emotions: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Return the counts, truth in rows, darker where more of a row went."""
    used = [i for i, row in enumerate(counts) if sum(row) or any(r[i] for r in counts)]
    names = "".join(f'<th scope="col">{emotions[i]}</th>' for i in used)
    lines = [
        f'<tr><th scope="row">{emotions[i]}</th>{_shaded([counts[i][j] for j in used])}</tr>'
        for i in used
        if sum(counts[i])
    ]
    caption = "<caption>Confusion: truth in rows, answers in columns</caption>"
    return f"<table>{caption}<tr><th></th>{names}</tr>{''.join(lines)}</table>"


def _shaded(row: Sequence[int]) -> str:
    shares = [count / sum(row) for count in row]
    return "".join(
        f'<td style="background: rgba(0, 114, 178, {0.6 * share:.2f})">{count}</td>'
        for count, share in zip(row, shares, strict=True)
    )


def spread(measure: dict[str, Any]) -> str:
    """Return a value with its 95 % interval."""
    low, high = measure["interval"]
    return f"{measure['value']:.3f} ({low:.3f} to {high:.3f})"
