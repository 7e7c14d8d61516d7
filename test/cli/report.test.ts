import { describe, expect, it } from 'vitest';
import { lossPicture } from '../../src/cli/report-charts.ts';
import { reportPage } from '../../src/cli/report-page.ts';
import { faultOf } from '../support/well-formed.ts';
import { listed } from './runs-support.ts';

const hostile = `</title><script>alert(1)</script><img src=x onerror="a">'&\u0000\ud800]]>`;
const runs = [
  listed({ name: 'plain', accuracies: [0.5, 0.75, 0.875] }),
  listed({
    ...{ name: hostile, status: hostile, options: { dataset: hostile, [hostile]: hostile } },
    record: { model: hostile, error: hostile, adapter: { description: hostile }, started: hostile },
    accuracies: [0.25],
  }),
  listed({ name: 'nothing yet', status: 'running' }),
];
const now = new Date(2026, 10, 24, 8, 0);

describe.each([
  ['page', (list: typeof runs) => reportPage(list, now)],
  ['picture', lossPicture],
])('the %s', (_, make) => {
  const found = { elements: [] as string[], attributes: [] as [string, string][] };
  const text = make(runs);

  it('is well-formed, whatever runs are called', () => {
    expect(faultOf(text, found)).toBeUndefined();
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  it('has no scripts, and takes nothing from elsewhere', () => {
    for (const element of ['script', 'img', 'link', 'iframe', 'object', 'image', 'use', 'foreignObject'])
      expect(found.elements).not.toContain(element);
    const keys = found.attributes.map(([key]) => key);
    expect(keys.filter((key) => /^on|href|^src|^style$/.test(key))).toEqual([]);
    const schemes = found.attributes.filter(([, value]) => /\w+:\/\//.test(value)).map(([key]) => key);
    expect(schemes.filter((key) => key !== 'xmlns')).toEqual([]);
    expect(text).not.toMatch(/@import|url\((?!#)/);
  });

  it('goes with a light and a dark ground', () => {
    expect(text).toContain('@media (prefers-color-scheme: dark)');
  });

  it('shows each run’s curve, raw and smoothed, and its values when pointed at', () => {
    const curves = text.split('\n').filter((line) => line.startsWith('<path class="raw"'));
    expect(curves.length).toBe(2); // the third has logged nothing
    expect(text).toContain('<title>plain: 1.5000 at step 1</title>');
  });

  it('of runs without a step says so', () => {
    const empty = make(runs.slice(2));
    expect(faultOf(empty)).toBeUndefined();
    expect(empty).toContain('No run has logged a step yet.');
  });
});

it('the page has a chart of each kind, and a table with what is best of all marked', () => {
  const page = reportPage([...runs, listed({ name: 'other', accuracies: [0.1], options: { lr: 0.5 } })], now);
  for (const title of ['training loss', 'test accuracy', 'test loss'])
    expect(page).toContain(`role="img" aria-label="${title}"`);
  expect(page).toContain('<title>plain: 87.50 % at epoch 3</title>');
  expect(page).toContain('<td class="r best">87.50 % (3)</td>');
  expect(page.match(/class="r best"/g)?.length).toBe(3); // accuracy, train loss, test loss
  expect(page).toContain('<th>lr</th>');
  expect(page).toContain('2026-11-24 08:00');
  const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
});
