// layer_norm.wgsl and layer_norm_backward.wgsl against float64, and the layer against PyTorch (test/fixtures/layer_norm.json).

import { describe, expect, it } from 'vitest';
import { nn } from '../../src/index.ts';
import { layerNorm } from '../../src/ops/layer_norm.ts';
import { layerNormBackward } from '../../src/ops/layer_norm_backward.ts';
import * as reference from '../../src/ops/reference.ts';
import fixtures from '../fixtures/layer_norm.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats, manyRows } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { runLayer } from '../support/layer-context.ts';
import { hostLayerNorm } from '../support/layer-norm.ts';
import { runEach } from '../support/run-each.ts';

const device = useDevice();
const label = 'y';

it.each([1, 3, 17, manyRows])('layer_norm and the way back, of %i rows of any length', async (rows) => {
  const widths = rows === manyRows ? [3] : awkwardSizes;
  const eps = 1e-3;
  const trials = widths.map((columns) => ({
    x: f32(
      floats(rows * columns, rows + columns).map((v, e) => v + (e % 5)),
      rows,
      columns,
    ),
    dy: f32(floats(rows * columns, 1), rows, columns),
    weight: f32(floats(columns, 2), columns),
    bias: f32(floats(columns, 3), columns),
    mean: f32(floats(rows, 4), rows),
    inverse: f32(floats(rows, 5, 0, 2), rows),
  }));
  const found = await runEach(device(), trials, (r, { x, dy, weight, bias, ...statistics }) => {
    const affine = layerNorm(r, { label, x, affine: { weight, bias }, eps });
    const bare = layerNorm(r, { label, x, eps });
    const back = { label, x, dy, statistics };
    const { dx, terms } = layerNormBackward(r, { ...back, weight, weightTerms: true });
    return {
      y: affine.y,
      mean: affine.mean,
      inverse: affine.inverse,
      yBare: bare.y,
      dx,
      terms: terms as NonNullable<typeof terms>,
      dxBare: layerNormBackward(r, back).dx,
      termsBare: layerNormBackward(r, { ...back, weightTerms: true }).terms as NonNullable<typeof terms>,
      dxNoTerms: layerNormBackward(r, { ...back, weight }).dx,
    };
  });
  widths.forEach((columns, i) => {
    const { x, dy, ...others } = trials[i] as (typeof trials)[0];
    const affine = { weight: others.weight.data, bias: others.bias.data };
    const exact = reference.layerNorm(x.data, columns, Math.fround(eps), affine);
    expectWithin('layer_norm', found[i]?.y ?? [], exact.y);
    expectWithin('mean of a row', found[i]?.mean ?? [], exact.mean);
    expectWithin('inverse of a row', found[i]?.inverse ?? [], exact.inverse);
    const bare = reference.layerNorm(x.data, columns, Math.fround(eps));
    expectWithin('layer_norm, not affine', found[i]?.yBare ?? [], bare.y);
    const given = { mean: others.mean.data, inverse: others.inverse.data };
    const back = reference.layerNormBackward(x.data, dy.data, columns, { ...given, weight: affine.weight });
    expectWithin('layer_norm dx', found[i]?.dx ?? [], back.dx);
    expectWithin('layer_norm terms', found[i]?.terms ?? [], back.terms);
    const bareBack = reference.layerNormBackward(x.data, dy.data, columns, given);
    expectWithin('layer_norm dx, not affine', found[i]?.dxBare ?? [], bareBack.dx);
    expect(found[i]?.termsBare).toEqual(found[i]?.terms);
    expect(found[i]?.dxNoTerms).toEqual(found[i]?.dx);
  });
});

it('a NaN in a row makes layer_norm of it NaN, and no other row', async () => {
  const x = floats(15, 1);
  x[7] = Number.NaN;
  const found = await runEach(device(), [{ x: f32(x, 3, 5) }], (r, t) => ({
    y: layerNorm(r, { label, ...t, eps: 1e-5 }).y,
  }));
  const y = [...(found[0]?.y ?? [])];
  expect(y.map(Number.isNaN)).toEqual(y.map((_, e) => e >= 5 && e < 10));
});

describe.each(fixtures.cases)('PyTorch’s layer norm of $shape, affine: $affine', (one) => {
  it.each([true, false])('fused: %s', async (fused) => {
    const [rows = 0, features = 0] = one.shape;
    const layer = nn.layerNorm(features, { eps: one.eps, affine: one.affine });
    const [weight, bias] = layer.parameters;
    weight?.data.set(one.weight);
    bias?.data.set(one.bias);
    const [x, dy] = [f32(one.x, rows, features), f32(one.dy, rows, features)];
    const found = await runLayer(device(), layer, { x, dy, fused });
    const affine = one.affine
      ? { weight: Float32Array.from(one.weight), bias: Float32Array.from(one.bias) }
      : undefined;
    const host = hostLayerNorm(x.data, dy.data, features, Math.fround(one.eps), affine);
    // PyTorch's numbers are float64's, written with ten digits.
    const theirs = (values: readonly number[], bounds: readonly reference.Bounded[]) =>
      values.map((value, i) => ({ value, bound: (bounds[i]?.bound ?? 0) + 1e-9 * Math.abs(value) }));
    expectWithin('layer norm', found.y, theirs(one.y, host.y));
    expectWithin('layer norm dx', found.dx ?? [], theirs(one.dx, host.dx));
    if (!one.affine) return;
    expectWithin('layer norm dweight', found.gradients.weight ?? [], theirs(one.dWeight, host.dweight));
    expectWithin('layer norm dbias', found.gradients.bias ?? [], theirs(one.dBias, host.dbias));
  });
});

it('refuses what is no row of its features', () => {
  expect(() => nn.layerNorm(3).outputShape([4])).toThrow(/nn\.layerNorm: rows are \[4\], expected \[3\]/);
  expect(() => nn.layerNorm(0)).toThrow(/features/);
  expect(() => nn.layerNorm(3, { eps: -1 })).toThrow(/eps -1/);
});
