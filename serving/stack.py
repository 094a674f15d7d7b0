"""The whole system on one machine: database, Triton, API and page, in that order."""

import contextlib
import fcntl
import functools
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from export.hub_progress import Progress
from serving import control
from serving.errors import ServingError
from serving.ports import answers, require_free
from serving.postgres import Postgres
from serving.process import Child
from serving.settings import PROJECT, Settings
from serving.triton import Triton

_START_TIMEOUT_S = 60.0


@contextlib.contextmanager
def state_lock(state_dir: Path) -> Iterator[None]:
    """Hold the state folder; ServingError if another start already does."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServingError(
                f"another neurosense runs on {state_dir}: stop it, or choose another folder "
                "with NEUROSENSE_STATE_DIR (and other ports)"
            ) from None
        yield


def check_ports(settings: Settings) -> None:
    """Raise ServingError naming the first port that is occupied and the setting that moves it."""
    require_free(settings.api_port, "NEUROSENSE_API_PORT", settings.api_host)
    require_free(settings.ui_port, "NEUROSENSE_UI_PORT", settings.ui_host)
    require_free(settings.triton_http_port, "NEUROSENSE_TRITON_HTTP_PORT")
    require_free(settings.triton_grpc_port, "NEUROSENSE_TRITON_GRPC_PORT")
    require_free(settings.triton_metrics_port, "NEUROSENSE_TRITON_METRICS_PORT")


@contextlib.contextmanager
def running(settings: Settings, say: Progress) -> Iterator[list[Child]]:
    """Start everything; yields the children once all is ready, and stops them at the end."""
    with contextlib.ExitStack() as stack:
        children: list[Child] = []

        def started(child: Child) -> Child:
            stack.callback(child.stop)
            children.append(child)
            return child

        say("Starting the database ...")
        database_url = settings.database_url or _start_postgres(settings, stack, children)
        say("Starting Triton ...")
        triton = _start_triton(settings, stack, children)
        say("Starting the API and the page ...")
        page_key = secrets.token_urlsafe(32)
        api = started(_api(settings, triton, database_url, page_key))
        page = started(_ui(settings, page_key))
        ready_urls = {
            api: _url(settings.api_host, settings.api_port) + "/health/ready",
            page: _url(settings.ui_host, settings.ui_port) + "/_stcore/health",
        }
        for child, url in ready_urls.items():
            child.wait_until(functools.partial(answers, url, timeout_s=2), _START_TIMEOUT_S)
        yield children
        say("Stopping ...")
        for child in children[-3:]:  # all but the database: it takes the others' last rows
            child.ask_to_stop()


def watch(children: list[Child]) -> NoReturn:
    """Wait; ServingError with its last lines as soon as one child ends."""
    while True:
        for child in children:
            child.require_running()
        time.sleep(0.5)


def stop_on_signals() -> None:
    """Make Ctrl-C, SIGTERM and a closed terminal end the program with everything stopped.

    Only the first one counts: another must not leave half of it running. Ctrl-C is set too,
    since a shell starts what it puts into the background with SIGINT ignored.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(*_: object) -> NoReturn:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, stop)


def _start_postgres(settings: Settings, stack: contextlib.ExitStack, children: list[Child]) -> str:
    postgres = Postgres(settings.state_dir / "postgres", settings.log_dir / "postgres.log")
    url = stack.enter_context(postgres)
    if postgres.child is not None:
        children.append(postgres.child)
    # For people with psql, while it runs.
    address = settings.state_dir / "database_url"
    address.write_text(f"{url}\n")
    stack.callback(address.unlink, missing_ok=True)
    return url


def _start_triton(settings: Settings, stack: contextlib.ExitStack, children: list[Child]) -> Triton:
    triton = Triton(
        settings.repository,
        http_port=settings.triton_http_port,
        grpc_port=settings.triton_grpc_port,
        metrics_port=settings.triton_metrics_port,
        log_path=settings.log_dir / "triton.log",
        otlp_endpoint=str(settings.otlp_endpoint) if settings.otlp_endpoint else None,
    )
    stack.enter_context(triton)
    if triton.child is not None:
        children.append(triton.child)
    # For people with rights, while it runs.
    key_file = settings.state_dir / "triton_control_key"
    control.write_key(key_file, triton.control_key)
    stack.callback(key_file.unlink, missing_ok=True)
    return triton


def _api(settings: Settings, triton: Triton, database_url: str, page_key: str) -> Child:
    return Child(
        "api",
        [sys.executable, "-m", "api"],
        settings.log_dir / "api.log",
        env={
            "NEUROSENSE_SPOOL_DIR": str(settings.state_dir / "spool"),
            **os.environ,
            "NEUROSENSE_TRITON_GRPC_URL": triton.grpc_url,
            "DATABASE_URL": database_url,
            "NEUROSENSE_API_KEYS_FILE": str(settings.keys_file),
            "NEUROSENSE_PAGE_KEY": page_key,
        },
        cwd=PROJECT,
    )


def _ui(settings: Settings, page_key: str) -> Child:
    """Start the page, with a key of this start: in the memory of both, and in no file.

    It holds whether or not there are other keys, so that the page goes on when the first is made.
    """
    options = [f"--server.port={settings.ui_port}", f"--server.address={settings.ui_host}"]
    return Child(
        "page",
        [sys.executable, "-m", "streamlit", "run", "ui/app.py", "--server.headless=true", *options],
        settings.log_dir / "ui.log",
        env={
            **os.environ,
            "NEUROSENSE_API_URL": _url(settings.api_host, settings.api_port),
            "NEUROSENSE_API_KEY": page_key,
        },
        cwd=PROJECT,
    )


def _url(host: str, port: int) -> str:
    # An address that means "all of them" is one to listen on, not one to call.
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
