"""Checkpoints from the Hugging Face hub (or a mirror: HF_ENDPOINT), kept in its cache (HF_HOME)."""

import json
import queue
import re
import threading
from contextlib import suppress
from pathlib import Path

import requests
from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.utils.tqdm import disable_progress_bars

from export.errors import ExportError
from export.hub_errors import explain, is_network
from export.hub_progress import watched
from export.progress import Progress

_SMALL_FILES = {
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
}
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there
_API_TIMEOUT_S = 30.0
_TRIES = 5


def reachable(timeout_s: float = 10) -> str | None:
    """Return None if the hub answers, else why it does not, after `timeout_s` at most.

    A thread asks, because a hanging name lookup heeds no time limit of its own.
    """
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    answer: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: answer.put(_probe(timeout_s)), daemon=True).start()
    try:
        return answer.get(timeout=timeout_s)
    except queue.Empty:
        return f"{constants.ENDPOINT} did not answer within {timeout_s:g} s"


def _probe(timeout_s: float) -> str | None:
    try:
        response = requests.head(constants.ENDPOINT, timeout=timeout_s)
    except requests.RequestException as error:
        return f"{constants.ENDPOINT} cannot be reached ({type(error).__name__})"
    if response.status_code in (403, 407) or response.status_code >= 500:
        return f"{constants.ENDPOINT} answers with status {response.status_code}"
    return None


def cached(source: str, revision: str | None) -> Path | None:
    """Return the folder of a checkpoint downloaded before, None unless it is complete.

    Raises:
        ExportError: `source` has not the form of an id.
    """
    try:
        config = try_to_load_from_cache(source, "config.json", revision=revision)
    except ValueError as error:
        raise ExportError(explain(error, source, revision)) from error
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if any(_has_weights(folder, name) for name in _WEIGHTS) else None


def _has_weights(folder: Path, name: str) -> bool:
    index = folder / f"{name}.index.json"
    if not index.is_file():
        return (folder / name).is_file()
    return all((folder / shard).is_file() for shard in _shards(index))


def _shards(index: Path) -> list[str]:
    return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))


def fetch(source: str, revision: str | None, progress: Progress) -> Path:
    """Return the folder of a checkpoint, downloading what is missing of it.

    A pinned revision (a commit) that is already there needs no network. An interrupted
    download goes on where it stopped.

    Raises:
        ExportError: it cannot be had; the message says why and what to do.
    """
    folder = cached(source, revision)
    if folder and re.fullmatch("[0-9a-f]{40}", revision or ""):
        progress(f"{source} is already downloaded")
        return folder
    try:
        return _download(source, revision, progress)
    except ExportError:
        raise
    except (OSError, RuntimeError) as error:
        if folder is None or not is_network(error):
            raise ExportError(explain(error, source, revision)) from error
        progress(f"{constants.ENDPOINT} cannot be reached: using {source} as downloaded before")
        return folder


def _download(source: str, revision: str | None, progress: Progress) -> Path:
    """Fetch the small files, then the weights, so that weights mean a complete folder."""
    info = HfApi().model_info(
        source, revision=revision, timeout=_API_TIMEOUT_S, files_metadata=True
    )
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
    index, single = _weight_file(source, set(sizes))
    disable_progress_bars()  # ours goes to `progress`
    for name in sorted(_SMALL_FILES & set(sizes)):
        _get(source, name, info.sha)
    names = [single] if single else _shards(_get(source, index, info.sha))
    for name in names:
        with watched(source, name, sizes.get(name, 0), progress):
            file = _get(source, name, info.sha)
    if revision != info.sha:  # remember which commit a branch or tag meant
        _get(source, "config.json", revision)
    return file.parent


def _get(source: str, name: str, revision: str | None) -> Path:
    """Download a file; a transfer that was cut off goes on from what has arrived."""
    for _ in range(_TRIES - 1):
        with suppress(requests.exceptions.ChunkedEncodingError):
            return Path(hf_hub_download(source, name, revision=revision))
    return Path(hf_hub_download(source, name, revision=revision))


def _weight_file(source: str, files: set[str]) -> tuple[str, str]:
    """Return the name of the weights: (index of shards, "") or ("", single file)."""
    if "config.json" not in files:
        raise ExportError(f"{source} holds no config.json: it is no Transformers checkpoint")
    for name in _WEIGHTS:
        if name in files:
            return "", name
        if f"{name}.index.json" in files:
            return f"{name}.index.json", ""
    raise ExportError(
        f"{source} holds no PyTorch weights ({' or '.join(_WEIGHTS)}): choose one that does"
    )
