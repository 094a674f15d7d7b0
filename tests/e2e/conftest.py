"""One running system for the tests that swap versions and try them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from export.run import export_checkpoint
from tests.conftest import stack_environment, start_serve, stop_serve
from tests.e2e.served import LABELS, Served, golden, readme_commands, shell
from tests.export.checkpoints import audio_checkpoint, text_checkpoint


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("swapped")
    environment = stack_environment(folder / "state", NEUROSENSE_PRECISION="fp32")
    one = Served(environment, start_serve(environment, folder / "log"), folder / "log")
    yield one
    stop_serve(one.process)


@pytest.fixture(scope="package")
def toys(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish version 2 of both: text with another tokenizer, by the README; other audio labels."""
    folder = tmp_path_factory.mktemp("toys")
    golden(folder, text_checkpoint(folder / "xlm-roberta-emotions", "xlm-roberta", LABELS))
    shell(readme_commands("SWAP")[0], folder, served)
    audio = audio_checkpoint(folder / "toy-audio", labels=["fear", "sur", "neu"])
    export_checkpoint(
        "audio", str(audio), None, served.folder, weights="local", precision="fp32",
        progress=lambda _: None,
    )  # fmt: skip
    return folder
