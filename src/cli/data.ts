// `heddle data`: where the data sets are on this machine, whether they are sound, and the way to get them.

import { dirname } from 'node:path';
import type { Command } from 'commander';
import * as v from 'valibot';
import { HeddleError, messageOf } from '../errors.ts';
import { entriesOf, type FileEntry, type FileSet, type LoadFilesOptions } from '../platform/files.ts';
import { loadFiles } from '../platform/node-files.ts';
import { type Found, findFile, type Places, placesOf, readVerified } from '../platform/node-locate.ts';
import { bytesText } from '../recipes/units.ts';
import { downloadLine } from './download-line.ts';
import { fileSets } from './load-data.ts';
import { fileSetNames, parseOptions, trainOptions } from './options.ts';
import type { Session } from './session.ts';
import type { Output } from './sinks.ts';
import { table } from './table.ts';
import { oneOf } from './values.ts';

const actions = ['status', 'verify', 'download', 'path'] as const;
type Action = (typeof actions)[number];

const { data, json } = trainOptions.entries;
const dataOptions = v.object({ dataset: v.exactOptional(oneOf(...fileSetNames)), data, json });
type DataOptions = v.InferOutput<typeof dataOptions>;

const examples = `
Actions:
  status      where each file is, and how large (the default)
  verify      reads all files that are there and checks their sums; exit code 4 when one is wrong,
              or when one is missing of a data set that was named
  download    fetches what is missing of a data set (default: fashion-mnist) into the user's cache
  path        the folder that a data set (default: fashion-mnist) is taken from, or would be put into

Examples:
  heddle data
  heddle data verify --dataset mnist
  heddle data download --dataset kmnist
  ls "$(heddle data path)"`;

/** Adds the command to the program. */
export function registerData(program: Command, session: Session): void {
  program
    .command('data')
    .description('Find, verify or download the data sets.')
    .argument('[action]', 'status, verify, download or path', 'status')
    .option('--dataset <name>', 'fashion-mnist, mnist or kmnist')
    .option('--data <dir>', 'folder that has the data set’s files')
    .option('--json', 'JSON lines on stdout, nothing else')
    .addHelpText('after', examples)
    .action(async (action: string, raw: Record<string, unknown>) => {
      const known = actions.find((name) => name === action);
      if (known === undefined)
        throw new HeddleError('usage', `found '${action}', expected one of ${actions.join(', ')}`);
      const options = parseOptions(dataOptions, raw);
      const all = fileSetNames.map((name) => fileSets[name].files);
      session.exitCode = await runData(known, options, {
        sets: all,
        stdout: process.stdout,
        stderr: process.stderr,
      });
    });
}

/** What the command works on; tests have their own. */
export interface DataHost {
  /** Those with files; the first is the default of `download` and `path`. */
  readonly sets: readonly FileSet[];
  readonly stdout: Output;
  readonly stderr: Output;
  readonly limits?: LoadFilesOptions['limits'];
}

/** Runs the command and returns its exit code. Throws `data` for a folder that is none, and for a download that fails. */
export async function runData(
  action: Action,
  options: Partial<Pick<DataOptions, 'data' | 'json'>> & { readonly dataset?: string },
  host: DataHost,
): Promise<number> {
  const { dataset } = options;
  const several = action === 'status' || action === 'verify';
  if (options.data !== undefined && several && dataset === undefined)
    throw new HeddleError('usage', `--data needs --dataset: each data set has a folder of its own`);
  if (options.data !== undefined && action === 'download')
    throw new HeddleError('usage', '--data and download exclude each other: downloads go to the cache');
  const named = host.sets.filter(({ name }) => dataset === undefined || name === dataset);
  const sets = several ? named : named.slice(0, 1);
  if (action === 'download') for (const set of sets) await download(set, host);

  let sound = true;
  for (const set of sets) {
    const state = await stateOf(set, options.data, action === 'verify');
    if (action === 'path') writePath(state, options.json === true, host);
    else host.stdout.write(options.json === true ? jsonLines(state) : text(state, host.sets));
    const wrong = state.files.filter(({ reason }) => reason !== undefined);
    for (const { reason } of wrong) host.stderr.write(`heddle data: ${reason}\n`);
    const missing = state.files.some(({ found }) => found === undefined);
    if (action === 'verify' && (wrong.length > 0 || (missing && dataset !== undefined))) sound = false;
  }
  return sound ? 0 : 4;
}

