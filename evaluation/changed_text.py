"""What people do to sentences: typos, capitals, emoji.

Each change takes a sentence and a random generator, and returns a sentence.
"""

import random
import re
from collections.abc import Callable

Change = Callable[[str, random.Random], str]

NEGATION = re.compile(r"\b(not|no|never|nothing|nobody|none|cannot|without|\w+n['\u2019]t)\b", re.I)
"""What most often turns a sentence's sense around."""

_EMOJI = "😂🙄❤🔥👀💀🤷✨"
_WORD = re.compile(r"[A-Za-z]{4,}")


def _with_typos(text: str, draw: random.Random) -> str:
    """Swap two neighbouring letters inside every fifth longer word, and of one at least."""
    words = list(_WORD.finditer(text))
    for word in draw.sample(words, min(len(words), 1 + len(words) // 5)):
        place = draw.randrange(word.start() + 1, word.end() - 1)
        text = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    return text


def _with_an_emoji(text: str, draw: random.Random) -> str:
    return f"{text} {draw.choice(_EMOJI)}"


CHANGES: dict[str, Change] = {
    "typos": _with_typos,
    "ALL CAPITALS": lambda text, _: text.upper(),
    "no capitals": lambda text, _: text.lower(),
    "no punctuation": lambda text, _: re.sub(r"[^\w\s]", "", text) or text,
    "a random emoji at the end": _with_an_emoji,
}
"""By the name that reports give them. None changes what is felt."""


def change(text: str, name: str) -> str:
    """Return the sentence, changed; what is drawn depends on it alone."""
    return CHANGES[name](text, random.Random(text))  # noqa: S311  nothing to guess
