// Breaks the shaders on purpose, one small change at a time, and asks whether a test of test/ops notices.
//   npx tsx scripts/mutate-shaders.ts [--kernel NAME]… [--operator NAME]… [--sample N [--seed S]] [--quick] [--list] [--json]
// --quick leaves out each kernel's slowest tests: good for a look at what they leave to do, but what survives may yet fail.
// Exit code 1 when a mutant survives that test/mutants-explained.ts does not explain, or an explanation is wrong.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { explanations } from '../test/mutants-explained.ts';
import { allMutants, explains, sampleOf } from './mutate/choose.ts';
import type { Mutant } from './mutate/operators.ts';
import type { RanTest } from './mutate/runner.mjs';
import { openRunner, projectsOf, type Runner } from './mutate/runners.ts';
import { type Driver, testDrivers } from './setup/vulkan.mjs';

const root = join(import.meta.dirname, '..');
const given = process.env.HEDDLE_TEST_DRIVERS;
const drivers: readonly Driver[] = given === undefined ? await testDrivers() : JSON.parse(given);
const projects = projectsOf(drivers);

type Verdict = 'killed' | 'survived' | 'explained' | 'explained, but killed' | 'does not compile';

interface Outcome {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  readonly by: string;
  readonly seconds: number;
}

/** A test as it ran on the shaders as they are. */
interface Baseline extends RanTest {
  readonly file: string;
  readonly project: string;
}

/** Test files that name the kernel's file, the shortest first. */
function testFiles(kernel: string): string[] {
  const names = new RegExp(`(?<!\\w)${kernel}\\.wgsl`);
  return readdirSync(join(root, 'test', 'ops'))
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => ({
      file: `test/ops/${file}`,
      text: readFileSync(join(root, 'test', 'ops', file), 'utf8'),
    }))
    .filter(({ text }) => names.test(text))
    .sort((a, b) => a.text.length - b.text.length)
    .map(({ file }) => file);
}

/** Longest time for one request, in ms: a mutant may be slower than the kernel, and the machine busy. */
const patience = 300_000;
/** A kernel's tests run in phases, quick tests first: the first ones take this long together, in ms, the last the rest. */
const phaseEnds = [500, 1500, 3000, 6000, 12_000, 25_000];
/** Tests beyond this much time are slow: --quick, and what is explained, does without them. */
const quickEnd = 6000;

/** Runs the test files on the shaders as they are. Throws when a test fails. */
async function measure(runners: readonly Runner[], files: readonly string[]): Promise<Baseline[]> {
  const jobs = projects.flatMap((project) => files.map((file) => ({ project, file })));
  const found: Baseline[] = [];
  await share(runners, jobs, async (runner, { project, file }) => {
    const reply = await runner.ask({ mutant: 'none', project, file }, patience);
    if (reply === undefined || reply.failure !== undefined) {
      const { test, message } = reply?.failure ?? { test: 'the process', message: 'no answer' };
      throw new Error(`${file} fails on ${project} without any mutant: ${test}: ${message}`);
    }
    for (const test of reply.ran) found.push({ ...test, project, file });
  });
  return found;
}

/** Hands the jobs out to the runners, each as it becomes free. */
async function share<Job>(
  runners: readonly Runner[],
  jobs: readonly Job[],
  work: (runner: Runner, job: Job) => Promise<void>,
): Promise<void> {
  const queue = [...jobs];
  await Promise.all(
    runners.map(async (runner) => {
      for (let job = queue.shift(); job !== undefined; job = queue.shift()) await work(runner, job);
    }),
  );
}

interface Round {
  readonly project: string;
  readonly file: string;
  readonly tests?: string[];
  readonly slow: boolean;
}

/**
 * What to run for a kernel, one after the other. With a baseline only tests that use the kernel, the quick ones first, on
 * one project after the other: few mutants get as far as the second. Without one whole files, the short ones first.
 */
function roundsOf(kernel: string, baseline: readonly Baseline[] | undefined): Round[] {
  return projects.flatMap((project) => {
    if (baseline === undefined) return testFiles(kernel).map((file) => ({ project, file, slow: false }));
    const phases: Round[][] = [...phaseEnds.map(() => []), []];
    const tests = baseline.filter((test) => test.project === project && test.kernels.includes(kernel));
    let total = 0;
    for (const { file, name, milliseconds } of tests.sort((a, b) => a.milliseconds - b.milliseconds)) {
      total += total === 0 ? 1 : milliseconds; // the first one in any case
      const phase = phases[phaseEnds.filter((end) => total > end).length] as Round[];
      const slow = total > quickEnd;
      const round = phase.find((r) => r.project === project && r.file === file);
      if (round === undefined) phase.push({ project, file, tests: [name], slow });
      else round.tests?.push(name);
    }
    return phases.flat();
  });
}

