"""Makes the recordings of this folder and their transcripts: `.venv/bin/python samples/make.py`.

The speech is synthesised, so that nobody's voice is in the project. It needs the program
espeak-ng (Debian, Ubuntu: apt install espeak-ng); 1.51 made the files that are here.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

FOLDER = Path(__file__).parent
RATE_HZ = 16_000
PAUSE_S = 0.7
_QUIET = 0.01  # of full scale; what espeak-ng leaves around the words is below it

Samples = npt.NDArray[np.float32]


class Manner(NamedTuple):
    """How something is said: words per minute, and espeak-ng's 0 to 99 for pitch, to 200 loud."""

    speed: int
    pitch: int
    loudness: int


CALM = Manner(165, 45, 90)
ANGRY = Manner(195, 65, 150)
AFRAID = Manner(205, 75, 90)
SAD = Manner(130, 30, 70)
HAPPY = Manner(185, 80, 140)

SENTENCES = {
    "birthday": ("en-us+f3", HAPPY, "I can't believe you remembered my birthday! Thank you!"),
    "noise": ("en-gb+m3", ANGRY, "I am furious. This noise has gone on all night again!"),
    "letter": ("en-gb-scotland+f2", SAD, "I read her letter again and cried. I miss her so much."),
}
"""Each file's voice, manner and words."""

VOICES = {"Ann": "en-gb+f3", "Ben": "en-us+m3"}

CONVERSATION = [
    ("Ann", CALM, "Good morning, parcel service. My name is Ann. How can I help you?"),
    ("Ben", CALM, "Hello. I am calling about a parcel that should be here since Monday."),
    ("Ann", CALM, "Let me look. It left the depot on Friday, and it has not been scanned since."),
    ("Ben", ANGRY, "That is what they told me yesterday! This is the third time that I call!"),
    ("Ben", ANGRY, "I am furious. Nobody ever calls back, and nobody cares!"),
    ("Ann", SAD, "I am so sorry. That should never have happened."),
    ("Ben", AFRAID, "My daughter's wedding dress is in it. I am so scared that it is lost."),
    ("Ben", SAD, "She sewed it with her grandmother, who died this spring. It can't be replaced."),
    ("Ann", CALM, "I understand. Please stay on the line while I call the driver."),
    ("Ann", CALM, "Thank you for waiting. The driver has looked through his van."),
    ("Ann", HAPPY, "And guess what: he has found it! It was behind the seat all the time!"),
    ("Ben", HAPPY, "No! Really? I can't believe it! Oh, that is wonderful!"),
    ("Ann", HAPPY, "He will be with you before noon today."),
    ("Ben", HAPPY, "Thank you so much, Ann. You have made my daughter very happy!"),
    ("Ann", CALM, "It was a pleasure. Have a lovely wedding. Goodbye."),
]
"""Who says what, and how."""


def spoken(voice: str, manner: Manner, words: str) -> Samples:
    """Return espeak-ng's speech [n] at RATE_HZ, without the silence around it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "said.wav"
        options = ["-v", voice, "-s", manner.speed, "-p", manner.pitch, "-a", manner.loudness]
        command = ["espeak-ng", *map(str, options), "-w", str(file), words]
        subprocess.run(command, check=True)
        samples, rate_hz = soundfile.read(file, dtype="float32")
    loud = np.flatnonzero(np.abs(samples) > _QUIET)
    said: Samples = soxr.resample(samples[loud[0] : loud[-1] + 1], rate_hz, RATE_HZ)
    return said


def conversation() -> Iterator[tuple[str, str, Samples]]:
    """Yield who speaks, the words, and the speech [n]."""
    for speaker, manner, words in CONVERSATION:
        yield speaker, words, spoken(VOICES[speaker], manner, words)


def write(name: str, samples: Samples) -> None:
    """Write a FLAC of samples [n]; a peak above full scale must not wrap around."""
    soundfile.write(FOLDER / f"{name}.flac", np.clip(samples, -1, 1), RATE_HZ, subtype="PCM_16")


def write_conversation() -> None:
    """Write the conversation and, as WebVTT, who says what from when until when."""
    pause = np.zeros(round(PAUSE_S * RATE_HZ), np.float32)
    pieces, cues, at_s = [pause], ["WEBVTT"], PAUSE_S
    for speaker, words, samples in conversation():
        end_s = at_s + len(samples) / RATE_HZ
        cues.append(f"{clock(at_s)} --> {clock(end_s)}\n<v {speaker}>{words}")
        pieces += [samples, pause]
        at_s = end_s + PAUSE_S
    write("conversation", np.concatenate(pieces))
    (FOLDER / "conversation.vtt").write_text("\n\n".join(cues) + "\n", encoding="utf-8")


def clock(time_s: float) -> str:
    """Return a time as WebVTT writes it."""
    minutes, seconds = divmod(round(time_s, 3), 60)
    return f"{int(minutes):02}:{seconds:06.3f}"


def main() -> None:
    """Write all files anew."""
    for name, (voice, manner, words) in SENTENCES.items():
        write(name, spoken(voice, manner, words))
        (FOLDER / f"{name}.txt").write_text(words + "\n", encoding="utf-8")
    write_conversation()


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(f"{error.filename} is missing. Debian, Ubuntu: apt install espeak-ng")
