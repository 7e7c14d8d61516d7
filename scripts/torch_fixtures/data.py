"""What PyTorch makes of data sets: random splits, normalised images, images of another size."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

from torch_fixtures.common import shortest


def split(n, lengths, seed, own_generator):
    """random_split of the numbers 0 … n-1, and the draw that follows it."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed + 100) if own_generator else torch.default_generator
    parts = random_split(list(range(n)), lengths, generator=generator)
    return {
        "n": n,
        "lengths": lengths,
        "seed": seed,
        "ownGenerator": seed + 100 if own_generator else None,
        "parts": [list(part) for part in parts],
        "next31": torch.empty((), dtype=torch.int32).random_(generator=generator).item(),
    }


def split_then_shuffle():
    """A whole script's draws: a split, a model, two epochs of a shuffled loader over the larger part."""
    torch.manual_seed(11)
    train, validation = random_split(TensorDataset(torch.arange(30)), [0.8, 0.2])
    nn.Linear(5, 4)
    loader = DataLoader(train, batch_size=7, shuffle=True, drop_last=True)
    epochs = []
    for _ in range(2):
        epochs.append([batch[0].tolist() for batch in loader])
        for _batch in DataLoader(validation, batch_size=4):
            pass
    last = [batch[0].tolist() for batch in DataLoader(validation, batch_size=4)]
    return {"seed": 11, "n": 30, "epochs": epochs, "validation": last}


def normalised():
    """All bytes as ToTensor and Normalize make floats of them: to float32, / 255, - mean, / std."""
    rows = []
    for mean, std in [(0.1307, 0.3081), (0.5, 0.5), (0.4914, 0.2023)]:
        pixels = torch.arange(256, dtype=torch.uint8).to(torch.float32).div(255)
        values = pixels.sub_(torch.tensor(mean)).div_(torch.tensor(std))
        rows.append({"mean": mean, "std": std, "values": shortest(values)})
    floats = torch.tensor([[0.25, -1.5, 3.0], [1e-3, 2.0, -0.75]])
    mean, std = torch.tensor([[0.2], [-0.3]]), torch.tensor([[0.7], [1.3]])
    return {"bytes": rows, "floats": shortest((floats - mean) / std)}


def resized():
    """Bytes as interpolate(antialias=True) makes them, which is Pillow's resize but for rounding."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for size, other in [((5, 7), (3, 4)), ((4, 4), (9, 5)), ((11, 6), (4, 12)), ((1, 3), (2, 2)), ((8, 8), (8, 3))]:
        pixels = torch.randint(0, 256, (1, 2, *size), generator=generator, dtype=torch.uint8)
        values = F.interpolate(pixels.double(), other, mode="bilinear", antialias=True, align_corners=False)
        flat = [round(value, 3) for value in values.flatten().tolist()]
        rows.append({"from": size, "to": other, "pixels": pixels.flatten().tolist(), "values": flat})
    return rows


def make():
    splits = [
        split(10, [7, 3], 0, False),
        split(10, [7, 3], 0, True),
        split(11, [0.5, 0.3, 0.2], 1, True),
        split(17, [0.7, 0.2, 0.1], 2, False),
        split(23, [0.1] * 10, 3, True),
        split(5, [5], 4, False),
        split(5, [1.0], 4, True),
        split(9, [2, 3, 4], 5, True),
    ]
    return {"splits": splits, "splitThenShuffle": split_then_shuffle(), "normalised": normalised(), "resized": resized()}
