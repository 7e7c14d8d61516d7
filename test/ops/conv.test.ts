// The kernels of convolutions, pools and residual connections against float64: im2col.wgsl, col2im.wgsl, max_pool2d.wgsl,
// max_pool2d_backward.wgsl, avg_pool2d.wgsl, avg_pool2d_backward.wgsl, transpose.wgsl and add.wgsl.

import { expect, it } from 'vitest';
import type { Recorder } from '../../src/gpu/plan.ts';
import { add } from '../../src/ops/add.ts';
import { avgPool2d } from '../../src/ops/avg_pool2d.ts';
import { avgPool2dBackward } from '../../src/ops/avg_pool2d_backward.ts';
import { col2im } from '../../src/ops/col2im.ts';
import { im2col } from '../../src/ops/im2col.ts';
import { maxPool2d } from '../../src/ops/max_pool2d.ts';
import { maxPool2dBackward } from '../../src/ops/max_pool2d_backward.ts';
import * as reference from '../../src/ops/reference.ts';
import { type HostTensor, run } from '../../src/ops/run.ts';
import { transpose } from '../../src/ops/transpose.ts';
import { type Images, imageElements, imageShape, type Pair, type Windows } from '../../src/ops/windows.ts';
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats, integers, manyRows, pairs, u8, u32 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { runEach } from '../support/run-each.ts';

const device = useDevice();
const label = 'y';

interface Case {
  readonly images: Omit<Images, 'channelsLast'>;
  readonly windows: Windows;
}

/** Windows as layers ask for them: as many as fit, or `out`. */
function windowsCase(
  [count, channels, height, width]: readonly [number, number, number, number],
  kernel: Pair,
  { stride = [1, 1], padding = [0, 0], dilation = [1, 1], out }: Partial<Omit<Windows, 'kernel'>> = {},
): Case {
  const most = (size: number, axis: 0 | 1) =>
    Math.floor((size + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis]) + 1;
  const windows = {
    kernel,
    stride,
    padding,
    dilation,
    out: out ?? [most(height, 0), most(width, 1)],
  } as const;
  return { images: { count, channels, height, width }, windows };
}

/** Windows that touch, overlap, leave gaps, hang over every edge, and leave a rest of the image out. */
const pools = [
  windowsCase([1, 1, 1, 1], [1, 1]),
  windowsCase([3, 2, 4, 6], [2, 2], { stride: [2, 2] }),
  windowsCase([2, 3, 5, 7], [3, 3], { padding: [1, 1] }),
  windowsCase([2, 5, 7, 5], [3, 2], { stride: [2, 1], padding: [1, 0] }),
  windowsCase([1, 4, 9, 8], [2, 1], { stride: [3, 2] }),
  windowsCase([2, 2, 6, 5], [3, 2], { stride: [1, 2], padding: [1, 0] }), // in more windows one way than the other,
  windowsCase([2, 2, 5, 6], [2, 3], { stride: [2, 1], padding: [0, 1] }), // and the other way round
  windowsCase([5, 3, 2, 2], [3, 3], { stride: [2, 2], padding: [1, 1] }), // one window is all of an image
  windowsCase([2, 17, 6, 11], [4, 5], { stride: [2, 3], padding: [2, 2] }),
  windowsCase([2, 8, 7, 9], [3, 2], { stride: [2, 1], padding: [1, 1] }), // channels in fours
];
const convolutions = [
  ...pools,
  windowsCase([2, 2, 4, 4], [5, 5], { padding: [2, 2] }),
  windowsCase([2, 3, 7, 8], [3, 2], { dilation: [2, 3], padding: [2, 1] }),
  windowsCase([1, 2, 9, 10], [3, 3], { stride: [2, 3], dilation: [3, 2], padding: [3, 1] }),
  windowsCase([2, 3, 5, 6], [1, 4], { stride: [1, 2], dilation: [1, 2], padding: [0, 3] }),
  windowsCase([1, 3, 5, 6], [2, 4], { padding: [0, 1], out: [5, 6] }), // padding 'same' has more at the end
  windowsCase([1, 2, 3, 2], [3, 3], { padding: [3, 4] }), // windows of padding alone
];
const layouts = [true, false];
const laidOut = (cases: readonly Case[]) =>
  cases.flatMap(({ images, windows }) =>
    layouts.map((channelsLast) => ({ images: { ...images, channelsLast }, windows })),
  );
