"""Prints the table of what the faults did, below the tests."""

import pytest

from benchmarks.chaos.result import Result
from benchmarks.chaos.table import table

RESULTS: list[Result] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if RESULTS:
        terminalreporter.section("faults under load", sep="-")
        terminalreporter.write_line(table(RESULTS))
