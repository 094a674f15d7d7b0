"""A version on trial beside the one that is served, while requests come."""

import json
import math
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from export.manifest import Branch
from serving.models import trials
from serving.models.exclusive import swapping
from serving.models.inventory import entries
from serving.models.swap import Repository
from serving.trial import CANDIDATES, Trial, read_trial
from tests.e2e.served import Served, expected, readme_commands, shell
from tests.e2e.swapping import TEXTS, load
from tests.recordings import wav
from tests.serving.test_models import publish_garbage

pytestmark = pytest.mark.usefixtures("toys")

ASKED = 400
SHARE = 0.25
TRY_FOREVER = """
import sys
from pathlib import Path
from serving.models import trials
from serving.models.exclusive import swapping
from serving.models.swap import Repository
from serving.models.synchronized import synchronizer
from serving.models.triton import SwappedTriton
from serving.trial import Trial

folder, address, key = sys.argv[1:]
with SwappedTriton(address, key) as triton:
    repository = Repository(Path(folder), [triton], synchronizer(None), print)
    with swapping(repository.folder):
        while True:
            trials.begin(repository, Trial("text", 2, "canary", 50.0))
            print("begun", flush=True)
            trials.end(repository, "text")
"""


@pytest.fixture
def repository(served: Served) -> Iterator[Repository]:
    """The running system's; what a test leaves on trial ends."""
    with served.repository() as one:
        yield one
    if trial := read_trial(served.folder):
        with served.repository() as one:  # not the one above: a test may have started it anew
            trials.end(one, trial.branch)
        served.wait_for_trial()


def failed(served: Served) -> float:
    text = httpx.get(f"{served.url}/metrics", timeout=60).text
    labels = {"track": "canary", "outcome": "failed"}
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return sum(
        one.value
        for one in samples
        if one.name == "neurosense_trial_results_total" and one.labels == labels
    )


def both(served: Served, **headers: str) -> Any:
    """Return the answer for a text and a recording."""
    files = {"audio": wav()}
    url = f"{served.url}/analyze/multimodal"
    answer = httpx.post(url, data={"text": TEXTS[0]}, files=files, headers=headers, timeout=60)
    answer.raise_for_status()
    return answer.json()


def versions(answer: Any) -> dict[Branch, str]:
    return {branch: model["version"] for branch, model in answer["models"].items()}


def test_the_share_of_a_canary_is_what_was_asked_for(
    served: Served, repository: Repository
) -> None:
    trials.begin(repository, Trial("text", 2, "canary", SHARE * 100))
    served.wait_for_trial(branch="text", version="2", kind="canary", percent=SHARE * 100)
    answers = expected(repository)
    with ThreadPoolExecutor(4) as pool, httpx.Client(base_url=served.url, timeout=60) as client:

        def ask(number: int) -> Any:
            text = TEXTS[number % len(TEXTS)]
            answer = client.post("/analyze/text", data={"text": text}).json()
            scores = answer["all_scores"]
            wanted = answers[answer["models"]["text"]["version"], text]
            assert sorted(scores.values()) == pytest.approx(
                sorted(p for p in wanted.tolist() if p), abs=2e-3
            )
            return answer

        found = list(pool.map(ask, range(ASKED)))
    tracks = Counter(
        (one["models"]["text"]["version"], one.get("track", "current")) for one in found
    )
    assert set(tracks) == {("1", "current"), ("2", "canary")}
    error = 5 * math.sqrt(ASKED * SHARE * (1 - SHARE))  # by chance once in 2 million runs
    assert abs(tracks["2", "canary"] - ASKED * SHARE) < error
    rows = served.rows()
    for one in found:
        assert rows[one["id"]]["track"] == one.get("track", "current")
        assert rows[one["id"]]["models"] == one["models"]


def test_trials_begin_change_and_end_under_load_and_fail_no_request(
    served: Served, repository: Repository
) -> None:
    before = failed(served)
    with repository.beside("text", 2):
        answers = expected(repository)
    with load(served.url, wav(), answers) as running, swapping(served.folder):
        for percent in (30, 100):
            trials.begin(repository, Trial("text", 2, "canary", percent))
            served.wait_for_trial(branch="text", version="2", kind="canary", percent=percent)
            running.meet("2")
        trials.end(repository, "text")
        assert served.steps() == {"text_classifier/1", "text_tokenizer/1"}
        served.wait_for_trial()
        running.meet("1")
    assert running.wrong == []
    assert set(running.versions) == {"1", "2"}
    assert failed(served) == before
    assert not any((served.folder / name).exists() for name in CANDIDATES)
    rows = served.rows()
    tracks = {version: "canary" if version == "2" else "current" for version in ("1", "2")}
    for row, version in running.rows.items():
        assert (rows[row]["models"]["text"]["version"], rows[row]["track"]) == (
            version, tracks[version],
        )  # fmt: skip


