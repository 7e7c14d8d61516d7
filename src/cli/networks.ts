// The convolutional networks of `--model`: sizes that suit 28 × 28 grey pixels.

import { nn } from '../index.ts';

/** A network of fixed sizes but for its classes. */
export interface Network {
  make(classes: number): ReturnType<typeof nn.sequential>;
  /** Weights and biases, counted without making it. */
  parameters(classes: number): number;
}

/**
 * LeNet-5 (http://vision.stanford.edu/cs598_spring07/papers/Lecun98.pdf) as it is taught today, with ReLU and max pools; two
 * rows of zeros around the image stand in for the paper's 32 × 32 pixels. Named as PyTorch's tutorials name it.
 */
const lenet: Network = {
  make: (classes) =>
    nn.sequential({
      conv1: nn.conv2d(1, 6, 5, { padding: 2 }),
      relu1: nn.relu(),
      pool1: nn.maxPool2d(2),
      conv2: nn.conv2d(6, 16, 5),
      relu2: nn.relu(),
      pool2: nn.maxPool2d(2),
      flatten: nn.flatten(),
      fc1: nn.linear(16 * 5 * 5, 120),
      relu3: nn.relu(),
      fc2: nn.linear(120, 84),
      relu4: nn.relu(),
      fc3: nn.linear(84, classes),
    }),
  parameters: (classes) => 60_856 + 85 * classes,
};

/** A convolution that keeps the images' size, and a pool that halves it. */
const block = (inChannels: number, outChannels: number) => [
  nn.conv2d(inChannels, outChannels, 3, { padding: 1 }),
  nn.relu(),
  nn.maxPool2d(2),
];

/** Two blocks and two linear layers: small enough to train on a CPU. */
const cnn: Network = {
  make: (classes) =>
    nn.sequential({
      features: nn.sequential(...block(1, 16), ...block(16, 32)),
      flatten: nn.flatten(),
      classifier: nn.sequential(nn.linear(32 * 7 * 7, 128), nn.relu(), nn.linear(128, classes)),
    }),
  parameters: (classes) => 205_632 + 129 * classes,
};

/** Networks by the name that `--model` knows them by. */
export const networks = { lenet, cnn };