const rowLength = ({ channels }: Images, { kernel }: Windows) => channels * kernel[0] * kernel[1];
const windowCount = ({ count }: Images, { out }: Windows) => count * out[0] * out[1];
const outputs = (images: Images, { out: [height, width] }: Windows): Images => ({ ...images, height, width });
/** About a third of them 0. */
const maskOf = (count: number, seed: number) => floats(count, seed).map((v, i) => (i % 3 === 0 ? 0 : v));
const byImages = (data: ArrayLike<number>, images: Images): HostTensor => f32(data, ...imageShape(images));

it('im2col copies windows of either layout and of bytes, with zeros around the image', async () => {
  const cases = laidOut(convolutions);
  const trials = cases.map(({ images }, i) => {
    const count = imageElements(images);
    const x = floats(count, i);
    x[count - 1] = Number.NaN;
    return { x: byImages(x, images), bytes: u8(integers(count, i, 256), ...imageShape(images)) };
  });
  const found = await runEach(device(), trials, (r, { x, bytes }, i) => {
    const of = cases[i] as (typeof cases)[0];
    return { columns: im2col(r, { label, x, ...of }), scaled: im2col(r, { label: 's', x: bytes, ...of }) };
  });
  cases.forEach(({ images, windows }, i) => {
    const { x, bytes } = trials[i] as (typeof trials)[0];
    const exact = reference.im2col(x.data, images, windows);
    expectWithin('im2col', found[i]?.columns ?? [], reference.within(exact, 0));
    const scaled = reference.unpackU8(reference.im2col(bytes.data, images, windows));
    expectWithin('im2col of bytes', found[i]?.scaled ?? [], scaled);
  });
});

it('col2im adds each element’s windows up, in either layout, and masks the sum', async () => {
  const cases = laidOut(convolutions);
  const trials = cases.map(({ images, windows }, i) => {
    const [rows, columns] = [windowCount(images, windows), rowLength(images, windows)];
    return {
      dcolumns: f32(floats(rows * columns, i), rows, columns),
      mask: byImages(maskOf(imageElements(images), i + 1), images),
    };
  });
  const found = await runEach(device(), trials, (r, { dcolumns, mask }, i) => {
    const of = { dcolumns, ...(cases[i] as (typeof cases)[0]) };
    return { dx: col2im(r, { label, ...of }), masked: col2im(r, { label: 'm', ...of, mask }) };
  });
  cases.forEach(({ images, windows }, i) => {
    const { dcolumns, mask } = trials[i] as (typeof trials)[0];
    const exact = reference.col2im(dcolumns.data, images, windows);
    expectWithin('col2im', found[i]?.dx ?? [], exact);
    const masked = exact.map((d, c) => reference.masked(d, mask.data[c] as number));
    expectWithin('col2im masked', found[i]?.masked ?? [], masked);
  });
});

it('max_pool2d takes the first largest of each window and tells which it was', async () => {
  const cases = laidOut(pools);
  // Numbers of five kinds: many ties. And ordinary ones.
  const trials = cases.flatMap(({ images }, i) => {
    const count = imageElements(images);
    const few = Float32Array.from(integers(count, i, 5), (v) => v - 2);
    return [few, floats(count, i)].map((x) => ({ x: byImages(x, images) }));
  });
  const caseOf = (i: number) => cases[i >> 1] as (typeof cases)[0];
  const found = await runEach(device(), trials, (r, { x }, i) => maxPool2d(r, { label, x, ...caseOf(i) }));
  trials.forEach(({ x }, i) => {
    const { images, windows } = caseOf(i);
    const exact = reference.maxPool2d(x.data, images, windows);
    expectWithin('max_pool2d', found[i]?.y ?? [], reference.within(exact.y, 0));
    expect([...(found[i]?.index ?? [])]).toEqual(exact.index);
  });
});

