"""A token bucket for each client."""

from pathlib import Path

import pytest

from api.app import create_app
from api.keys import create
from api.rate_limit import MOST_CLIENTS, RateLimit, RateLimitedError, address_of
from api.settings import Settings
from tests.api.asking import assert_problem
from tests.api.fakes import FakeModels
from tests.api.servers import serve


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(limit: RateLimit, client: str, count: int) -> int:
    """Return how many of `count` requests get through."""
    through = 0
    for _ in range(count):
        try:
            limit.count(client)
        except RateLimitedError:
            continue
        through += 1
    return through


@pytest.mark.parametrize(("per_minute", "burst"), [(60, 10), (600, 100), (6, 1), (1, 1), (7, 1)])
def test_ten_seconds_worth_at_once_and_then_the_rate(
    clock: Clock, per_minute: int, burst: int
) -> None:
    limit = RateLimit(per_minute, clock)
    assert taken(limit, "a", 3 * burst + 2) == burst
    through = 0
    for _ in range(600):
        clock.now_s += 1
        through += taken(limit, "a", 20)
    assert through == pytest.approx(10 * per_minute, abs=1)


def test_the_wait_that_is_asked_for_is_enough_and_no_second_more(clock: Clock) -> None:
    limit = RateLimit(4, clock)
    limit.count("a")
    with pytest.raises(RateLimitedError) as refused:
        limit.count("a")
    assert refused.value.retry_after_s == 15
    clock.now_s += 14
    assert taken(limit, "a", 1) == 0
    clock.now_s += 1
    assert taken(limit, "a", 1) == 1


def test_who_is_refused_is_not_made_to_wait_longer(clock: Clock) -> None:
    limit = RateLimit(60, clock)
    taken(limit, "a", 1000)
    clock.now_s += 1
    assert taken(limit, "a", 5) == 1


def test_each_client_has_its_own(clock: Clock) -> None:
    limit = RateLimit(60, clock)
    assert taken(limit, "a", 20) == 10
    assert taken(limit, "b", 20) == 10


def test_zero_is_no_limit(clock: Clock) -> None:
    assert taken(RateLimit(0, clock), "a", 1000) == 1000


def test_many_clients_take_no_more_memory(clock: Clock) -> None:
    limit = RateLimit(60, clock)
    for n in range(2 * MOST_CLIENTS):
        limit.count(f"client {n}")
    assert len(limit._full_at_s) == MOST_CLIENTS
    assert taken(limit, f"client {2 * MOST_CLIENTS - 1}", 20) == 9, "the newest is still known"


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::"),
        ("2001:db8:1:2::1", "2001:db8:1:2::"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_one_host_cannot_be_many_clients(host: str, client: str) -> None:
    assert address_of(host) == client


@pytest.mark.usefixtures("no_time_passes")
def test_over_the_limit_is_429_before_the_body_is_read(
    database_url: str, own_models: FakeModels
) -> None:
    settings = Settings(DATABASE_URL=database_url, rate_limit_per_minute=6)
    with serve(create_app(settings, lambda _: own_models)) as client:
        assert client.post("/analyze/text", data={"text": "hm"}).is_success
        refused = client.post("/analyze/text", content=b"x" * 2**20)  # no form: 415 if it were read
        assert_problem(refused, 429, "rate_limited")
        assert refused.headers["retry-after"] == "10"
        assert client.get("/health/live").is_success


@pytest.mark.usefixtures("no_time_passes")
def test_each_key_has_its_own_limit(
    database_url: str, own_models: FakeModels, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    keys = [create(file, name, ["analyze"])[1] for name in ("one", "two")]
    settings = Settings(DATABASE_URL=database_url, rate_limit_per_minute=6, api_keys_file=file)
    with serve(create_app(settings, lambda _: own_models)) as client:
        for key in keys:
            headers = {"X-API-Key": key}
            assert client.post("/analyze/text", data={"text": "a"}, headers=headers).is_success
            again = client.post("/analyze/text", data={"text": "a"}, headers=headers)
            assert_problem(again, 429, "rate_limited")
        assert_problem(client.post("/analyze/text", data={"text": "a"}), 401, "unauthorized")
