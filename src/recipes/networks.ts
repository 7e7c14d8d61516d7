// The convolutional networks of `--model`, for images of any size; their widths suit 28 × 28 grey pixels.

import { nn } from '../index.ts';

/** Images that a network takes. */
export interface ImageSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** A network of fixed widths but for its images and classes. */
export interface Network {
  make(images: ImageSize, classes: number): ReturnType<typeof nn.sequential>;
  /** Weights and biases, counted without making it. */
  parameters(images: ImageSize, classes: number): number;
}

/** Pixels that two pools leave, of images of which the first lot of layers keeps the size and the second takes `cut` off it. */
const pixelsLeft = ({ height, width }: ImageSize, cut: number) => {
  const left = (size: number) => Math.floor((Math.floor(size / 2) - cut) / 2);
  return left(height) * left(width);
};

/**
 * LeNet-5 (http://vision.stanford.edu/cs598_spring07/papers/Lecun98.pdf) as it is taught today, with ReLU and max pools; two
 * rows of zeros around the image stand in for the paper's 32 × 32 pixels. Named as PyTorch's tutorials name it.
 */
const lenet: Network = {
  make: (images, classes) =>
    nn.sequential({
      conv1: nn.conv2d(images.channels, 6, 5, { padding: 2 }),
      relu1: nn.relu(),
      pool1: nn.maxPool2d(2),
      conv2: nn.conv2d(6, 16, 5),
      relu2: nn.relu(),
      pool2: nn.maxPool2d(2),
      flatten: nn.flatten(),
      fc1: nn.linear(16 * pixelsLeft(images, 4), 120),
      relu3: nn.relu(),
      fc2: nn.linear(120, 84),
      relu4: nn.relu(),
      fc3: nn.linear(84, classes),
    }),
  parameters: (images, classes) =>
    150 * images.channels + 1920 * pixelsLeft(images, 4) + 12_706 + 85 * classes,
};

/** A convolution that keeps the images' size, batch norm (which has the bias), and a pool that halves the size. */
const block = (inChannels: number, outChannels: number) => [
  nn.conv2d(inChannels, outChannels, 3, { padding: 1, bias: false }),
  nn.batchNorm2d(outChannels),
  nn.relu(),
  nn.maxPool2d(2),
];

/** Two blocks and two linear layers: small enough to train on a CPU. */
const cnn: Network = {
  make: (images, classes) =>
    nn.sequential({
      features: nn.sequential(...block(images.channels, 16), ...block(16, 32)),
      flatten: nn.flatten(),
      classifier: nn.sequential(
        nn.linear(32 * pixelsLeft(images, 0), 128),
        nn.relu(),
        nn.linear(128, classes),
      ),
    }),
  parameters: (images, classes) =>
    144 * images.channels + 4096 * pixelsLeft(images, 0) + 4832 + 129 * classes,
};

/** Networks by the name that `--model` knows them by. */
export const networks = { lenet, cnn };
