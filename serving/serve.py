"""What `neurosense serve` does."""

import contextlib
import time

from rich.console import Console

from export.manifest import Branch, Manifest
from export.publish import MODELS
from serving.accelerators import check_accelerator, has_gpu
from serving.choosing import choose, kept_trial
from serving.keys import check_keys
from serving.models.exclusive import swapping
from serving.repository import render
from serving.run_folder import run_folder
from serving.settings import Settings
from serving.stack import check_ports, running
from serving.state_lock import state_lock
from serving.supervisor import stop_on_signals, supervise

_console = Console(highlight=False, soft_wrap=True)
_started = time.monotonic()


def run_until_stopped() -> None:
    """Start everything, and whatever dies or hangs again, until a signal ends it.

    Raises:
        ServingError, ExportError: it cannot start; the message says why and names the way out.
    """
    settings = Settings.load()
    stop_on_signals()
    try:
        with state_lock(settings.state_dir), run_folder(settings.state_dir) as run_dir:
            check_accelerator(settings)
            check_ports(settings)
            check_keys(settings)
            with contextlib.ExitStack() as until_ready:  # no swap while Triton reads the folder
                until_ready.enter_context(swapping(settings.repository))
                chosen = {branch: choose(branch, settings, _say) for branch in MODELS}
                choices = {branch: choice for branch, (choice, _) in chosen.items()}
                manifests = {branch: manifest for branch, (_, manifest) in chosen.items()}
                trial = kept_trial(settings.repository, choices, _say)
                render(settings.repository, manifests, settings, has_gpu(), choices, trial)
                check_ports(settings)  # again: an export takes minutes
                with running(settings, run_dir, _say) as servers:
                    until_ready.close()
                    _announce(settings, manifests)
                    supervise(servers, _say)
    except KeyboardInterrupt:
        _say("Stopped.")


def _announce(settings: Settings, manifests: dict[Branch, Manifest]) -> None:
    _say("Ready.")
    _console.print(f"  API    http://{settings.api_host}:{settings.api_port}  (/docs explains it)")
    _console.print(f"  Page   http://{settings.ui_host}:{settings.ui_port}")
    _console.print(
        f"  Triton 127.0.0.1:{settings.triton_http_port} (HTTP), "
        f"127.0.0.1:{settings.triton_grpc_port} (gRPC)"
    )
    for branch, manifest in manifests.items():
        _console.print(
            f"  {branch:6} {manifest.name} ({manifest.weights} weights, {manifest.precision})"
        )
    _console.print("Ctrl-C stops everything.")


def _say(message: str) -> None:
    _console.print(f"[{time.monotonic() - _started:6.1f} s] {message}", markup=False)
