"""Readers for corpora as they are published, each with its label folding stated."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from evaluation.errors import EvaluationError
from evaluation.items import Dataset
from evaluation.layouts import crema_d, emo_db, goemotions, iemocap, meld, ravdess
from evaluation.manifests import read_manifest

Layout = Literal["manifest", "meld", "iemocap", "ravdess", "crema-d", "emo-db", "goemotions"]

_READERS: dict[str, Callable[[Path], Dataset]] = {
    "manifest": read_manifest,
    "meld": meld.read,
    "iemocap": iemocap.read,
    "ravdess": ravdess.read,
    "crema-d": crema_d.read,
    "emo-db": emo_db.read,
    "goemotions": goemotions.read,
}


def read(path: Path, layout: Layout | None = None) -> Dataset:
    """Read a corpus's folder, or a manifest.

    Raises:
        EvaluationError: it is not there, or not what the layout says.
    """
    if not path.exists():
        raise EvaluationError(f"{path} is not there")
    if layout is None and path.is_dir():
        folders = ", ".join(name for name in get_args(Layout) if name != "manifest")
        raise EvaluationError(f"{path} is a folder: say whose layout it has, --layout {folders}")
    layout = layout or "manifest"
    if (layout == "manifest") != path.is_file():
        wanted = "a CSV or JSON Lines file" if layout == "manifest" else "the corpus's folder"
        raise EvaluationError(f"{path}: --layout {layout} reads {wanted}")
    data = _READERS[layout](path)
    if not data.items:
        raise EvaluationError(f"{path} holds nothing in the layout of {layout}")
    return data
