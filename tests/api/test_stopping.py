"""A stop answers everybody: who cannot be waited for is told to come again."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.api.asking import assert_problem
from tests.api.process import LINGER, LINGERING, api_process
from tests.api.test_metrics import value
from tests.waiting import wait_for


def test_who_is_not_answered_before_the_end_is_told_to_come_again(
    database_url: str, tmp_path: Path
) -> None:
    with (
        api_process(database_url, tmp_path / "log", **{LINGER: "1"}) as api,
        ThreadPoolExecutor(1) as pool,
    ):
        before = value(api.client, "requests_in_progress")
        asked = pool.submit(api.client.post, "/analyze/text", data={"text": LINGERING})
        wait_for(lambda: value(api.client, "requests_in_progress") > before, timeout_s=30)
        api.child.ask_to_stop()
        assert_problem(asked.result(), 503, "stopping")
        assert int(asked.result().headers["retry-after"]) > 0
        api.child.stop(timeout_s=20)
    assert "ASGI" not in (tmp_path / "log").read_text()
