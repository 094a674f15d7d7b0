"""Rows out of Triton's ragged batch.

Triton puts the rows of all requests one after another into one flat tensor. `stride` says
how wide each row lies there, `length` how much of it counts: a client that batches by
itself pads its rows, so stride can be larger than length.
"""

import torch


def pad_rows(
    flat: torch.Tensor,
    length: torch.Tensor,
    stride: torch.Tensor,
    pad: float,
    shortest: int | torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rebuild the padded batch.

    Args:
        flat: [T], all rows one after another.
        length: [B, 1] int32; held to 1..stride, so that a wrong one reads no other row.
        stride: [B, 1] int32, summing up to T.
        pad: fills up short rows.
        shortest: the least width.

    Returns:
        rows [B, L] and valid [B, L], true where a row has its own values.
    """
    stride = stride.to(torch.int64)
    length = torch.minimum(length.to(torch.int64), stride).clamp(min=1)
    start = torch.cumsum(stride, dim=0) - stride
    positions = torch.arange(length.max().clamp(min=shortest)).unsqueeze(0)  # [1, L]
    valid = positions < length
    index = (start + positions).clamp(max=flat.shape[0] - 1)
    return flat[index].masked_fill(~valid, pad), valid


def for_each(row: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """Return `row` [K] once for each of `length` [B, 1], as [B, K]."""
    return length * 0 + row  # `expand` takes eight operators
