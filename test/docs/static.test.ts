// What the documentation says, held without running it: programs are type-checked, commands parsed, links followed.
// How pages are written for this is at the head of pages.ts.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseCommand } from './options.ts';
import { type Block, isTranslation, pages, parsePage, root } from './pages.ts';
import { differing } from './printed.ts';
import { fileOf, makeProject, partsOf, programOf } from './programs.ts';
import { commandsOf } from './shell.ts';

const blocks = pages.filter((page) => !isTranslation(page)).flatMap((page) => page.blocks);
const of = (language: string) => blocks.filter((block) => block.language === language);
const at = ({ page, line }: Block) => `${page}:${line}`;
const named = (some: readonly Block[]) => some.map((block) => [at(block), block] as const);

const folder = mkdtempSync(join(tmpdir(), 'heddle-docs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('TypeScript', () => {
  const onPage = (block: Block) => pages.find(({ path }) => path === block.page)?.blocks ?? [];

  it('is a program in every block, or an excerpt of one', () => {
    makeProject(folder);
    const programs = of('ts').filter((block) => partsOf(block, onPage(block))[0] === block);
    for (const block of programs) writeFileSync(join(folder, fileOf(block)), programOf(block, onPage(block)));
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    // Lines of the page instead of those of the files that were made for it.
    const lines = stdout.replace(/^\S*?(\w+_md)_(\d+)\.ts\((\d+),/gm, (_, page, first, line) => {
      const block = programs.find((one) => fileOf(one) === `${page}_${first}.ts`);
      return `${block?.page}:${Number(first) + Number(line) - 1} (`;
    });
    expect(lines).toBe('');
    expect(programs.length).toBeGreaterThan(5);
  });

  it('is told when a block is wrong', () => {
    const wrong = parsePage(
      'x.md',
      '```ts\nimport { nn } from "heddle";\nnn.linear(1, "two");\n```\n',
    ).blocks;
    const elsewhere = join(folder, 'wrong');
    execFileSync('mkdir', [elsewhere]);
    makeProject(elsewhere);
    for (const block of wrong) writeFileSync(join(elsewhere, fileOf(block)), programOf(block, wrong));
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', elsewhere], { encoding: 'utf8' });
    expect(status).not.toBe(0);
    expect(stdout).toMatch(/x_md_1\.ts\(3,14\): error TS2345/);
  });

  it('has the lines of its parts as far apart as on the page', () => {
    const part = (code: string) => `<!-- doc: part p -->\n\`\`\`ts\n${code}\n\`\`\`\n`;
    const parts = parsePage('x.md', `${part('const a = 1;')}\nBetween.\n\n${part('nn.relu();')}`).blocks;
    const [program, ...others] = new Set(parts.map((one) => programOf(one, parts)));
    expect(others).toEqual([]);
    const lines = program?.split('\n') ?? [];
    expect(lines.indexOf('nn.relu();') - lines.indexOf('const a = 1;')).toBe(7);
  });
});

describe('commands', () => {
  it.each(named(of('sh')))('of %s have the options that the program has', (_, { text }) => {
    const commands = commandsOf(text);
    expect(commands.length).toBeGreaterThan(0);
    for (const words of commands) parseCommand(words);
  });

  // In the prose values may stand for others: RUN, N, lr=….
  const inProse = pages.flatMap(({ path, codes }) =>
    codes
      .filter(({ text }) => /^(npx heddle|heddle|npm) /.test(text))
      .map(({ line, text }) => [`${path}:${line}`, text.replace(/[[\]…]/g, '')] as const),
  );
  it.each(inProse)('in the prose of %s: %s', (_, text) => {
    for (const words of commandsOf(text)) parseCommand(words, false);
  });

  it('are refused where an option is not the program’s, or its value', () => {
    expect(() => parseCommand(['npx', 'heddle', 'train', '--epoch', '1'])).toThrow(/--epoch/);
    expect(() => parseCommand(['heddle', 'train', '--epochs', 'many'])).toThrow(/--epochs: found 'many'/);
    expect(() => parseCommand(['heddle', 'sweep', '--grid', 'lr=1,2', '--', '--epoch', '1'])).toThrow(
      /--epoch/,
    );
    expect(() => parseCommand(['npm', 'run', 'weave'])).toThrow(/no such script/);
    expect(commandsOf('A=1 heddle train --out \'a b\' \\\n --lr 1 > x 2>&1 & # not this\necho "b"')).toEqual([
      ['heddle', 'train', '--out', 'a b', '--lr', '1'],
      ['echo', 'b'],
    ]);
  });
});

const python = of('python');
it.each(named(python))('Python compiles: %s', (_, { text }) => {
  const file = join(folder, 'block.py');
  writeFileSync(file, `${text}\n`);
  const { status, stderr } = spawnSync('python3', ['-m', 'py_compile', file], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

it.each(named(of('json')))('JSON parses: %s', (_, { text }) => {
  expect(() => JSON.parse(text)).not.toThrow();
});

it.each(named(of('yaml')))('YAML parses: %s', (_, { text }) => {
  const documents = parseAllDocuments(text);
  expect(
    Array.isArray(documents) && documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
  ).toEqual([]);
});

const noEnd = /^(area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)$/;
it.each(named(of('html')))('HTML closes what it opens: %s', (_, { text }) => {
  const open: string[] = [];
  for (const [, slash, name] of text.matchAll(/<(\/?)([a-z][\w-]*)(?:\s[^<>]*)?>/gi)) {
    if (slash) expect(name).toBe(open.pop());
    else if (!noEnd.test(name as string)) open.push(name as string);
  }
  expect(open).toEqual([]);
});

const quoting = blocks.filter(({ note }) => note.from !== undefined);
it.each(named(quoting))('a source says what it is said to say: %s', (_, { text, note }) => {
  // String pieces that a line's end parts are one string.
  const source = readFileSync(join(root, note.from as string), 'utf8')
    .replace(/['`]\s*\+\s*['`]/g, '')
    .replace(/\$\{[^}]*\}/g, '…');
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) expect(source).toContain(line);
});

describe.each(pages)('$path', (page) => {
  const target = (link: string) => {
    const [path, anchor] = link.split('#') as [string, string | undefined];
    return { path: path === '' ? page.path : posix.normalize(posix.join(dirname(page.path), path)), anchor };
  };

  it('has links that lead somewhere', () => {
    const dead = page.links.filter(({ target: link }) => {
      if (/^https?:/.test(link)) return false;
      const { path, anchor } = target(link);
      if (!existsSync(join(root, path))) return true;
      return anchor !== undefined && !pages.find((other) => other.path === path)?.anchors.has(anchor);
    });
    expect(dead).toEqual([]);
  });

  it('has blocks in languages that are looked at', () => {
    const languages = ['ts', 'sh', 'python', 'json', 'yaml', 'html', ''];
    expect(page.blocks.filter(({ language }) => !languages.includes(language)).map(at)).toEqual([]);
  });
});

it.each(pages.filter(isTranslation))(
  '$path has the blocks of a page in English',
  ({ blocks: translated }) => {
    const english = new Set(blocks.map(({ language, text }) => `${language}\n${text}`));
    expect(translated.length).toBeGreaterThan(0);
    expect(translated.filter(({ language, text }) => !english.has(`${language}\n${text}`)).map(at)).toEqual(
      [],
    );
  },
);

it('printed lines are compared as pages.ts says', () => {
  expect(differing('a 1.00001\n…\nz', 'a  1.00002\nb\nc\nz\n')).toBeUndefined();
  expect(differing('a 1.5', 'a 1.6')).toMatch(/printed: a 1.6/);
  expect(differing('a', 'a\nb')).toMatch(/not shown: b/);
  expect(differing('a 7', 'a 8')).toMatch(/printed: a 8/);
  expect(differing('took … s', 'took 3.1 s')).toBeUndefined();
});
