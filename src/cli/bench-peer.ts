// The other side of `--peer torch`: a Python process that does the same job, one round when asked for one.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { type Dataset, HeddleError } from '../index.ts';
import type { Product } from './bench-measure.ts';
import { type PeerResult, spreadOf } from './bench-result.ts';
import type { BenchOptions } from './options.ts';

/** A peer, ready for work. It sleeps while it has none. */
export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly threads: number;
  /** Seconds of a step, over so many of them. */
  run(steps: number): Promise<number>;
  /** Seconds of a product of matrices, [m, k] times [k, n]. */
  gemm(m: number, n: number, k: number): Promise<number>;
  close(): void;
}

const greeting = v.object({ version: v.string(), threads: v.number() });
const answer = v.object({ seconds: v.number() });
const complaint = v.object({ error: v.string() });

/** What idle threads do after work, they do within this time, in ms: spin. Nobody is to measure beside that. */
const settle = 50;
const settled = () => new Promise((resolve) => setTimeout(resolve, settle));

// src/cli and dist/cli are equally far from scripts.
const script = fileURLToPath(new URL('../../scripts/torch-peer.py', import.meta.url));
const advice =
  'Install Python 3 with PyTorch (Debian and Ubuntu: `apt-get install python3-torch`; elsewhere `pip install torch`), ' +
  'or set HEDDLE_PYTHON to a Python that has it';

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // not an answer, whatever it is
  }
}

/** Up to so many rows travel to the peer: the whole of FashionMNIST. */
const mostRows = 60_000;

function writeData(path: string, { inputs, targets, length }: Dataset): { rows: number; features: number } {
  const features = inputs.length / length;
  const rows = Math.min(length, mostRows);
  const bytes = new Uint8Array(rows * (features + 1));
  bytes.set(inputs.subarray(0, rows * features));
  bytes.set(targets.subarray(0, rows), rows * features);
  writeFileSync(path, bytes);
  return { rows, features };
}

/** Starts PyTorch on the same data. Throws a HeddleError, with what to install, when it is not there. */
export async function openTorch({ batchSize, hidden, threads }: BenchOptions, train: Dataset): Promise<Peer> {
  const python = process.env.HEDDLE_PYTHON || 'python3';
  const folder = mkdtempSync(join(tmpdir(), 'heddle-peer-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove); // Ctrl-C ends the process right here
  const data = join(folder, 'train.bin');
  const facts = { hidden, batch: batchSize, classes: train.classes.length, threads: threads ?? null, data };
  const job = { ...facts, ...writeData(data, train) };
  const child = spawn(python, [script, JSON.stringify(job)], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {}); // that it has gone, its missing answer tells
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let started: Error | undefined;
  child.once('error', (error) => {
    started = error;
  });
  const gone = (heard: unknown) => {
    const told = v.safeParse(complaint, heard);
    const last = stderr.trimEnd().split('\n').at(-1) || 'it ended without a word';
    const reason = told.success ? told.output.error : (started?.message ?? last);
    return new HeddleError('file', `--peer torch: ${python}: ${reason}. ${advice}`);
  };
  const hear = async <Schema extends v.GenericSchema>(schema: Schema): Promise<v.InferOutput<Schema>> => {
    const next = await lines.next();
    const said = next.done === true ? undefined : parsed(next.value);
    const heard = v.safeParse(schema, said);
    if (!heard.success) throw gone(said);
    return heard.output;
  };
  const ask = async (question: string): Promise<number> => {
    await settled();
    child.stdin.write(`${question}\n`);
    const { seconds } = await hear(answer);
    await settled();
    return seconds;
  };
  const close = () => {
    child.stdin.end();
    process.off('exit', remove);
    remove();
  };
  try {
    const { version, threads: found } = await hear(greeting);
    return {
      name: 'torch',
      version,
      threads: found,
      run: async (steps) => (await ask(`run ${steps}`)) / steps,
      gemm: (m, n, k) => ask(`gemm ${m} ${n} ${k}`),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** What a peer is compared with: seconds of a step by round, ours and theirs, and our products of matrices. */
export interface Beside {
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  readonly products: readonly Product[];
  readonly hidden: readonly number[];
}

/** How a peer did beside us in the rounds, and alone in one product: that of the first two hidden layers if there is one. */
export async function comparePeer(
  peer: Peer,
  { ours, theirs, products, hidden }: Beside,
): Promise<PeerResult> {
  const { name, version, threads } = peer;
  const step = spreadOf(theirs);
  const ratios = spreadOf(ours.map((seconds, i) => seconds / (theirs[i] as number)));
  const ratio = { ...ratios, median: spreadOf(ours).median / step.median };
  const product = products.find(({ k, n }) => k === hidden[0] && n === hidden[1]) ?? products[0];
  if (product === undefined) return { name, version, threads, step, ratio, gemm: null };
  const { m, n, k, seconds } = product;
  const gemm = { m, n, k, ours: seconds, theirs: await peer.gemm(m, n, k) };
  return { name, version, threads, step, ratio, gemm };
}
