// The API reference comes out of the sources' comments without a warning, and its pages' links lead somewhere.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { root } from './pages.ts';

const folder = mkdtempSync(join(tmpdir(), 'heddle-reference-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('is built without a warning, and links to nothing that is missing', () => {
  const script = join(root, 'scripts', 'docs.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
  expect(`${stdout}${stderr}`).not.toMatch(/warning|error/i);
  expect(status).toBe(0);
  for (const page of [
    'functions/src.createTrainer.html',
    'functions/src.nn.linear.html',
    'documents/src_README.html',
  ])
    expect(existsSync(join(folder, page)), page).toBe(true);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.html'),
  );
  const dead = files.flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/ (?:href|src)="([^"#?]+)[#?]?[^"]*"/g)]
      .map(([, target]) => target as string)
      .filter((target) => !/^(https?|data):/.test(target))
      .filter((target) => !existsSync(join(folder, dirname(file), decodeURI(target))))
      .map((target) => `${file} → ${target}`),
  );
  expect(files.length).toBeGreaterThan(100);
  expect(dead).toEqual([]);
});