it('max_pool2d passes a NaN on, the last of several, and takes infinities as they are', async () => {
  const { images, windows } = windowsCase([1, 1, 3, 3], [3, 3]);
  const whole = { ...images, channelsLast: true };
  const [low, nan] = [Number.NEGATIVE_INFINITY, Number.NaN];
  const special = [low, low, nan, 1, Number.POSITIVE_INFINITY, nan, low, 2, low];
  const onlyLow = special.map(() => low);
  const first = [nan, ...onlyLow.slice(1)];
  const trials = [special, onlyLow, first, special.toReversed()].map((x) => ({ x: byImages(x, whole) }));
  const found = await runEach(device(), trials, (r, { x }) =>
    maxPool2d(r, { label, x, images: whole, windows }),
  );
  trials.forEach(({ x }, i) => {
    const exact = reference.maxPool2d(x.data, whole, windows);
    expectWithin('max_pool2d of NaN', found[i]?.y ?? [], reference.within(exact.y, 0));
    expect([...(found[i]?.index ?? [])]).toEqual(exact.index);
  });
  expect(found.map(({ index }) => index[0])).toEqual([5, 0, 0, 6]);

  // The same four as neighbouring channels.
  const four = { ...whole, channels: 4 };
  const x = byImages(
    special.flatMap((_, pixel) => trials.map((trial) => trial.x.data[pixel] as number)),
    four,
  );
  const together = await run(device(), { x }, (r, t) => maxPool2d(r, { label, ...t, images: four, windows }));
  expectWithin(
    'max_pool2d of NaN',
    together.y,
    reference.within(
      found.map(({ y }) => y[0] as number),
      0,
    ),
  );
  expect([...together.index]).toEqual([5, 0, 0, 6]);
});

it('max_pool2d_backward sends each gradient to the element that was the largest', async () => {
  const cases = laidOut(pools);
  const trials = cases.map(({ images, windows }, i) => {
    const x = Float32Array.from(integers(imageElements(images), i, 5));
    const out = outputs(images, windows);
    return {
      dy: byImages(floats(imageElements(out), i), out),
      index: u32(reference.maxPool2d(x, images, windows).index, ...imageShape(out)),
      mask: byImages(maskOf(imageElements(images), i + 1), images),
    };
  });
  const found = await runEach(device(), trials, (r, { dy, index, mask }, i) => {
    const of = { dy, index, ...(cases[i] as (typeof cases)[0]) };
    return {
      dx: maxPool2dBackward(r, { label, ...of }),
      masked: maxPool2dBackward(r, { label: 'm', ...of, mask }),
    };
  });
  cases.forEach(({ images, windows }, i) => {
    const { dy, index, mask } = trials[i] as (typeof trials)[0];
    const exact = reference.maxPool2dBackward(dy.data, index.data, images, windows);
    expectWithin('max_pool2d_backward', found[i]?.dx ?? [], exact);
    const masked = exact.map((d, c) => reference.masked(d, mask.data[c] as number));
    expectWithin('max_pool2d_backward masked', found[i]?.masked ?? [], masked);
  });
});

it('avg_pool2d and avg_pool2d_backward take the padding for zeros', async () => {
  const cases = laidOut(pools);
  const trials = cases.map(({ images, windows }, i) => {
    const [count, out] = [imageElements(images), outputs(images, windows)];
    return {
      x: byImages(floats(count, i), images),
      dy: byImages(floats(imageElements(out), i), out),
      mask: byImages(maskOf(count, i + 1), images),
    };
  });
  const found = await runEach(device(), trials, (r, { x, dy, mask }, i) => {
    const of = cases[i] as (typeof cases)[0];
    return {
      y: avgPool2d(r, { label, x, ...of }),
      dx: avgPool2dBackward(r, { label: 'dx', dy, ...of }),
      masked: avgPool2dBackward(r, { label: 'm', dy, ...of, mask }),
    };
  });
  cases.forEach(({ images, windows }, i) => {
    const { x, dy, mask } = trials[i] as (typeof trials)[0];
    expectWithin('avg_pool2d', found[i]?.y ?? [], reference.avgPool2d(x.data, images, windows));
    const exact = reference.avgPool2dBackward(dy.data, images, windows);
    expectWithin('avg_pool2d_backward', found[i]?.dx ?? [], exact);
    const masked = exact.map((d, c) => reference.masked(d, mask.data[c] as number));
    expectWithin('avg_pool2d_backward masked', found[i]?.masked ?? [], masked);
  });
});

