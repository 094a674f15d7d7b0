"""Prints the table of what the faults did, below the tests."""

from typing import Any

import pytest

from benchmarks.chaos.result import Result
from benchmarks.chaos.table import table

PROPERTY = "fault"
"""A test's result, as a dictionary: test processes hand their results over like this."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Is a hook in tests/conftest.py: with `-n`, who prints loads no conftest.py but that one."""
    reports: list[Any] = [*terminalreporter.getreports("passed")]
    reports += terminalreporter.getreports("failed")
    results = [
        Result(**value)
        for report in reports
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if results:
        terminalreporter.section("faults under load", sep="-")
        terminalreporter.write_line(table(results))
