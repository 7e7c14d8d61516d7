// The documentation's pages, taken apart: fenced blocks with the notes before them, commands in the prose, links.
//
// How a page is written so that tests hold it (pages: README.md and every .md below src/):
// - A ```ts block is a program, type-checked against the sources. One without imports is an excerpt: what it uses of heddle,
//   and readFile and writeFile, are imported for it, and a note says what else it takes for granted.
// - The `heddle`, `npx heddle` and `npm` commands of ```sh blocks, and those in the prose, go through the program's own parser.
// - ```python blocks are compiled; ```json, ```yaml and ```html blocks are parsed; links must lead somewhere.
// - A block without a language is shown as it stands; after a block that runs it is what that prints.
//
// A note is a comment in the line before a block, `<!-- doc: … -->`, of parts separated by semicolons:
//   run               run the block (ts, sh or python), in one folder for the page, in the page's order. A block without a
//                     language that comes next is what it prints on stdout, or on stderr where it fails
//   exit 3            the exit code that is expected instead of 0
//   where A => B      for the run, put B where the block has A (a smaller number, say); may be given several times
//   name program      gives a ts block a name
//   continues program a ts excerpt that goes on from that block
//   part program      of one program: its parts are the page's blocks of that name and language, run from the last one's note
//   with a, b         a ts excerpt that has these; `given` in programs.ts lists their types
//   printed by CMD    a block without a language is what this command prints
//   prefix            its lines may end sooner than the printed ones do
//   within            what is printed before the shown lines and after them does not count
//   from FILE         a block without a language whose lines a source file says, with ${…} where the lines have …
// Translations (*.zh-CN.md) need no notes: each of their blocks must be a block of a page in English.
// In printed text, numbers with a decimal point may be 1e-4 off, white space may differ, `…` stands for anything in a
// line, and alone in a line for any number of lines.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');

/** What a note says. */
export interface Note {
  readonly run: boolean;
  readonly prefix: boolean;
  readonly within: boolean;
  readonly exit: number;
  readonly where: readonly (readonly [string, string])[];
  readonly with: readonly string[];
  readonly name?: string;
  readonly continues?: string;
  readonly part?: string;
  readonly printedBy?: string;
  readonly from?: string;
}

/** A fenced block. */
export interface Block {
  readonly page: string;
  /** The line of its fence, from 1. */
  readonly line: number;
  /** Empty when none is named. */
  readonly language: string;
  readonly text: string;
  readonly note: Note;
}

/** A page. */
export interface Page {
  readonly path: string;
  readonly blocks: readonly Block[];
  /** Inline code of the prose. */
  readonly codes: readonly { readonly line: number; readonly text: string }[];
  readonly links: readonly { readonly line: number; readonly target: string }[];
  /** What links to headings end in. */
  readonly anchors: ReadonlySet<string>;
}

const known = /^(run|prefix|within|exit|where|with|name|continues|part|printed by|from)\b\s*/;

function noteOf(text: string, at: string): Note {
  const note: { -readonly [K in keyof Note]: Note[K] } = {
    run: false,
    prefix: false,
    within: false,
    exit: 0,
    where: [],
    with: [],
  };
  for (const part of text.split(';').map((one) => one.trim())) {
    if (part === '') continue;
    const word = known.exec(part)?.[1];
    if (word === undefined) throw new Error(`${at}: a note that says '${part}'`);
    const rest = part.slice(word.length).trim();
    if (word === 'run') note.run = true;
    else if (word === 'prefix' || word === 'within') note[word] = true;
    else if (word === 'exit') note.exit = Number(rest);
    else if (word === 'with') note.with = rest.split(',').map((one) => one.trim());
    else if (word === 'where') {
      const [from, to] = rest.split(/\s*=>\s*/);
      if (!from || to === undefined) throw new Error(`${at}: a note that says '${part}'`);
      note.where = [...note.where, [from, to]];
    } else if (word === 'printed by') note.printedBy = rest;
    else if (word === 'name') note.name = rest;
    else if (word === 'continues') note.continues = rest;
    else if (word === 'part') note.part = rest;
    else note.from = rest;
  }
  return note;
}

/** The end of the link to a heading, as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading
    .replace(/[`*]/g, '')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');

/** Takes a page apart. Throws where a fence is left open or a note says what nobody understands. */
export function parsePage(path: string, text: string): Page {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  const codes: { line: number; text: string }[] = [];
  const links: { line: number; target: string }[] = [];
  const anchors = new Set<string>();
  let pending = '';
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    const fence = /^```(\w*)\s*$/.exec(line);
    if (fence) {
      const end = lines.indexOf('```', i + 1);
      if (end < 0) throw new Error(`${path}:${i + 1}: a block without an end`);
      const note = noteOf(pending, `${path}:${i + 1}`);
      const body = lines.slice(i + 1, end).join('\n');
      blocks.push({ page: path, line: i + 1, language: fence[1] as string, text: body, note });
      pending = '';
      i = end;
      continue;
    }
    const note = /^<!-- doc: (.*) -->$/.exec(line);
    if (note) {
      pending = note[1] as string;
      continue;
    }
    if (pending !== '') throw new Error(`${path}:${i + 1}: a note that stands before no block`);
    const heading = /^#+ (.*)$/.exec(line);
    if (heading) anchors.add(anchorOf(heading[1] as string));
    for (const [, code] of line.matchAll(/`([^`]+)`/g)) codes.push({ line: i + 1, text: code as string });
    for (const [, target] of line.replace(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g))
      links.push({ line: i + 1, target: target as string });
  }
  return { path, blocks, codes, links, anchors };
}

/** All pages, README.md first. */
export const pages: readonly Page[] = [
  'README.md',
  ...readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `src/${file.replaceAll('\\', '/')}`)
    .sort(),
].map((path) => parsePage(path, readFileSync(join(root, path), 'utf8')));

/** Whether a page is a translation, whose blocks are another page's. */
export const isTranslation = ({ path }: Page) => /\.[a-z]{2}-[A-Z]{2}\.md$/.test(path);
