// The largest of each window, https://pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html

import { maxPool2d as maxPool2dOp } from '../ops/max_pool2d.ts';
import { maxPool2dBackward } from '../ops/max_pool2d_backward.ts';
import { imagesOf, type Size, windowsOver } from './images.ts';
import { asFloat, type Layer } from './layer.ts';
import { type PoolOptions, poolLayer } from './pool2d.ts';

/**
 * Takes the largest element of each window of every channel; its gradient goes to the first of equals. A NaN is larger than
 * anything. Throws a HeddleError `usage` for sizes that are none, and for more padding than half of the kernel.
 */
export function maxPool2d(kernelSize: Size, options: PoolOptions = {}): Layer<never, never> {
  return poolLayer('nn.maxPool2d', 'max_pool2d', kernelSize, options, (sizes) => ({
    description: 'MaxPool2d',
    forward(context, input, path) {
      const { recorder } = context;
      const x = asFloat(context, input, path);
      const images = imagesOf(x);
      const windows = windowsOver(path, images, sizes);
      const label = `${path}.max_pool2d`;
      const { y, index } = maxPool2dOp(recorder, { label, x: x.tensor, images, windows });
      return {
        y: { ...x, tensor: y, maskable: false },
        pullback(dy) {
          if (!x.needsGradient) return undefined;
          const of = { label: `${label}.backward`, dy: dy.tensor, index, images, windows };
          const dx = maxPool2dBackward(recorder, { ...of, ...(x.maskable ? { mask: x.tensor } : {}) });
          return { tensor: dx, masked: x.maskable };
        },
      };
    },
  }));
}
