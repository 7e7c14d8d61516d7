// The mean of each window, https://pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html

import { avgPool2d as avgPool2dOp } from '../ops/avg_pool2d.ts';
import { avgPool2dBackward } from '../ops/avg_pool2d_backward.ts';
import { imagesOf, type Size, windowsOver } from './images.ts';
import { asFloat, type Layer } from './layer.ts';
import { type PoolOptions, poolLayer } from './pool2d.ts';

/**
 * Takes the mean of each window of every channel, with padding counted as zeros. Throws a HeddleError `usage` for sizes that
 * are none, and for more padding than half of the kernel.
 */
export function avgPool2d(kernelSize: Size, options: PoolOptions = {}): Layer<never, never> {
  return poolLayer('nn.avgPool2d', 'avg_pool2d', kernelSize, options, (sizes) => ({
    description: 'AvgPool2d',
    forward(context, input, path) {
      const { recorder } = context;
      const x = asFloat(context, input, path);
      const images = imagesOf(x);
      const windows = windowsOver(path, images, sizes);
      const label = `${path}.avg_pool2d`;
      const y = avgPool2dOp(recorder, { label, x: x.tensor, images, windows });
      return {
        y: { ...x, tensor: y, maskable: false },
        pullback(dy) {
          if (!x.needsGradient) return undefined;
          const of = { label: `${label}.backward`, dy: dy.tensor, images, windows };
          const dx = avgPool2dBackward(recorder, { ...of, ...(x.maskable ? { mask: x.tensor } : {}) });
          return { tensor: dx, masked: x.maskable };
        },
      };
    },
  }));
}
