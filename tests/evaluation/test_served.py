"""Asking a Triton that serves something else, or begins to in the middle."""

import asyncio
import json
from collections.abc import Callable

import pytest

from evaluation.answers import Answer
from evaluation.errors import EvaluationError
from evaluation.items import Item
from evaluation.served import Served
from tests.api.triton_double import TEXT, P, Servicer, start


def with_served(servicer: Servicer, test: Callable[[Served], None]) -> None:
    async def run() -> None:
        server, port = await start(servicer)
        try:
            await asyncio.to_thread(test, Served(f"127.0.0.1:{port}", in_flight=2))
        finally:
            await server.stop(None)

    asyncio.run(run())


def test_models_of_somebody_else_are_named() -> None:
    servicer = Servicer()
    servicer.parameters = {}

    def check(served: Served) -> None:
        with pytest.raises(EvaluationError, match="emotion_text does not say whose weights"):
            served.models(["text"])

    with_served(servicer, check)


def test_versions_that_change_meanwhile_are_refused() -> None:
    servicer = Servicer()
    answers: list[Answer] = []

    def keep(_: Item, answer: Answer) -> None:
        answers.append(answer)

    def check(served: Served) -> None:
        assert served.models(["text"])["text"] == TEXT
        served.ask([Item("joy", text="Hi")], keep)
        assert answers[0].text == pytest.approx(P)
        servicer.parameters["text"] = json.dumps(TEXT | {"version": "4"})
        with pytest.raises(EvaluationError, match="other versions meanwhile"):
            served.ask([Item("joy", text="Hi")], keep)

    with_served(servicer, check)
