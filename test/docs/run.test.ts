// Runs what the documentation says can be run, on this machine's adapter, and compares what it prints with what is shown.
// How pages are written for this is at the head of pages.ts.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FASHION_MNIST_FILES } from '../../src/data/fashion-mnist.ts';
import { loadFiles } from '../../src/platform/node-files.ts';
import { type Ended, nodeArguments, start, startProgram } from '../cli/support.ts';
import { torchPython } from '../support/python.ts';
import { type Block, isTranslation, pages, root } from './pages.ts';
import { differing } from './printed.ts';
import { fileOf, makeProject, programOf, textOf } from './programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'heddle-docs-run-'));
const programs = join(folder, 'bin');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const main = join(root, 'src', 'cli', 'main.ts');
const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(' ');
/** What stands on the PATH: the sources under the names that a user's machine has. */
const shims = {
  heddle: `exec ${quoted([process.execPath, ...nodeArguments, main])} "$@"`,
  npx: '[ "$1" = heddle ] || exit 127\nshift\nexec heddle "$@"',
  npm: '[ "$1" = start ] || exit 127\nshift\n[ "$1" = -- ] && shift\nexec heddle train "$@"',
  python3: `exec ${quoted([torchPython() ?? 'python3'])} "$@"`,
};

beforeAll(() => {
  mkdirSync(programs);
  for (const [name, script] of Object.entries(shims)) {
    writeFileSync(join(programs, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(programs, name), 0o755);
  }
});

// A stand-in for torchvision lies in this folder.
const env = {
  PATH: [programs, process.env.PATH].join(delimiter),
  PYTHONPATH: import.meta.dirname,
  PYTHONDONTWRITEBYTECODE: '1',
};

/** Puts FashionMNIST where torchvision has it for the root `data`: the stand-in downloads nothing. */
async function giveFashionMnist(cwd: string): Promise<void> {
  const raw = join(cwd, 'data', 'FashionMNIST', 'raw');
  mkdirSync(raw, { recursive: true });
  const names = FASHION_MNIST_FILES.files.map(({ name }) => name);
  for (const { name, bytes } of await loadFiles(FASHION_MNIST_FILES, names))
    writeFileSync(join(raw, name), bytes);
}

/** What a block becomes for a run: with the smaller numbers and so on of its note. */
function replaced(text: string, { page, line, note }: Block): string {
  return note.where.reduce((all, [from, to]) => {
    if (!all.includes(from)) throw new Error(`${page}:${line}: where ${from}, which is not there`);
    return all.replaceAll(from, to);
  }, text);
}

async function runBlock(block: Block, all: readonly Block[], cwd: string): Promise<Ended> {
  const shell = (script: string) => startProgram('sh', ['-e'], { cwd, env, input: `${script}\n` });
  if (block.note.printedBy !== undefined) return shell(block.note.printedBy);
  if (block.language === 'sh') return shell(replaced(block.text, block));
  if (block.language === 'python') {
    const text = textOf(block, all);
    if (text.includes('FashionMNIST')) await giveFashionMnist(cwd);
    return startProgram('python3', ['-'], { cwd, env, input: `${replaced(text, block)}\n` });
  }
  const file = join(cwd, fileOf(block));
  writeFileSync(file, replaced(programOf(block, all), block));
  return start(file, [], { cwd, env });
}

describe.each(pages.filter((page) => !isTranslation(page)))('$path', ({ path, blocks }) => {
  const cwd = join(folder, path.replace(/\W/g, '_'));
  const runnable = blocks.filter(({ note }) => note.run || note.printedBy !== undefined);

  beforeAll(() => {
    mkdirSync(cwd);
    makeProject(cwd);
  });

  it('says of each block without a language where it comes from', () => {
    const after = (block: Block) => blocks[blocks.indexOf(block) - 1];
    const loose = blocks.filter(
      (block) =>
        block.language === '' && !after(block)?.note.run && !block.note.printedBy && !block.note.from,
    );
    // Drawings and trees: nothing but a picture's lines tells them from what is printed.
    expect(loose.filter(({ text }) => !/[─►│]|^\w+\/ {2,}/m.test(text)).map(({ line }) => line)).toEqual([]);
  });

  // Python needs PyTorch where it is to be run; a machine without one has it compiled only.
  const possible = runnable.filter(({ language }) => language !== 'python' || torchPython() !== undefined);
  for (const block of possible) {
    it(`line ${block.line}: ${block.note.printedBy ?? block.text.split('\n')[0]}`, {
      timeout: 300_000,
    }, async () => {
      const { code, stdout, stderr } = await runBlock(block, blocks, cwd);
      expect(code, stderr).toBe(block.note.exit);
      const next = block.note.printedBy === undefined ? blocks[blocks.indexOf(block) + 1] : block;
      if (next?.language !== '' || (next !== block && next.note.printedBy)) return;
      const printed = block.note.exit === 0 ? stdout : stderr;
      const { prefix, within } = next.note;
      const shown = within ? `…\n${next.text}\n…` : next.text;
      expect(differing(shown, printed, prefix), `${printed}\n${stderr}`).toBeUndefined();
    });
  }
});
