"""Publishes a version that was exported elsewhere: into another repository, on another machine."""

import shutil
from pathlib import Path

from export.errors import ExportError
from export.manifest import FILE_NAME, Branch, Manifest
from export.publish import staged
from export.versions import MODELS, intact


def is_exported(folder: Path) -> bool:
    """Whether a folder is a classifier's version folder, such as `models/text_classifier/3`."""
    return folder.name.isdecimal() and (folder / FILE_NAME).is_file()


def publish_copy(folder: Path, branch: Branch, repository: Path) -> Manifest:
    """Publish the version whose classifier lies in `folder`, under the next number here.

    Raises:
        ExportError: it is damaged, or of another branch; nothing was published.
    """
    source, version = folder.resolve().parents[1], int(folder.name)
    if folder.resolve().parent.name != MODELS[branch][-1]:
        raise ExportError(f"{folder} is no version of {branch}: name …/{MODELS[branch][-1]}/N")
    manifest = intact(source, branch, version)
    with staged(repository, branch) as stage:
        for name in manifest.files:
            model, _, file = name.partition("/")
            shutil.copyfile(source / model / str(version) / file, stage.folder(model) / file)
        return stage.commit(manifest)
