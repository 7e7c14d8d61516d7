"""Layer norm, forward and back, as torch.nn.LayerNorm computes it."""

import torch
from torch import nn

from torch_fixtures.common import decimals, in_float64


def layer_norm_case(generator, rows, features, affine=True, eps=1e-5):
    x_written, x = decimals((rows, features), 1, 3, generator)
    dy_written, dy = decimals((rows, features), -1, 1, generator)
    weight_written, weight = decimals((features,), -2, 2, generator)
    bias_written, bias = decimals((features,), -1, 1, generator)

    def work(dtype):
        layer = nn.LayerNorm(features, eps=torch.tensor(eps).item(), elementwise_affine=affine).to(dtype)
        if affine:
            layer.weight.data.copy_(weight)
            layer.bias.data.copy_(bias)
        leaf = x.to(dtype).requires_grad_()
        y = layer(leaf)
        y.backward(dy.to(dtype))
        return [y, leaf.grad] + ([layer.weight.grad, layer.bias.grad] if affine else [])

    y, dx, *gradients = in_float64(work)
    return {
        "shape": [rows, features],
        "affine": affine,
        "eps": eps,
        "x": x_written,
        "dy": dy_written,
        "weight": weight_written,
        "bias": bias_written,
        "y": y,
        "dx": dx,
        "dWeight": gradients[0] if affine else [],
        "dBias": gradients[1] if affine else [],
    }


def make():
    generator = torch.Generator().manual_seed(17)
    return {
        "cases": [
            layer_norm_case(generator, 3, 3),
            layer_norm_case(generator, 5, 7, eps=1e-3),
            layer_norm_case(generator, 2, 67),
            layer_norm_case(generator, 4, 10, affine=False),
        ]
    }
