"""What the sections of torch-fixtures.py have in common: numbers as JSON holds them, and where they are written."""

import hashlib
import json
import os
import platform

import torch

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FIXTURES = os.path.join(ROOT, "test", "fixtures")

torch.use_deterministic_algorithms(True)


def made_by():
    return {
        "script": "scripts/torch-fixtures.py",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def sha256(tensor):
    return hashlib.sha256(tensor.detach().contiguous().numpy().tobytes()).hexdigest()


def decimals(shape, low, high, generator):
    """Random short decimals: the list for JSON and the float32 tensor that it stands for."""
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low
    written = [round(value, 3) for value in drawn.flatten().tolist()]
    return written, torch.tensor(written, dtype=torch.float32).reshape(shape)


def shortest(tensor):
    """float32 values in the fewest digits that name them."""
    return [float(str(value)) for value in tensor.detach().flatten().numpy()]


def ten_digits(tensor):
    return [float(f"{value:.10g}") for value in tensor.detach().flatten().tolist()]


def in_float64(work):
    """work(torch.float64)'s tensors, after making sure that work(torch.float32) says the same."""
    exact = work(torch.float64)
    for wide, narrow in zip(exact, work(torch.float32)):
        scale = wide.abs().max().item()
        assert torch.allclose(wide, narrow.double(), rtol=1e-5, atol=1e-5 * min(scale, 1.0)), (wide, narrow)
    return [ten_digits(tensor) for tensor in exact]


def write(name, value):
    os.makedirs(FIXTURES, exist_ok=True)
    with open(os.path.join(FIXTURES, name), "w") as file:
        json.dump({"madeBy": made_by(), **value}, file, indent=1)
        file.write("\n")
