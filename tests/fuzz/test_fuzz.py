"""The short form of `make fuzz`: the same inputs every time."""

import random
from pathlib import Path

from tests.fuzz import seeds
from tests.fuzz.__main__ import run
from tests.fuzz.fuzzing import Report, fuzz
from tests.fuzz.mutations import MAX_BYTES, mutated
from tests.fuzz.targets import audio_target

COUNT = 4_800


def test_whatever_comes_ends_in_samples_or_an_input_error(tmp_path: Path) -> None:
    report = run(COUNT, "suite", tmp_path, lambda _: None)
    assert report.failures == []
    assert sum(report.outcomes.values()) >= 0.99 * COUNT
    assert report.crashes == []
    for outcome in ("audio: samples", "audio: audio_undecodable", "text: tokens",
                    "multipart/form-data: read", "application/json: read"):  # fmt: skip
        assert report.outcomes[outcome] >= 5


def test_every_seed_is_decoded_unchanged(tmp_path: Path) -> None:
    with audio_target(Report(), tmp_path) as decode:
        found = {name: decode(recording) for name, recording in seeds.recordings().items()}
    assert set(found.values()) == {"samples"}, found


def test_a_seed_repeats_its_inputs() -> None:
    starts = list(seeds.recordings().values())
    first, second, other = (
        [mutated(starts, rng) for _ in range(50)]
        for rng in (random.Random(1), random.Random(1), random.Random(2))
    )
    assert first == second
    assert first != other
    assert max(map(len, first)) <= MAX_BYTES


def test_what_goes_wrong_is_kept_and_named(tmp_path: Path) -> None:
    def broken(data: bytes) -> str:
        raise ZeroDivisionError(len(data))

    report = Report()
    assert list(fuzz("broken", broken, [b"seed"], "s", 3, report, tmp_path)) == [1, 2, 3]
    assert len(report.failures) == 3
    for failure in report.failures:
        assert Path(failure.rpartition(" ")[2]).is_file()
