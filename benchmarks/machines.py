"""The machine that figures belong to."""

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = ("onnxruntime", "tritonclient", "torch", "transformers")
_FOR_PRODUCTS = re.compile(r"avx2$|avx512f$|\w*vnni$|amx_\w+$|\w+_(bf16|fp16)$")


def machine() -> dict[str, str]:
    """Return what the figures depend on besides the code."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {_memory()}",
        "instruction sets": _instruction_sets(),
        "GPU": _gpu(),
        "versions": ", ".join([f"Python {platform.python_version()}", *_versions()]),
    }


def _versions() -> Iterator[str]:
    for name in _LIBRARIES:
        found = _version(name) or _version(f"{name}-gpu")  # ONNX Runtime's other wheel
        yield f"{name} {found}" if found else f"no {name}"


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    return _of_processor("model name") or platform.machine()


def _instruction_sets() -> str:
    """Return those that decide how fast matrix products are."""
    flags = _of_processor("flags").split()
    return ", ".join(flag for flag in flags if _FOR_PRODUCTS.match(flag)) or "no AVX2"


def _of_processor(fact: str) -> str:
    """Return what Linux says of the first core, empty if it does not say it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    facts = (line.split(":", 1)[1].strip() for line in lines if line.startswith(fact))
    return next(facts, "")


def _memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{total / 2**30:.0f} GiB memory"


def _gpu() -> str:
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return ", ".join(listed.stdout.split("\n")[:-1])
