// Contrast of the page's colours, computed from its style sheets by WCAG 2.2 (relative luminance, 1.4.3 and 1.4.11): of text
// at least 4.5 to 1, of what a picture or control is told by at least 3 to 1, in both themes.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const folder = join(import.meta.dirname, '..', '..', 'src', 'web', 'styles');
const sheets = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
const base = readFileSync(join(folder, 'base.css'), 'utf8');

type Rgb = readonly [number, number, number];

function rgb(hex: string): Rgb {
  const digits = hex.slice(1);
  const full = digits.length === 3 ? [...digits].map((one) => one + one).join('') : digits;
  if (!/^[\da-f]{6}$/.test(full)) throw new Error(`${hex}: expected a colour as #rgb or #rrggbb`);
  return [0, 2, 4].map((at) => Number.parseInt(full.slice(at, at + 2), 16)) as [number, number, number];
}

function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: Rgb, b: Rgb): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** As `color-mix(in srgb, …)` and `opacity` do. */
const mix = (a: Rgb, b: Rgb, share: number) =>
  a.map((value, i) => share * value + (1 - share) * (b[i] as number)) as unknown as Rgb;

function propertiesOf(selector: string): Map<string, string> {
  const start = base.indexOf(`${selector} {`);
  const block = base.slice(start, base.indexOf('}', start));
  return new Map(
    [...block.matchAll(/(--[\w-]+):\s*(#[\da-f]+);/g)].map(
      ([, name, value]) => [name, value] as [string, string],
    ),
  );
}
const light = propertiesOf(':root');
const dark = new Map([...light, ...propertiesOf(':root[data-theme="dark"]')]);

const surfaces = ['--page', '--surface', '--raised'];
/** Colours of text, and what it lies on. */
const texts: Readonly<Record<string, readonly string[]>> = {
  '--ink': surfaces,
  '--muted': surfaces,
  '--accent': ['--surface', '--raised'],
  '--on-accent': ['--accent'],
  '--right': ['--surface', '--raised'],
  '--wrong': ['--surface', '--raised'],
  '--warn': ['--surface', '--warn-surface'],
  '--bad': ['--surface', '--bad-surface'],
};
/** Lines, bars, dots, edges of controls, the ring of what has the focus. */
const runs = Array.from({ length: 8 }, (_, i) => `--run-${i}`);
const graphics: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(['--reference', '--hit', '--miss', ...runs].map((name) => [name, ['--surface']])),
  '--edge': ['--surface'],
  '--accent': surfaces,
  '--good': ['--raised'],
  '--warn': ['--raised'],
  '--bad': ['--bad-surface'],
  '--muted': ['--raised'],
};

describe.each([
  ['light', light],
  ['dark', dark],
] as const)('%s', (_, theme) => {
  const colour = (name: string) => rgb(theme.get(name) ?? name);
  const low = (pairs: typeof texts, least: number) =>
    Object.entries(pairs).flatMap(([over, unders]) =>
      unders
        .map((under) => ({ over, under, ratio: Number(contrast(colour(over), colour(under)).toFixed(2)) }))
        .filter(({ ratio }) => ratio < least),
    );

  test('text', () => expect(low(texts, 4.5)).toEqual([]));
  test('graphics', () => expect(low(graphics, 3)).toEqual([]));

  test('numbers on the matrix’s cells, however strong those are', () => {
    const found: string[] = [];
    for (const [tint, strong] of [
      ['--hit', 92],
      ['--miss', 100],
    ] as const)
      for (let strength = 0; strength <= 100; strength++) {
        const cell = mix(colour(tint), colour('--raised'), strength / 100);
        const ratio = contrast(strength > strong ? rgb('#fff') : colour('--on-cell'), cell);
        if (ratio < 4.5) found.push(`${tint} ${strength} %: ${ratio.toFixed(2)}`);
      }
    expect(found).toEqual([]);
  });

  test('names of curves that are hidden', () => {
    expect(contrast(mix(colour('--ink'), colour('--surface'), 0.7), colour('--surface'))).toBeGreaterThan(
      4.5,
    );
  });
});

test('no sheet has text in another colour', () => {
  const used = sheets.flatMap((sheet) =>
    [...sheet.matchAll(/[\s;{]color:\s*var\((--[\w-]+)\)/g)].map(([, name]) => name),
  );
  expect(used.length).toBeGreaterThan(20);
  expect([...new Set(used)].filter((name) => name !== '--on-cell' && !(String(name) in texts))).toEqual([]);
});
