"""Several Tritons behind one address: each has its turn, and one that is away is passed over."""

import asyncio

from api.triton import Triton
from serving.ports import free_ports
from tests.api.triton_double import Servicer, start


def test_replicas_share_the_calls_and_one_that_stops_costs_none() -> None:
    one, two = Servicer(), Servicer()

    async def run() -> int:
        ports = free_ports(2)
        servers = [await start(one, ports[0]), await start(two, ports[1])]
        triton = Triton("ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports))
        for _ in range(40):
            await triton.text(b"I love this!", 5)
        before = len(two.requests)
        await servers[0].stop(None)
        for _ in range(20):
            await triton.text(b"I love this!", 5)
        await triton.close()
        await servers[1].stop(None)
        return before

    before = asyncio.run(run())
    assert 10 <= len(one.requests) <= 30
    assert len(two.requests) == before + 20
