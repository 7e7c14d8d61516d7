"""Stands in for torchvision, which a machine with PyTorch need not have: as much of it as the pages use."""

import torch


class datasets:
    class FashionMNIST(torch.utils.data.Dataset):
        """Images and labels from unpacked files where torchvision would have put them."""

        def __init__(self, root, train, download, transform):
            def read(kind, header):
                with open(f"{root}/FashionMNIST/raw/{'train' if train else 't10k'}-{kind}-ubyte", "rb") as file:
                    return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)

            self.images = read("images-idx3", 16).reshape(-1, 1, 28, 28)
            self.labels = read("labels-idx1", 8).tolist()
            self.transform = transform

        def __len__(self):
            return len(self.labels)

        def __getitem__(self, row):
            return self.transform(self.images[row]), self.labels[row]


class transforms:
    class ToTensor:
        def __call__(self, image):
            return image.to(torch.float32).div(255)
