"""Changes of a file as hostile or broken ones have them: one or several, chosen at random."""

import random
from collections.abc import Callable, Sequence

MAX_BYTES = 2**18
_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 10**9, 2**31 - 1, 2**31,
            2**32 - 1, 2**63 - 1, 2**64 - 1)  # fmt: skip

Mutation = Callable[[bytearray, random.Random], None]


def flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        data[_position(data, rng)] ^= 1 << rng.randrange(8)


def set_bytes(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 16)):
        data[_position(data, rng)] = rng.choice((0, 255, rng.randrange(256)))


def cut(data: bytearray, rng: random.Random) -> None:
    del data[_position(data, rng) :]


def delete(data: bytearray, rng: random.Random) -> None:
    start = _position(data, rng)
    del data[start : start + rng.choice((1, 2, 4, 16, 300))]


def repeat(data: bytearray, rng: random.Random) -> None:
    start = _position(data, rng)
    part = bytes(data[start : start + rng.choice((1, 4, 64, 1000))])
    data[start:start] = part * rng.choice((1, 2, 20, 100))


def write_number(data: bytearray, rng: random.Random) -> None:
    """Write a number where a length, a count or a rate may be, over it or before it."""
    width = rng.choice((1, 2, 4, 8))
    number = (rng.choice(_NUMBERS) + rng.choice((0, 0, 1, -1))) % 2 ** (8 * width)
    start = _position(data, rng)
    data[start : start + rng.choice((0, width, width))] = number.to_bytes(
        width, rng.choice(("big", "little"))
    )


def move(data: bytearray, rng: random.Random) -> None:
    start, target = _position(data, rng), _position(data, rng)
    part = data[start : start + rng.choice((4, 8, 64, 1000))]
    del data[start : start + len(part)]
    data[target:target] = part


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, set_bytes, cut, delete, repeat, write_number, write_number, move,
)  # fmt: skip


def mutated(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a changed seed, now and then the halves of two."""
    data = bytearray(rng.choice(seeds))
    if rng.random() < 0.1:
        other = rng.choice(seeds)
        data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other) + 1) :]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if data:
            rng.choice(MUTATIONS)(data, rng)
    return bytes(data[:MAX_BYTES])


def _position(data: bytearray, rng: random.Random) -> int:
    """Return an index, half the time in the head, where the structure of a file is told."""
    return rng.randrange(min(len(data), rng.choice((64, 512, len(data), len(data))))) if data else 0
