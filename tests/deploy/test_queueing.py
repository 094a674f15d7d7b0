"""The queues that the capacity page is computed with, against closed forms."""

import numpy as np
import pytest

from benchmarks.queueing import (
    Seconds,
    arrivals_s,
    erlang_c,
    mean_wait_s,
    round_robin,
    shared_line,
)
from benchmarks.replica import CLIP_S, service_s
from tests.deploy.charts import CHART
from tests.docker.files import read_yaml


def test_erlang_c_gives_the_values_of_the_textbooks() -> None:
    assert erlang_c(1, 0.7) == pytest.approx(0.7)  # one server: as often as it is busy
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    # Written out, as Gross et al. have it: c = 3, load 2.
    top = 2**3 / 6 * 3 / (3 - 2)
    assert erlang_c(3, 2.0) == pytest.approx(top / (1 + 2 + 2**2 / 2 + top))
    assert 0 < erlang_c(1500, 1450.0) < 1  # and large ones do not overflow


@pytest.mark.parametrize("load", [-0.1, 2.0, 3.0])
def test_a_load_that_cannot_be_carried_is_an_error(load: float) -> None:
    with pytest.raises(ValueError, match="cannot carry"):
        erlang_c(2, load)


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.5), (1, 0.8), (4, 0.8), (20, 0.9)])
def test_the_shared_line_waits_as_erlang_says(servers: int, busy: float) -> None:
    random = np.random.default_rng(1)
    rate_per_s = servers * busy / 0.5
    services = random.exponential(0.5, 400_000)
    waits = shared_line(arrivals_s(rate_per_s, len(services), random), services, servers)
    assert waits.mean() == pytest.approx(mean_wait_s(servers, rate_per_s, 0.5), rel=0.08)
    assert (waits > 0).mean() == pytest.approx(erlang_c(servers, servers * busy), rel=0.04)


def test_one_server_with_our_clips_waits_as_pollaczek_and_khinchine_say() -> None:
    random = np.random.default_rng(2)
    services = service_s(random.uniform(*CLIP_S, 400_000))
    rate_per_s = 0.8 / services.mean()
    waits = round_robin(arrivals_s(rate_per_s, len(services), random), services, 1)
    expected_s = rate_per_s * np.mean(services**2) / (2 * (1 - 0.8))
    assert waits.mean() == pytest.approx(expected_s, rel=0.06)
    # Why the chart scales Triton at two waiting: a replica is then busy about 80 % of the time.
    scaled_at = float(read_yaml(CHART / "values.yaml")["triton"]["autoscaling"]["waiting"])
    assert rate_per_s * expected_s == pytest.approx(scaled_at, rel=0.1)


def _one_by_one(arrivals: Seconds, services: Seconds, servers: int) -> Seconds:
    """What `round_robin` does, as a loop that one can read."""
    free_at = [0.0] * servers
    waits = []
    for number, (came, takes) in enumerate(zip(arrivals, services, strict=True)):
        starts = max(came, free_at[number % servers])
        waits.append(starts - came)
        free_at[number % servers] = starts + takes
    return np.array(waits)


@pytest.mark.parametrize("servers", [1, 3, 7])
def test_lines_in_turn_are_those_of_a_plain_loop(servers: int) -> None:
    random = np.random.default_rng(3)
    services = random.exponential(1.0, 1000)
    arrivals = arrivals_s(servers * 0.9, len(services), random)
    expected = _one_by_one(arrivals, services, servers)
    np.testing.assert_allclose(round_robin(arrivals, services, servers), expected, atol=1e-9)
    assert expected.mean() >= shared_line(arrivals, services, servers).mean()
