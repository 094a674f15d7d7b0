"""RAVDESS clips for training: reading, the split by actor, acoustic targets.

Everything here is 16 kHz mono float32; a batch of clips is [batch, samples].
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

RATE = 16000
WINDOW, HOP = 400, 320  # samples; what one output frame of the published convolutions sees
MELS = 40
TARGETS = MELS + 2  # log-mel bands, voicing, pitch
CLASSES = ["neu", "hap", "ang", "sad"]
# "calm" is counted as neutral: RAVDESS records it as a second baseline beside neutral.
FOLD = {"neutral": "neu", "calm": "neu", "joy": "hap", "anger": "ang", "sadness": "sad"}
FEELINGS = ["neutral", "calm", "joy", "sadness", "anger", "fear", "disgust", "surprise"]
# Odd actors are men, even ones women, so both splits are balanced.
TEST_ACTORS = frozenset({21, 22, 23, 24})
DEV_ACTORS = frozenset({17, 18, 19, 20})


@dataclass(frozen=True)
class Clip:
    """One recording: ``samples`` [n], its actor, its RAVDESS feeling, its class or -1."""

    samples: Any
    actor: int
    feeling: int
    label: int


def read_clips(folder: Path) -> list[Clip]:
    """Read every clip that ``manifest.csv`` lists."""
    clips = []
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            samples, rate = soundfile.read(folder / row["path"], dtype="float32")
            if rate != RATE:
                raise SystemExit(f"{row['path']}: {rate} Hz, want {RATE}")
            fold = FOLD.get(row["label"])
            label = -1 if fold is None else CLASSES.index(fold)
            feeling = FEELINGS.index(row["label"])
            clips.append(Clip(torch.from_numpy(samples), int(row["speaker"]), feeling, label))
    return clips


def split(clips: list[Clip]) -> dict[str, list[Clip]]:
    """Clips by actor: ``train``, ``dev``, ``test``; dev and test only those of the four classes."""
    parts: dict[str, list[Clip]] = {"train": [], "dev": [], "test": []}
    for clip in clips:
        held = {clip.actor in TEST_ACTORS: "test", clip.actor in DEV_ACTORS: "dev"}.get(True)
        if held is None:
            parts["train"].append(clip)
        elif clip.label >= 0:
            parts[held].append(clip)
    return parts


def normalize(batch: Any) -> Any:
    """Zero mean and unit variance per clip, as Wav2Vec2FeatureExtractor does."""
    centred = batch - batch.mean(dim=-1, keepdim=True)
    return centred / (centred.pow(2).mean(dim=-1, keepdim=True) + 1e-7).sqrt()


def mel_matrix(bins: int) -> Any:
    """Triangular mel filters [bins, MELS] over 0 to 8 kHz."""
    top = 2595 * math.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, MELS + 2) / 2595) - 1)
    hertz = np.linspace(0, RATE / 2, bins)[:, None]
    rise = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return torch.from_numpy(np.maximum(0, np.minimum(rise, fall)).astype(np.float32))


def acoustics(batch: Any) -> Any:
    """What the network learns to hear first [batch, frames, TARGETS], each about -2 to 2.

    Log-mel energies; voicing, the height of the autocorrelation's peak between 70 and 500 Hz; and
    pitch, that peak's place in octaves from 200 Hz, 0 where there is no voice.
    """
    frames = batch.unfold(-1, WINDOW, HOP)
    power = torch.fft.rfft(frames * torch.hann_window(WINDOW), 512).abs().pow(2)
    mel = ((power @ mel_matrix(257)) + 1e-2).log() / 3
    spectrum = torch.fft.rfft(frames - frames.mean(dim=-1, keepdim=True), 1024).abs().pow(2)
    correlation = torch.fft.irfft(spectrum)[..., :230]
    lags = torch.arange(230)
    # A shifted frame overlaps itself less (divide), yet of two equal peaks the earlier is right.
    fair = correlation / (correlation[..., :1] + 1e-3) * (WINDOW / (WINDOW - lags))
    peak, place = (fair * (1 - lags / 1000))[..., RATE // 500 : RATE // 70].max(dim=-1)
    octaves = ((RATE / (place + RATE // 500)) / 200).log2()
    pitch = torch.where(peak > 0.5, octaves, torch.zeros(()))
    return torch.cat([mel, 2 * peak[..., None], 2 * pitch[..., None]], dim=-1)
