// Runs the command line as a user's shell does: a process of its own, in a folder of its own. Sources, not the build.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll } from 'vitest';
import type { CliEvent, Output } from '../../src/cli/sinks.ts';

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds from the last output to the end. */
  readonly lingered: number;
}

/** Options of `start`. */
export interface StartOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Modules to load first. */
  readonly imports?: readonly string[];
  /** What stdin has. Default: nothing. */
  readonly input?: Uint8Array | string;
  /** Gives the process a process group of its own, as a terminal does. */
  readonly group?: boolean;
  /** Called with everything stdout has said so far, each time it says more. */
  readonly onStdout?: (text: string, child: ChildProcess) => void;
}

const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm')).href;
/** Node's arguments that make it run TypeScript sources. */
export const nodeArguments = ['--conditions=heddle-source', '--import', tsx];
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder that goes away with the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-cli-'));
  folders.push(folder);
  return folder;
}

/** Runs a TypeScript file with arguments until it ends. */
export function start(file: string, args: readonly string[], options: StartOptions): Promise<Ended> {
  const loaded = (options.imports ?? []).flatMap((path) => ['--import', path]);
  return startProgram(process.execPath, [...nodeArguments, ...loaded, file, ...args], options);
}

/** Runs any program until it ends. */
export function startProgram(
  program: string,
  args: readonly string[],
  options: Omit<StartOptions, 'imports'>,
): Promise<Ended> {
  const { cwd, env = {}, input = new Uint8Array(), group = false, onStdout } = options;
  const child = spawn(program, args, {
    cwd,
    detached: group,
    env: { ...process.env, NO_COLOR: '1', HEDDLE_DEBUG: undefined, HEDDLE_REEXEC: undefined, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined).end(input); // it may not be read
  let [stdout, stderr] = ['', ''];
  let last = performance.now();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    last = performance.now();
    onStdout?.(stdout, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    last = performance.now();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      resolve({ code, stdout, stderr: ownLines(stderr), lingered: performance.now() - last }),
    );
  });
}

/** Runs `heddle` with arguments until it ends. */
export function heddle(args: readonly string[], options: StartOptions): Promise<Ended> {
  return start(main, args, options);
}

/** Keeps Mesa's compiled shaders where they are for a process that is given another cache of its own. */
const shaderCache = {
  MESA_SHADER_CACHE_DIR:
    process.env.MESA_SHADER_CACHE_DIR ?? (process.env.XDG_CACHE_HOME || join(homedir(), '.cache')),
};

/** A cache folder of its own for Heddle. */
export const withCache = (folder: string) => ({ XDG_CACHE_HOME: folder, ...shaderCache });

/** No Vulkan driver, and no cached one either. */
export const noDriver = (cache: string) => ({
  VK_ICD_FILENAMES: '/nonexistent.json',
  VK_DRIVER_FILES: '/nonexistent.json',
  ...withCache(cache),
});

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The objects of JSON lines. */
export const records = (lines: string): Record<string, unknown>[] =>
  lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** What Heddle itself said: Dawn and the Vulkan loader write to stderr too, past Node. */
function ownLines(stderr: string): string {
  return stderr.replace(/^Warning: .*\n(\s+at .*\n|\n)*/gm, '');
}

/** A stream that remembers. */
export function fakeOutput(terminal: Omit<Output, 'write'> = {}): Output & { readonly text: string } {
  let text = '';
  return {
    ...terminal,
    get text() {
      return text;
    },
    write(more) {
      text += more;
    },
  };
}

/** A short run's events, as the engine and `train` give them. */
export const someEvents: readonly CliEvent[] = [
  {
    type: 'run',
    adapter: {
      vendor: 'v',
      architecture: 'a',
      device: 'd',
      description: 'an adapter',
      backend: 'vulkan',
      software: true,
    },
    kernels: { plain: false, avoided: [], used: ['matmul', 'sgd'], variants: {} },
    dataset: { name: 'fashion-mnist', synthetic: false, train: 60000, test: 10000 },
    model: '784-512-512-10',
    input: [1, 28, 28],
    classes: 10,
    parameters: 669706,
    seed: 0,
    options: { epochs: 1 },
    run: 'runs/x',
  },
  { type: 'step', epoch: 1, step: 1, samples: 64, loss: 2.305311441421509, lr: 0.001 },
  {
    type: 'progress',
    phase: 'train',
    epoch: 1,
    batch: 40,
    batches: 938,
    loss: 2.3,
    samplesPerSecond: 12000,
  },
  { type: 'step', epoch: 1, step: 101, samples: 6464, loss: 2.298351287841797, lr: 0.001 },
  {
    type: 'progress',
    phase: 'validate',
    epoch: 1,
    batch: 157,
    batches: 157,
    loss: 2.1,
    samplesPerSecond: 30000,
  },
  {
    type: 'epoch',
    epoch: 1,
    seconds: 5.25,
    samplesPerSecond: 11428,
    train: { loss: 2.24 },
    validation: { loss: 2.162511728371784, accuracy: 0.4947, confusion: [[1]], ranks: [1] },
  },
  { type: 'done', steps: 938, seconds: 6.5, secondsPerStep: 0.0055, run: 'runs/x' },
];
