"""One row of a batch, and what the untouched checkpoint says about it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Row:
    """Token ids or samples [n]; `expected` [7], or None where only finite is asked for."""

    name: str
    values: npt.NDArray[Any]
    expected: npt.NDArray[np.float64] | None