/** A file of a set on this machine; `checked` unless nobody has looked into it. */
interface FileState {
  readonly entry: FileEntry;
  readonly found: Found | undefined;
  readonly checked: boolean;
  /** Why it is not what it should be. */
  readonly reason?: string;
}

interface SetState {
  readonly set: FileSet;
  readonly places: Places;
  readonly files: readonly FileState[];
}

async function stateOf(set: FileSet, folder: string | undefined, check: boolean): Promise<SetState> {
  const places = await placesOf(set, folder);
  const files: FileState[] = [];
  for (const entry of set.files) {
    const found = await findFile(places.folders, entry);
    const checked = check && found !== undefined;
    const reason = checked ? await faultOf(found.path, entry) : undefined;
    files.push({ entry, found, checked, ...(reason !== undefined && { reason }) });
  }
  return { set, places, files };
}

async function faultOf(path: string, entry: FileEntry): Promise<string | undefined> {
  try {
    await readVerified(path, entry);
    return undefined;
  } catch (error) {
    if (error instanceof HeddleError) return messageOf(error);
    throw error;
  }
}

async function download(set: FileSet, { stderr, limits }: DataHost): Promise<void> {
  const line = downloadLine(stderr);
  const { given } = await placesOf(set, undefined);
  if (given !== undefined)
    throw new HeddleError('usage', `${set.name} is taken from ${given}: unset ${set.variable} to download`);
  let lost = '';
  try {
    for (const { name } of entriesOf(
      set,
      set.files.map((file) => file.name),
    )) {
      await loadFiles(set, [name], {
        limits,
        onProgress: line.show,
        onNotice: (notice) => {
          lost = notice;
        },
      });
    }
  } finally {
    line.wipe();
  }
  if (lost !== '') throw new HeddleError('data', lost); // here to keep it is all that was asked for
}

const isPacked = ({ path }: Found) => path.endsWith('.gz');

/** What is to be said of a file: its state in a word, and in what form it is there. */
function describe({ entry, found, checked, reason }: FileState): [state: string, form: string, size: string] {
  if (found === undefined) return ['missing', '', ''];
  const known = 'sha256' in entry || isPacked(found);
  const state = reason !== undefined ? 'wrong' : !checked ? 'found' : known ? 'ok' : 'ok by length';
  return [state, isPacked(found) ? 'packed' : 'unpacked', bytesText(found.bytes)];
}

function text(state: SetState, sets: readonly FileSet[]): string {
  const { set, places, files } = state;
  const folders = new Set(files.flatMap(({ found }) => (found === undefined ? [] : [dirname(found.path)])));
  const [only] = folders;
  const head = folders.size === 1 ? `${set.name}  ${only}\n` : `${set.name}\n`;
  const rows = files.map((file) => {
    const cells = [file.entry.name, ...describe(file)];
    return folders.size > 1 ? [...cells, file.found === undefined ? '' : dirname(file.found.path)] : cells;
  });
  const isDefault = set === sets[0];
  const command = `heddle data download${isDefault ? '' : ` --dataset ${set.name}`}`;
  const incomplete = files.some(({ found }) => found === undefined) && places.given === undefined;
  const advice = incomplete ? `  \`${command}\` fetches what is missing\n` : '';
  return `${head}${table(rows, { indent: '  ', align: 'lllr' })}${advice}`;
}

function jsonLines({ set, files }: SetState): string {
  return files
    .map((file) => {
      const { entry, found, reason } = file;
      const where = found && { path: found.path, packed: isPacked(found), bytes: found.bytes };
      const [state] = describe(file);
      const line = { type: 'file', dataset: set.name, file: entry.name, state, ...where };
      return `${JSON.stringify(reason === undefined ? line : { ...line, reason })}\n`;
    })
    .join('');
}

/** The folder of the first file that is there, else the one that it would be put into. */
function writePath({ set, places, files }: SetState, json: boolean, { stdout, stderr }: DataHost): void {
  const first = files.find(({ found }) => found !== undefined)?.found;
  const path = first === undefined ? (places.given ? places.folders[0]! : places.cache) : dirname(first.path);
  const missing = files.filter(({ found }) => found === undefined);
  if (missing.length > 0)
    stderr.write(`${set.name}: ${missing.length} of ${files.length} files are missing\n`);
  stdout.write(json ? `${JSON.stringify({ type: 'path', dataset: set.name, path })}\n` : `${path}\n`);
}
