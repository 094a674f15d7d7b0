"""The hub's path end to end, against a small server that speaks its protocol."""

import json
import os
from pathlib import Path

from serving.ports import free_ports
from tests.export.hub_client import FETCH, fetch, run
from tests.export.hub_server import COMMIT, NAME, Hub

LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))" + FETCH
PUBLISH = """
import sys
from pathlib import Path
from export.run import export_checkpoint
manifest = export_checkpoint("text", sys.argv[1], None, Path(sys.argv[2]), weights="hub",
                             precision="fp32", progress=lambda line: print(line, file=sys.stderr))
print(manifest.to_json())
"""


def test_only_what_is_needed_is_downloaded(hub: Hub, bert: Path, tmp_path: Path) -> None:
    answer = fetch(NAME, COMMIT, tmp_path / "home", hub.url)
    folder = Path(answer["folder"])
    assert {file.name for file in folder.iterdir()} == {file.name for file in bert.iterdir()}
    for file in bert.iterdir():
        assert (folder / file.name).read_bytes() == file.read_bytes()
    assert any("model.safetensors" in line and "MB" in line for line in answer["lines"])


def test_second_fetch_needs_no_hub(hub: Hub, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = fetch(NAME, "", home, hub.url)
    hub.requests.clear()
    pinned = fetch(NAME, COMMIT, home, hub.url)
    assert (pinned["folder"], hub.requests) == (first["folder"], [])
    gone = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert fetch(NAME, COMMIT, home, gone)["folder"] == first["folder"]
    unpinned = fetch(NAME, "", home, gone)
    assert unpinned["folder"] == first["folder"]
    assert "cannot be reached" in unpinned["lines"][-1]


def test_cut_connection_is_resumed(hub: Hub, tmp_path: Path) -> None:
    mib = 2**20
    content = os.urandom(25 * mib)
    (hub.folder / NAME / "model.safetensors").write_bytes(content)
    hub.cut_after_bytes = 15 * mib
    answer = fetch(NAME, COMMIT, tmp_path / "home", hub.url)
    assert hub.ranges == [f"bytes={10 * mib}-"]  # the library keeps blocks of 10 MiB
    assert (Path(answer["folder"]) / "model.safetensors").read_bytes() == content


def test_killed_download_is_resumed(hub: Hub, bert: Path, tmp_path: Path) -> None:
    """What an interrupted process leaves is a partial file in the cache; the rest is fetched."""
    home = tmp_path / "home"
    fetch(NAME, COMMIT, home, hub.url)
    snapshot = home / "hub/models--someone--bert-emotion/snapshots" / COMMIT
    blob = (snapshot / "model.safetensors").resolve()
    (snapshot / "model.safetensors").unlink()
    content = blob.read_bytes()
    blob.with_suffix(".incomplete").write_bytes(content[:5000])
    blob.unlink()
    folder = Path(fetch(NAME, COMMIT, home, hub.url)["folder"])
    assert hub.ranges == ["bytes=5000-"]
    assert (folder / "model.safetensors").read_bytes() == content


def test_older_weights_will_do(hub: Hub, tmp_path: Path) -> None:
    weights = hub.folder / NAME / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    folder = Path(fetch(NAME, COMMIT, tmp_path / "home", hub.url)["folder"])
    assert (folder / "pytorch_model.bin").is_file()


def test_sharded_weights_are_all_fetched(hub: Hub, tmp_path: Path) -> None:
    folder = hub.folder / NAME
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").unlink()
    (folder / "part-1.safetensors").write_bytes(content[:100])
    (folder / "part-2.safetensors").write_bytes(content[100:])
    index = {"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    fetched = Path(fetch(NAME, COMMIT, tmp_path / "home", hub.url)["folder"])
    assert {file.name for file in fetched.glob("*.safetensors")} == {
        "part-1.safetensors",
        "part-2.safetensors",
    }


def test_errors_name_the_way_out(hub: Hub, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "no model 'someone/else'" in fetch("someone/else", "", home, hub.url)["error"]
    assert "no revision 'v9'" in fetch(NAME, "v9", home, hub.url)["error"]
    assert "neither a folder" in fetch("./no such folder", "", home, hub.url)["error"]
    (hub.folder / NAME / "model.safetensors").unlink()
    assert "no PyTorch weights" in fetch(NAME, "", home, hub.url)["error"]
    hub.gated.add(NAME)
    assert "HF_TOKEN" in fetch(NAME, "", home, hub.url)["error"]


def test_no_network(tmp_path: Path) -> None:
    gone = f"http://127.0.0.1:{free_ports(1)[0]}"
    error = fetch(NAME, COMMIT, tmp_path / "home", gone)["error"]
    assert gone in error
    assert "HF_ENDPOINT" in error
    assert "NEUROSENSE_WEIGHTS=starter" in error


def test_full_disk_is_named(hub: Hub, tmp_path: Path) -> None:
    home = tmp_path / "home"
    error = json.loads(run(LIMITED, NAME, COMMIT, home=home, endpoint=hub.url))["error"]
    assert "no room left" in error
    assert "HF_HOME" in error
    assert Path(fetch(NAME, COMMIT, home, hub.url)["folder"]).is_dir()  # with room, it goes on


def test_hub_checkpoint_is_published(hub: Hub, tmp_path: Path) -> None:
    arguments = [NAME, str(tmp_path / "repository")]
    manifest = json.loads(run(PUBLISH, *arguments, home=tmp_path / "home", endpoint=hub.url))
    assert (manifest["name"], manifest["revision"]) == (NAME, COMMIT)
    assert manifest["weights"] == "hub"
    assert (tmp_path / "repository/text_classifier/1/model.onnx").is_file()