def test_a_promotion_ends_the_canary_and_one_of_the_other_branch_does_not(
    served: Served, repository: Repository
) -> None:
    with swapping(served.folder):
        trials.begin(repository, Trial("text", 2, "canary", 0))
        served.wait_for_trial(branch="text", version="2", kind="canary", percent=0)
        assert versions(both(served)) == {"text": "1", "audio": "1"}
        assert versions(both(served, **{"X-Model-Track": "canary"})) == {"text": "2", "audio": "1"}
        with repository.beside("audio", 2):
            repository.promote("audio", 2)
            chosen = both(served, **{"X-Model-Track": "canary"})
            assert (versions(chosen), chosen["track"]) == ({"text": "2", "audio": "2"}, "canary")
            assert versions(both(served)) == {"text": "1", "audio": "2"}
            repository.promote("audio", 1)
        with repository.beside("text", 2):
            repository.promote("text", 2)
            served.wait_for_trial()
            assert not any((served.folder / name).exists() for name in CANDIDATES)
            assert versions(both(served)) == {"text": "2", "audio": "1"}
            repository.promote("text", 1)
    assert served.steps() == {"text_classifier/1", "text_tokenizer/1"}


def test_a_candidate_that_is_away_costs_nobody_an_answer(
    served: Served, repository: Repository
) -> None:
    trials.begin(repository, Trial("text", 2, "canary", 100))
    served.wait_for_trial(branch="text", version="2", kind="canary", percent=100)
    before = failed(served)
    repository.tritons[0].unload("emotion_multimodal_candidate")
    answer = both(served)
    assert (versions(answer), answer["degraded"]) == ({"text": "1", "audio": "1"}, None)
    assert "track" not in answer
    assert failed(served) == before + 1


@pytest.mark.slow  # a whole start
def test_the_commands_of_the_readme_and_a_start_goes_on_with_a_shadow(
    served: Served, toys: Any, repository: Repository
) -> None:
    begun, *_, stopped = readme_commands("TRIAL")
    shell(begun, toys, served)
    served.wait_for_trial(branch="text", version="2", kind="canary", percent=10)
    shell(stopped, toys, served)
    told = json.loads(served.models("shadow", "audio", "2", "--json"))
    assert (told["action"], told["branch"], told["percent"]) == ("shadow", "audio", 100)
    served.restart()
    served.wait_for_trial(branch="audio", version="2", kind="shadow", percent=100)
    with served.repository() as anew:
        states = {
            (e.branch, e.version): (e.state, e.loaded) for e in entries(served.folder, anew.tritons)
        }
    assert states["audio", 2] == ("shadow 100%", True)
    given = both(served)
    assert versions(given) == {"text": "1", "audio": "1"}
    shadows = shadows_of(served, given["id"])
    assert [one["models"]["audio"]["name"] for one in shadows] == ["toy-audio"]
    assert shadows[0]["all_scores"] != given["all_scores"]
    counts = httpx.get(f"{served.url}/stats", params={"track": "shadow"}, timeout=60).json()
    assert counts["models"]["audio toy-audio 2 (local)"] == counts["total"] == 1


def shadows_of(served: Served, given: str) -> list[dict[str, Any]]:
    deadline_s = time.monotonic() + 60
    while True:
        found = [row for row in served.rows().values() if str(row["shadow_of"]) == given]
        if found or time.monotonic() > deadline_s:
            return found
        time.sleep(0.05)


def test_a_kill_at_any_moment_hurts_nobody_and_the_next_command_finishes(
    served: Served, repository: Repository
) -> None:
    command = [sys.executable, "-c", TRY_FOREVER, str(served.folder), served.address, served.key]
    for number in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as trier:
            assert trier.stdout
            trier.stdout.readline()
            time.sleep(0.02 * number)  # not waited for: just another moment each time
            trier.send_signal(signal.SIGKILL)
        answer = both(served)
        assert (answer["degraded"], versions(answer)["audio"]) == (None, "1")
    with swapping(served.folder):
        trials.begin(repository, Trial("text", 2, "canary", 100))
        served.wait_for_trial(branch="text", version="2", kind="canary", percent=100)
        assert versions(both(served)) == {"text": "2", "audio": "1"}
        trials.end(repository, "text")
    assert served.steps() == {"text_classifier/1", "text_tokenizer/1"}
    assert not any((served.folder / name).exists() for name in CANDIDATES)
    served.wait_for_trial()


def test_a_candidate_that_triton_cannot_load_is_no_trial(served: Served) -> None:
    version = publish_garbage(served.folder, "fp32")
    assert "model.onnx" in served.models("canary", "audio", str(version), fails=True)
    assert served.trial() is None
    assert versions(both(served)) == {"text": "1", "audio": "1"}
    served.models("remove", "audio", str(version))
