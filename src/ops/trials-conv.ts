// Trials of the kernels that convolutions, pools and residual connections are made of. Copies must be exact, and so must
// sums of whole numbers.

import * as reference from './reference.ts';
import { type Bounded, within } from './reference.ts';
import { nothing, rectified, type Subject, type Trial, type Trials } from './trial.ts';
import type { Images, Windows } from './windows.ts';

/** Images and windows as a dispatch's params tell them. `count` times channels, height and width are `elements`. */
function geometry(params: Subject['params'], elements: number): { images: Images; windows: Windows } {
  const of = (name: string) => params[name] as number;
  const [channels, height, width] = [of('channels'), of('height'), of('width')];
  const channelsLast = (params.channel_step ?? 1) === 1 && (params.column_step ?? channels) === channels;
  return {
    images: { count: elements / (channels * height * width), channels, height, width, channelsLast },
    windows: {
      // An index says where in its window an element lies, so that the size of the window makes no difference to it.
      kernel: [
        params.kernel_height ?? of('reach_y') * of('stride_y'),
        params.kernel_width ?? of('reach_x') * of('stride_x'),
      ],
      stride: [of('stride_y'), of('stride_x')],
      padding: [of('padding_y'), of('padding_x')],
      dilation: [params.dilation_y ?? 1, params.dilation_x ?? 1],
      out: [of('out_height'), of('out_width')],
    },
  };
}

/** What becomes of a gradient where there is a mask. */
function maskOf({ on, count, floats }: Subject) {
  const mask = on('MASK') ? rectified(floats(count('dx'))) : new Float32Array(4);
  const apply = (dx: readonly Bounded[]) =>
    on('MASK') ? dx.map((d, i) => reference.masked(d, mask[i] as number)) : dx;
  return { mask, apply };
}

const exact = (values: readonly Bounded[]) => values.map(({ value }) => ({ value, bound: 0 }));

/** Trials of the kernels of convolutions, pools and residual connections. */
export const convTrials: Trials<
  | 'add'
  | 'avg_pool2d'
  | 'avg_pool2d_backward'
  | 'col2im'
  | 'im2col'
  | 'max_pool2d'
  | 'max_pool2d_backward'
  | 'transpose'
> = {
  im2col({ params, isU8, count, floats, integers }) {
    const { images, windows } = geometry(params, count('x'));
    const columns = nothing(count('columns'));
    if (!isU8('x')) {
      const x = floats(count('x'));
      x[x.length - 1] = Number.NaN; // must stay one
      const expected = within(reference.im2col(x, images, windows), 0);
      return [{ inputs: { x, columns }, expected: { columns: expected } }];
    }
    const x = Uint8Array.from(integers(count('x'), 256));
    const expected = reference
      .im2col(x, images, windows)
      .map((v) => ({ value: v / 255, bound: reference.u8Error * (v / 255) }));
    return [{ inputs: { x, columns }, expected: { columns: expected } }];
  },

  col2im(subject) {
    const { params, count, whole } = subject;
    const { images, windows } = geometry(params, count('dx'));
    const dcolumns = whole(count('dcolumns'), 2047);
    const { mask, apply } = maskOf(subject);
    const dx = apply(exact(reference.col2im(dcolumns, images, windows)));
    return [{ inputs: { dcolumns, mask, dx: nothing(count('dx')) }, expected: { dx } }];
  },

  max_pool2d({ params, count, integers }) {
    const { images, windows } = geometry(params, count('x'));
    const x = Float32Array.from(integers(count('x'), 9), (v) => v - 4); // few values: many ties
    const trial = (values: Float32Array): Trial => {
      const { y, index } = reference.maxPool2d(values, images, windows);
      return {
        inputs: { x: values, y: nothing(y.length), index: new Uint32Array(y.length) },
        expected: { y: within(y, 0), index: within(index, 0) },
      };
    };
    return [trial(x), trial(x.with(0, Number.NaN).with(x.length - 1, Number.NaN))];
  },

  max_pool2d_backward(subject) {
    const { params, count, whole, integers } = subject;
    const { images, windows } = geometry(params, count('dx'));
    const dy = whole(count('dy'), 2047);
    const x = Float32Array.from(integers(count('dx'), 9));
    const index = Uint32Array.from(reference.maxPool2d(x, images, windows).index);
    const { mask, apply } = maskOf(subject);
    const dx = apply(exact(reference.maxPool2dBackward(dy, index, images, windows)));
    return [{ inputs: { dy, index, mask, dx: nothing(count('dx')) }, expected: { dx } }];
  },

  avg_pool2d({ params, count, floats }) {
    const { images, windows } = geometry(params, count('x'));
    const x = floats(count('x'));
    const y = reference.avgPool2d(x, images, windows);
    return [{ inputs: { x, y: nothing(y.length) }, expected: { y } }];
  },

  avg_pool2d_backward(subject) {
    const { params, count, floats } = subject;
    const { images, windows } = geometry(params, count('dx'));
    const dy = floats(count('dy'));
    const { mask, apply } = maskOf(subject);
    const dx = apply(reference.avgPool2dBackward(dy, images, windows));
    return [{ inputs: { dy, mask, dx: nothing(count('dx')) }, expected: { dx } }];
  },

  transpose({ params, count, floats }) {
    const { rows, columns } = params as { rows: number; columns: number };
    const x = floats(count('x'));
    x[0] = Number.NaN; // must stay one
    const y = within(reference.transpose(x, rows, columns), 0);
    return [{ inputs: { x, y: nothing(x.length) }, expected: { y } }];
  },

  add({ count, whole }) {
    const [a, b] = [whole(count('a'), 2047), whole(count('b'), 2047)];
    return [{ inputs: { a, b, y: nothing(a.length) }, expected: { y: exact(reference.add(a, b)) } }];
  },
};
