"""Says how far a download is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.progress import Progress, repeated


@contextmanager
def watched(source: str, name: str, size_bytes: int, progress: Progress) -> Iterator[None]:
    """While inside, tell `progress` every two seconds how much of the file has arrived."""
    from huggingface_hub import constants  # slow to load: only who downloads waits for it
    from huggingface_hub.file_download import repo_folder_name

    blobs = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=source, repo_type="model")
    total = f" of {size_bytes / 1e6:.0f} MB" if size_bytes else " MB"

    def report() -> None:
        progress(f"downloading {source} {name}: {_arrived(blobs) / 1e6:.0f}{total}")

    report()
    with repeated(report):
        yield


def _arrived(repository: Path) -> int:
    """Return the bytes of the files that are not complete yet."""
    return sum(file.stat().st_size for file in repository.glob("blobs/*.incomplete"))
