// Makes whole programs of a page's TypeScript blocks, in a folder that has what a user's project has: heddle in
// node_modules, here the sources.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as heddle from '../../src/index.ts';
import { type Block, root } from './pages.ts';

/** What excerpts may take for granted with a note `with …`, and of what type it is. */
const given: Readonly<Record<string, string>> = {
  device: "import('heddle').Device",
  trainer: "import('heddle').Trainer",
  train: "import('heddle').DataLoader",
  test: "import('heddle').DataLoader",
  loader: "import('heddle').DataLoader",
  model: "ReturnType<typeof import('heddle').nn.sequential>",
  loss: "ReturnType<typeof import('heddle').nn.crossEntropyLoss>",
  optimizer: "ReturnType<typeof import('heddle').optim.sgd>",
  evaluation: "import('heddle').Evaluation",
};

const files = ['readFile', 'writeFile'];
const importLine = /^import\b[\s\S]*?from '[^']+';$/gm;

const uses = (code: string, name: string) => new RegExp(`(?<![.\\w'])${name}\\b(?!\\s*:)`).test(code);

/** One line that imports what an excerpt uses, apart from `has`. */
function importsFor(code: string, has = ''): string {
  const wanted = (names: readonly string[]) => names.filter((name) => uses(code, name) && !uses(has, name));
  const from = (names: readonly string[], module: string) =>
    names.length === 0 ? '' : `import { ${names.join(', ')} } from '${module}'; `;
  return from(wanted(Object.keys(heddle)), 'heddle') + from(wanted(files), 'node:fs/promises');
}

/** The blocks that make a program with this one, in the page's order: itself, unless it is a part. */
export const partsOf = (block: Block, others: readonly Block[]): readonly Block[] =>
  block.note.part === undefined
    ? [block]
    : others.filter(({ note, language }) => note.part === block.note.part && language === block.language);

/** The text of a block, or of all the parts of its program, as far apart as on the page: line numbers stay right. */
export function textOf(block: Block, others: readonly Block[]): string {
  const lines: string[] = [];
  const parts = partsOf(block, others);
  for (const { text, line } of parts) {
    while (lines.length < line - (parts[0] as Block).line) lines.push('');
    lines.push(...text.split('\n'));
  }
  return lines.join('\n');
}

/** The program that a block is, with what comes before it. A first line is added, and nothing else above the block. */
export function programOf(block: Block, others: readonly Block[]): string {
  const { note, page, line } = block;
  const text = textOf(block, others);
  const at = `${page}:${line}`;
  if (note.continues !== undefined) {
    const before = others.find((other) => other.note.name === note.continues);
    if (before === undefined)
      throw new Error(`${at}: continues ${note.continues}, which is not on this page`);
    const start = programOf(before, others);
    const imports = (start.match(importLine) ?? []).join('\n');
    const ends = /^(?:trainer|device)\.destroy\(\);\n?/gm;
    const [kept, last] = [start.replace(ends, ''), (start.match(ends) ?? []).join('')];
    return `${importsFor(text, imports)}${kept}\n{\n${text}\n}\n${last}`;
  }
  const declared = note.with.map((name) => {
    const type = given[name];
    if (type === undefined)
      throw new Error(`${at}: with ${name}, expected one of ${Object.keys(given).join(', ')}`);
    return `declare const ${name}: ${type};`;
  });
  const imports = /^import\b/m.test(text) ? '' : importsFor(text);
  return `${imports}${declared.join(' ')} export {};\n${text}\n`;
}

/** The file that holds a block's program, in the folder of `makeProject`. */
export const fileOf = ({ page, line }: Block) => `${page.replace(/\W/g, '_')}_${line}.ts`;

/** Makes an empty folder a project that has heddle, and the types that its users have. */
export function makeProject(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  symlinkSync(root, join(modules, 'heddle'), 'dir');
  for (const name of ['@types', '@webgpu', 'vite']) {
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'dir');
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  const compilerOptions = {
    rootDir: '/',
    allowJs: false,
    checkJs: false,
    noUnusedLocals: false, // excerpts show how something comes about, not what becomes of it
    noUnusedParameters: false,
  };
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
}