it('transpose turns every matrix around, whatever its sizes', async () => {
  const sizes = [
    ...pairs(awkwardSizes.filter((size) => size < 70)).map(([rows, columns]) => [2, rows, columns] as const),
    [manyRows, 2, 3] as const,
    [1, manyRows, 3] as const,
  ];
  const trials = sizes.map(([batch, rows, columns], i) => {
    const x = floats(batch * rows * columns, i);
    x[0] = Number.NaN;
    return { x: f32(x, batch, rows, columns) };
  });
  const found = await runEach(device(), trials, (r, t) => ({ y: transpose(r, { label, ...t }) }));
  sizes.forEach(([, rows, columns], i) => {
    const exact = reference.transpose(trials[i]?.x.data ?? [], rows, columns);
    expectWithin('transpose', found[i]?.y ?? [], reference.within(exact, 0));
  });
});

it('add adds', async () => {
  const trials = [...awkwardSizes, manyRows].map((size) => {
    const a = floats(size, size);
    a[0] = Number.POSITIVE_INFINITY;
    return { a: f32(a, size), b: f32(floats(size, size + 1), size) };
  });
  const found = await runEach(device(), trials, (r, t) => ({ y: add(r, { label, ...t }) }));
  trials.forEach(({ a, b }, i) => {
    const exact = reference.add(a.data, b.data).with(0, { value: Number.POSITIVE_INFINITY, bound: 0 });
    expectWithin('add', found[i]?.y ?? [], exact);
  });
});

it.each([7, 8])('finds all elements in a grid of any shape, %i channels', async (channels) => {
  const { images, windows } = windowsCase([5, channels, 9, 8], [3, 2], { stride: [2, 1], padding: [1, 1] });
  const whole = { ...images, channelsLast: true };
  const of = { images: whole, windows };
  const out = outputs(whole, windows);
  const [count, outCount] = [imageElements(whole), imageElements(out)];
  const [rows, columns] = [windowCount(whole, windows), rowLength(whole, windows)];
  const [x, other, dy, dcolumns] = [
    floats(count, 1),
    floats(count, 2),
    floats(outCount, 3),
    floats(rows * columns, 4),
  ];
  const { y: largest, index } = reference.maxPool2d(x, whole, windows);
  const inputs = {
    x: byImages(x, whole),
    other: byImages(other, whole),
    dy: byImages(dy, out),
    index: u32(index, outCount),
    dcolumns: f32(dcolumns, rows, columns),
  };
  for (const height of [1, 2, 7]) {
    const found = await run(device(), inputs, (recorder, t) => {
      /** Spreads the same workgroups, and a few that have nothing to do, over so many rows of a grid. */
      const r: Recorder = {
        ...recorder,
        dispatch(kernel, request) {
          const [groups] = request.workgroups;
          recorder.dispatch(kernel, {
            ...request,
            workgroups: [Math.ceil(groups / height) + 1, height, 1],
          });
        },
      };
      return {
        columns: im2col(r, { label, x: t.x, ...of }),
        dx: col2im(r, { label, dcolumns: t.dcolumns, ...of }),
        largest: maxPool2d(r, { label, x: t.x, ...of }).y,
        dLargest: maxPool2dBackward(r, { label, dy: t.dy, index: t.index, ...of }),
        mean: avgPool2d(r, { label, x: t.x, ...of }),
        dMean: avgPool2dBackward(r, { label, dy: t.dy, ...of }),
        turned: transpose(r, { label, x: { ...t.x, shape: [5, 72, channels] } }),
        sum: add(r, { label, a: t.x, b: t.other }),
      };
    });
    const exact = (values: readonly number[]) => reference.within(values, 0);
    expectWithin('im2col', found.columns, exact(reference.im2col(x, whole, windows)));
    expectWithin('col2im', found.dx, reference.col2im(dcolumns, whole, windows));
    expectWithin('max_pool2d', found.largest, exact(largest));
    const dLargest = reference.maxPool2dBackward(dy, index, whole, windows);
    expectWithin('max_pool2d_backward', found.dLargest, dLargest);
    expectWithin('avg_pool2d', found.mean, reference.avgPool2d(x, whole, windows));
    expectWithin('avg_pool2d_backward', found.dMean, reference.avgPool2dBackward(dy, whole, windows));
    expectWithin('transpose', found.turned, exact(reference.transpose(x, 72, channels)));
    expectWithin('add', found.sum, reference.add(x, other));
  }
});
