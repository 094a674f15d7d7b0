"""The audio starter's last step: logistic regression on the mean of the last layer's output."""

from __future__ import annotations

from typing import Any

import torch

from export.starters import network, speech


def pooled(model: Any, heard: Any) -> Any:
    """Mean of the last layer's output [WIDTH] over one take [frames, channels]."""
    with torch.no_grad():
        return network.states(model, heard[None].float())[-1, 0].mean(dim=0)


def fit(rows: Any, truth: Any, penalty: float) -> tuple[Any, Any]:
    """Weights [classes, width] and bias [classes] for rows [n, width] of classes [n].

    Every class counts the same, however many rows it has. ``penalty`` is half the weight of the
    squared norm of the weights of standardised rows, beside the mean cross-entropy.
    """
    mean, deviation = rows.mean(dim=0), rows.std(dim=0)
    standard = (rows - mean) / deviation
    share = 1 / (len(speech.CLASSES) * torch.bincount(truth, minlength=len(speech.CLASSES)))
    layer = torch.nn.Linear(rows.shape[1], len(speech.CLASSES))
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> Any:
        optimizer.zero_grad()
        made = torch.nn.functional.cross_entropy(layer(standard), truth, share, reduction="sum")
        made = made + penalty * layer.weight.pow(2).sum()
        made.backward()
        return made

    optimizer.step(loss)
    weight = layer.weight.detach() / deviation
    return weight, layer.bias.detach() - weight @ mean


def place(model: Any, weight: Any, bias: Any) -> None:
    """Make them the model's projector; its classifier hands the logits on as they are."""
    with torch.no_grad():
        model.projector.weight.copy_(weight)
        model.projector.bias.copy_(bias)
        model.classifier.weight.copy_(torch.eye(len(speech.CLASSES)))
        model.classifier.bias.zero_()
