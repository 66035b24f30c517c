"""Gradients of several processes averaged, in few large messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

MESSAGE = 2**26
"""Bytes sent at once, about: many small messages cost more, and a copy of all gradients would need their memory."""


def average(parameters: Sequence[nn.Parameter], loss: Tensor) -> None:
    """Put the mean over all processes into each parameter's gradient and into `loss`.

    Every process calls it as often as every other, with parameters of the same shapes in the same order.
    """
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    for tensors in [[loss], *_messages([parameter.grad for parameter in parameters if parameter.grad is not None])]:
        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))


def _messages(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of one type, up to `MESSAGE` bytes but at least one."""
    message: list[Tensor] = []
    for gradient in gradients:
        size = sum(tensor.nbytes for tensor in message)
        if message and (gradient.dtype != message[0].dtype or size + gradient.nbytes > MESSAGE):
            yield message
            message = []
        message.append(gradient)
    if message:
        yield message
