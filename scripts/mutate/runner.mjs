// A process that keeps vitest loaded and runs test files against one mutant after the other, on request over IPC.
// Plain JavaScript, so that the workers it forks do not inherit a TypeScript loader that they have no use for.

import { join } from 'node:path';
import { createVitest } from 'vitest/node';

/**
 * @typedef {object} Request one test file in one project
 * @property {string} mutant the value of HEDDLE_MUTANT
 * @property {string} project the name of the test project
 * @property {string} file of the test, relative to the root
 * @property {string[]} [tests] full names of the tests to run; all of them when left out
 */
/** @typedef {{ name: string, milliseconds: number, kernels: string[] }} RanTest */
/**
 * @typedef {{ failure?: { test: string, message: string, kernels?: string[] }, ran: RanTest[], has: boolean }} Reply
 * `kernels` of a failure: those that the failing test dispatched; absent when it was no test that failed. `has`: whether
 * the project has the file.
 */

const root = join(import.meta.dirname, '..', '..');
/** Names of the test projects, and no others: a browser would be started for its own. */
const names = process.argv.slice(2);
const options = {
  root,
  project: names,
  watch: false,
  bail: 1,
  maxWorkers: 1,
  silent: true,
  reporters: [{}],
  testTimeout: 0, // on a busy machine a slow test is no sign of a mutant
};
const vitest = await createVitest('test', options);
await vitest.standalone();

/** @param {unknown} error */
const messageOf = (error) => /** @type {{ message?: string }} */ (error)?.message ?? String(error);

/** Names from the outermost suite down, as vitest's name pattern sees them. @param {import('vitest/node').TestCase} test */
function fullName(test) {
  const names = [test.name];
  for (let at = test.parent; at.type === 'suite'; at = at.parent) names.unshift(at.name);
  return names.join(' ');
}

/** @param {string} text */
const escaped = (text) => text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');

/** @param {Request} request @returns {Promise<Reply>} */
async function run({ mutant, project: name, file, tests }) {
  // Workers inherit both. Mesa keeps compiled shaders, but none of a mutant: times must not be those of a full cache.
  process.env.HEDDLE_MUTANT = mutant;
  process.env.MESA_SHADER_CACHE_DISABLE = `${mutant === 'none'}`;
  const project = vitest.projects.find((candidate) => candidate.name === name);
  if (project === undefined) throw new Error(`vitest has no project ${name}`);
  if (!project.matchesTestGlob(join(root, file))) return { ran: [], has: false };
  const chosen = tests && { testNamePattern: new RegExp(`^(?:${tests.map(escaped).join('|')})$`) };
  const specification = project.createSpecification(join(root, file), chosen);
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([specification]);
  /** @type {Reply} */
  const reply = { ran: [], has: true };
  /** @type {(test: string, error: unknown, kernels?: string[]) => void} */
  const fail = (test, error, kernels) => {
    reply.failure ??= { test, message: messageOf(error), ...(kernels && { kernels }) };
  };
  for (const module of testModules) {
    if (module.id !== specification.taskId) continue; // of an earlier run
    for (const error of module.errors()) fail(file, error);
    for (const suite of module.children.allSuites())
      for (const error of suite.errors()) fail(suite.fullName, error);
    for (const test of module.children.allTests()) {
      const { state, errors } = test.result();
      if (state !== 'passed' && state !== 'failed') continue;
      const { duration = 0 } = test.diagnostic() ?? {};
      reply.ran.push({ name: fullName(test), milliseconds: duration, kernels: test.meta().kernels ?? [] });
      if (state === 'failed') fail(test.fullName, errors?.[0], test.meta().kernels ?? []);
    }
  }
  for (const error of unhandledErrors) fail(file, error);
  return reply;
}

process.on('message', (/** @type {Request} */ request) => {
  run(request).then(
    (reply) => process.send?.(reply),
    (error) =>
      process.send?.({ ran: [], has: true, failure: { test: 'the runner', message: messageOf(error) } }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
