// The house rules that a machine can check: imports point down, nothing reaches into Node but what may, and every shader
// has its launcher and its test. (That it has a check, the type of `trials` says.)

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allKernels } from '../src/ops/kernels.generated.ts';

const root = join(import.meta.dirname, '..');

/** Lower storeys first; a file may import from storeys below its own and from its own folder. */
const storeys = [
  ['errors.ts'],
  ['platform', 'random'],
  ['gpu'],
  ['ops'],
  ['nn', 'optim', 'data'],
  ['io'],
  ['train'],
  ['index.ts'],
  ['recipes'],
  ['cli', 'web'],
];
const storeyOf = (room: string) => storeys.findIndex((rooms) => rooms.includes(room));
const roomOf = (file: string) => file.split('/')[0] as string;

const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => /\.tsx?$/.test(file) && !file.includes('.generated.'));

function importsOf(file: string): string[] {
  const source = readFileSync(join(root, 'src', file), 'utf8');
  return [...source.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map((match) => match[1] as string);
}

describe.each(files)('src/%s', (file) => {
  it('lives on a storey', () => {
    expect(
      storeyOf(roomOf(file)),
      `${roomOf(file)} is not in the picture of the house`,
    ).toBeGreaterThanOrEqual(0);
  });

  it('imports from its own folder and from below', () => {
    const wrong = importsOf(file).filter((target) => {
      if (target === '#platform') return storeyOf(roomOf(file)) <= storeyOf('platform');
      if (!target.startsWith('.')) return false;
      const room = roomOf(posix.normalize(posix.join(dirname(file), target)));
      return room !== roomOf(file) && storeyOf(room) >= storeyOf(roomOf(file));
    });
    expect(wrong).toEqual([]);
  });

  it('leaves Node to the command line and to platform/node', () => {
    const mayUseNode = roomOf(file) === 'cli' || /^platform\/(?!browser)/.test(file);
    if (!mayUseNode) expect(importsOf(file).filter((target) => target.startsWith('node:'))).toEqual([]);
  });
});

describe('shaders/', () => {
  const shaders = readdirSync(join(root, 'shaders'));
  const naming = (folder: string, file: string) =>
    readdirSync(join(root, folder)).filter(
      (name) =>
        /(?<!\.generated)\.ts$/.test(name) && readFileSync(join(root, folder, name), 'utf8').includes(file),
    );

  it('are all in the generated list', () => {
    expect(allKernels.map(({ name }) => `${name}.wgsl`).sort()).toEqual(shaders.sort());
  });

  it.each(shaders)('%s opens with a comment, and a launcher and a test name it', (file) => {
    expect(readFileSync(join(root, 'shaders', file), 'utf8')).toMatch(/^\/\/ .*\n/);
    expect(naming('src/ops', file), `no launcher names ${file}`).not.toEqual([]);
    expect(naming('test/ops', file), `no test names ${file}`).not.toEqual([]);
  });
});
