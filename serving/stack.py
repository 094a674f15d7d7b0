"""The whole system on one machine: database, Triton, API and page, in that order."""

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from export.progress import Progress
from serving import control
from serving.ports import require_free
from serving.postgres import Postgres
from serving.server import Program, Server, tell_not_served
from serving.settings import Settings
from serving.triton import Triton

_GRPC_URL = "NEUROSENSE_TRITON_GRPC_URL"


def check_ports(settings: Settings) -> None:
    """Raise ServingError naming the first port that is occupied and the setting that moves it."""
    require_free(settings.api_port, "NEUROSENSE_API_PORT", settings.api_host)
    require_free(settings.ui_port, "NEUROSENSE_UI_PORT", settings.ui_host)
    require_free(settings.triton_http_port, "NEUROSENSE_TRITON_HTTP_PORT")
    require_free(settings.triton_grpc_port, "NEUROSENSE_TRITON_GRPC_PORT")
    require_free(settings.triton_metrics_port, "NEUROSENSE_TRITON_METRICS_PORT")


@contextlib.contextmanager
def running(settings: Settings, run_dir: Path, say: Progress) -> Iterator[list[Server]]:
    """Start everything; yields the servers once all is ready, and stops them at the end.

    Args:
        settings: what to start, and where.
        run_dir: a short-named folder for sockets and the like.
        say: is told what is done.
    """
    with contextlib.ExitStack() as stack:
        servers: list[Server] = []
        database_url = settings.database_url
        if database_url is None:
            say("Starting the database ...")
            postgres = _postgres(settings, run_dir)
            database_url = stack.enter_context(postgres)
            told = settings.state_dir / "database_url"  # while it runs, for people with psql
            stack.callback(told.unlink, missing_ok=True)
            told.write_text(f"{database_url}\n")
            servers.append(postgres)
        say("Starting Triton ...")
        triton = _triton(settings, run_dir)
        stack.enter_context(triton)
        key = settings.state_dir / "triton_control_key"  # while it runs, for its owner
        stack.callback(key.unlink, missing_ok=True)
        control.write_key(key, triton.control_key)
        failed = triton.not_served()
        tell_not_served(failed, say)
        say("Starting the API and the page ...")
        page_key = secrets.token_urlsafe(32)
        api = _api(settings, triton, database_url, page_key)
        programs = [api, _ui(settings, page_key)]
        for program in programs:
            stack.callback(program.stop)
            program.launch()
        for program in programs:
            program.wait_until(program.back if failed else program.ready)
        _tell_of_log(settings, say)
        try:
            yield [*servers, triton, *programs]
        finally:
            say("Stopping ...")
            for program in programs:  # not what the API's last requests need
                program.ask_to_stop()


def _tell_of_log(settings: Settings, say: Progress) -> None:
    """Say so if rows cannot go to the database; the service answers all the same."""
    url = f"{_url(settings.api_host, settings.api_port)}/health/ready"
    if httpx.get(url, timeout=5, trust_env=False).json().get("log") == "degraded":
        say(
            f"THE DATABASE CANNOT BE USED (DATABASE_URL): predictions wait in the spool until it "
            f"can; {settings.log_dir / 'api.log'} says why"
        )


def _postgres(settings: Settings, run_dir: Path) -> Postgres:
    return Postgres(settings.state_dir / "postgres", settings.log_dir / "postgres.log", run_dir)


def _triton(settings: Settings, run_dir: Path) -> Triton:
    return Triton(
        settings.repository,
        http_port=settings.triton_http_port,
        grpc_port=settings.triton_grpc_port,
        metrics_port=settings.triton_metrics_port,
        log_path=settings.log_dir / "triton.log",
        run_dir=run_dir,
        otlp_endpoint=str(settings.otlp_endpoint) if settings.otlp_endpoint else None,
        response_cache_mb=settings.response_cache_mb,
    )


def _api(settings: Settings, triton: Triton, database_url: str, page_key: str) -> Program:
    url = _url(settings.api_host, settings.api_port)
    return Program(
        "api",
        [sys.executable, "-m", "api"],
        settings.log_dir / "api.log",
        env={
            "NEUROSENSE_SPOOL_DIR": str(settings.state_dir / "spool"),
            **os.environ,
            # One that was set is where people want it to go: through a proxy, for example.
            _GRPC_URL: os.environ.get(_GRPC_URL) or triton.grpc_url,
            "DATABASE_URL": database_url,
            "NEUROSENSE_API_KEYS_FILE": str(settings.keys_file),
            "NEUROSENSE_PAGE_KEY": page_key,
            "NEUROSENSE_UI_MONITOR": str(settings.has_monitor),
        },
        ready_url=f"{url}/health/ready",
        live_url=f"{url}/health/live",
    )


def _ui(settings: Settings, page_key: str) -> Program:
    """Return the page, with a key of this start: in the memory of both, and in no file.

    It holds whether or not there are other keys, so that the page goes on when the first is made.
    """
    options = [f"--server.port={settings.ui_port}", f"--server.address={settings.ui_host}"]
    health = f"{_url(settings.ui_host, settings.ui_port)}/_stcore/health"
    return Program(
        "page",
        [sys.executable, "-m", "streamlit", "run", "ui/app.py", "--server.headless=true", *options],
        settings.log_dir / "ui.log",
        env={
            **os.environ,
            "NEUROSENSE_API_URL": _url(settings.api_host, settings.api_port),
            "NEUROSENSE_API_KEY": page_key,
            "NEUROSENSE_UI_MONITOR": str(settings.has_monitor),
        },
        ready_url=health,
        live_url=health,
    )


def _url(host: str, port: int) -> str:
    # An address that means "all of them" is one to listen on, not one to call.
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
