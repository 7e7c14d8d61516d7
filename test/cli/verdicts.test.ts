// Verdicts on an adapter's kernels: what is kept for which model, and which way of training follows from all of them.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { applyVerdicts, choiceText, rememberVerdict } from '../../src/cli/verdicts.ts';
import type { Device, KernelChoice } from '../../src/index.ts';
import { temporaryFolder } from './support.ts';

const info = {
  vendor: 'v',
  architecture: 'a',
  device: 'd',
  description: 'an adapter',
  backend: 'vulkan',
  software: true,
  subgroupSize: 8,
};
/** As much of a device as a verdict asks for. */
const device = { info, avoided: new Set<string>() } as unknown as Device;

const fast: KernelChoice = { avoid: [], plain: false };
const tile: KernelChoice = { avoid: ['matmul_subgroup'], plain: false };
const plain: KernelChoice = { avoid: [], plain: true };
const plainTile: KernelChoice = { avoid: ['matmul_subgroup'], plain: true };

let cache: string;
const kept = () => {
  const folder = join(cache, 'heddle', 'kernels');
  return existsSync(folder) ? readdirSync(folder) : [];
};

beforeEach(() => {
  cache = temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', cache);
  return () => vi.unstubAllEnvs();
});

describe('without a verdict', () => {
  test.each([false, true])('training is as asked: plain %s', (asked) => {
    const { choice, notice } = applyVerdicts(device, { plain: asked });
    expect([choice, notice]).toEqual([{ avoid: [], plain: asked }, '']);
  });
});

describe('a verdict', () => {
  test('is kept until the same model is found right', () => {
    rememberVerdict(device, 'one', { wrong: ['matmul_subgroup'], right: [tile, plainTile] });
    rememberVerdict(device, 'two', { wrong: [], right: [fast, tile, plain, plainTile] });
    expect(kept()).toHaveLength(1);
    const { device: on, choice, notice } = applyVerdicts(device, { plain: false });
    expect(choice).toEqual(tile);
    expect([...on.avoided]).toEqual(['matmul_subgroup']);
    expect(notice).toContain(
      'found matmul_subgroup wrong on this adapter: training without matmul_subgroup\n',
    );
    rememberVerdict(device, 'one', { wrong: [], right: [fast] });
    expect(kept()).toEqual([]);
  });

  test('holds for the plain plan too when that is asked for', () => {
    rememberVerdict(device, 'one', { wrong: ['relu'], right: [fast, tile] });
    expect(applyVerdicts(device, { plain: false }).choice).toEqual(fast);
    expect(() => applyVerdicts(device, { plain: true })).toThrow(
      /found no plain kernels that give right numbers \(wrong: relu\)\. .* of the same model \(one\) lifts this/,
    );
  });

  test('of several models leaves the ways that are right for all of them', () => {
    rememberVerdict(device, 'one', { wrong: ['matmul_subgroup'], right: [tile, plain, plainTile] });
    rememberVerdict(device, 'two', { wrong: ['cross_entropy'], right: [plain, plainTile] });
    expect(applyVerdicts(device, { plain: false }).choice).toEqual(plain);
    rememberVerdict(device, 'three', { wrong: ['matmul_subgroup'], right: [tile] });
    expect(() => applyVerdicts(device, { plain: false })).toThrow(/\(one; two; three\)/);
  });

  test('that is damaged is told, with its file', () => {
    rememberVerdict(device, 'one', { wrong: ['sgd'], right: [] });
    const path = join(cache, 'heddle', 'kernels', kept()[0] as string);
    writeFileSync(path, '{');
    expect(() => applyVerdicts(device, { plain: false })).toThrow(
      `${path}, what \`heddle doctor\` found, is damaged`,
    );
  });

  test('that cannot be kept says why', () => {
    mkdirSync(join(cache, 'heddle'));
    writeFileSync(join(cache, 'heddle', 'kernels'), 'in the way');
    expect(() => rememberVerdict(device, 'one', { wrong: ['sgd'], right: [] })).toThrow(
      /kernels.*(EEXIST|ENOTDIR)/,
    );
  });
});

test.each([
  [fast, 'with the fast kernels'],
  [tile, 'without matmul_subgroup'],
  [plainTile, 'without matmul_subgroup and with the plain plan, one kernel per operation'],
])('%o is %s', (choice, text) => {
  expect(choiceText(choice)).toBe(text);
});