async function tryMutant(
  runner: Runner,
  mutant: Mutant,
  all: readonly Round[],
  quick: boolean,
): Promise<Outcome> {
  const begun = Date.now();
  const explained = explanations.some((explanation) => explains(explanation, mutant));
  const outcome = (verdict: Verdict, by: string): Outcome => ({
    mutant,
    verdict,
    by,
    seconds: (Date.now() - begun) / 1000,
  });
  // Slow tests would hold up most what they cannot kill: where a reason is known, the others must do.
  const rounds = quick || explained ? all.filter(({ slow }) => !slow) : all;
  for (const { project, file, tests } of rounds) {
    const request = { mutant: JSON.stringify(mutant), project, file, ...(tests && { tests }) };
    const reply = await runner.ask(request, patience);
    const { test, message } =
      reply === undefined ? { test: file, message: 'no answer in time' } : (reply.failure ?? {});
    if (test === undefined || message === undefined) {
      if (reply?.has && reply.ran.length === 0)
        throw new Error(`${file} ran no test on ${project} for '${mutant.id}'`);
      continue;
    }
    if (/does not fit|Failed to start/.test(message)) throw new Error(message); // no word on the mutant
    // A test that never used the kernel, or a hook, fails for a reason of its own: no adapter, say. A worker that a mutant
    // has crashed has no test to name.
    const kernels = reply?.failure?.kernels;
    const crashed = reply === undefined || /worker|exited|terminated|crash/i.test(message);
    if (!(kernels?.includes(mutant.kernel) ?? crashed))
      throw new Error(
        `${file} fails on ${project} for another reason than '${mutant.id}': ${test}: ${message}`,
      );
    const by = `${project}: ${test}`;
    if (/did not compile|Invalid ShaderModule|CreateShaderModule/.test(message)) {
      return outcome('does not compile', `${by}: ${message.split('\n')[0]}`);
    }
    return outcome(explained ? 'explained, but killed' : 'killed', by);
  }
  return outcome(explained ? 'explained' : 'survived', '');
}

const count = (items: readonly Outcome[], verdict: Verdict) =>
  items.filter((o) => o.verdict === verdict).length;

function table(outcomes: readonly Outcome[], key: 'operator' | 'kernel'): string {
  const names = [...new Set(outcomes.map(({ mutant }) => mutant[key]))].sort();
  const rows = names.map((name) => {
    const own = outcomes.filter(({ mutant }) => mutant[key] === name);
    const numbers = [own.length, count(own, 'killed'), count(own, 'explained'), count(own, 'survived')];
    return [name.padEnd(24), ...numbers.map((n) => `${n}`.padStart(9))].join('');
  });
  const head = [key.padEnd(24), ...['mutants', 'killed', 'explained', 'survived'].map((t) => t.padStart(9))];
  return [head.join(''), ...rows].join('\n');
}

async function main(): Promise<void> {
  const { values: options } = parseArgs({
    options: {
      kernel: { type: 'string', multiple: true },
      operator: { type: 'string', multiple: true },
      sample: { type: 'string' },
      seed: { type: 'string', default: '1' },
      quick: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const everyone = allMutants();
  const { kernel: kernels, operator: operators } = options;
  let mutants = everyone.filter(
    ({ kernel, operator }) =>
      (kernels === undefined || kernels.includes(kernel)) &&
      (operators === undefined || operators.includes(operator)),
  );
  const short = options.sample !== undefined;
  if (short) {
    // What cannot be killed takes longest and tells nothing.
    const killable = mutants.filter((mutant) => !explanations.some((e) => explains(e, mutant)));
    mutants = sampleOf(killable, Number(options.sample), Number(options.seed));
  }
  if (mutants.length === 0) throw new Error('no mutant has this kernel and operator');
  const print = (text: string, data: unknown) => console.log(options.json ? JSON.stringify(data) : text);
  if (options.list) {
    for (const mutant of mutants) print(mutant.id, mutant);
    return;
  }

  const wrong: string[] = [];
  for (const explanation of explanations) {
    if (!everyone.some((mutant) => explains(explanation, mutant))) {
      wrong.push(`explains no mutant: ${explanation.kernels} ${explanation.at} ${explanation.why}`);
    }
  }
  const outcomes: Outcome[] = [];
  const runners = await Promise.all([openRunner(drivers), openRunner(drivers)]);
  try {
    const used = [...new Set(mutants.map(({ kernel }) => kernel))];
    const files = [...new Set(used.flatMap(testFiles))];
    const baseline = short ? undefined : await measure(runners, files);
    const rounds = new Map(used.map((kernel) => [kernel, roundsOf(kernel, baseline)]));
    await share(runners, mutants, async (runner, mutant) => {
      const outcome = await tryMutant(runner, mutant, rounds.get(mutant.kernel) as Round[], options.quick);
      outcomes.push(outcome);
      const { verdict, by, seconds } = outcome;
      const how = by === '' ? verdict : `${verdict} by ${by}`;
      print(`${mutant.id}  ${how} (${seconds.toFixed(1)} s)`, { ...mutant, verdict, by, seconds });
    });
  } finally {
    for (const runner of runners) runner.close();
  }

  const list = (verdict: Verdict) =>
    outcomes.filter((o) => o.verdict === verdict).map(({ mutant, by }) => `${verdict}: ${mutant.id}  ${by}`);
  const uncompiled = list('does not compile');
  const survivors = list('survived');
  wrong.push(...list('explained, but killed'));
  const numbers = {
    mutants: outcomes.length,
    killed: count(outcomes, 'killed'),
    explained: count(outcomes, 'explained'),
    survived: survivors.length,
  };
  if (!options.json) {
    console.log(`\n${table(outcomes, 'kernel')}\n\n${table(outcomes, 'operator')}\n`);
    for (const line of [...uncompiled, ...wrong, ...survivors]) console.log(line);
    if (uncompiled.length > 0) console.log(`${uncompiled.length} do not compile`);
  }
  print(
    `${numbers.mutants} mutants, ${numbers.killed} killed, ${numbers.explained} explained, ${numbers.survived} survived`,
    { ...numbers, uncompiled: uncompiled.length, wrong },
  );
  if (survivors.length > 0 || wrong.length > 0) process.exitCode = 1;
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => process.exit(code)); // which ends the runners
}
await main();
