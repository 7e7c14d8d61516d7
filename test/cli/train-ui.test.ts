// The page beside a training: how long it stays, and what it says at the end.

import { beforeAll, expect, test, vi } from 'vitest';
import { build } from '../../scripts/setup/project.mjs';
import { type TrainUi, withUi } from '../../src/cli/train-ui.ts';
import { HeddleError } from '../../src/errors.ts';
import type { Message } from '../../src/recipes/protocol.ts';
import { hear, messagesIn, statusesOf } from './listen.ts';
import { someEvents } from './support.ts';

vi.setConfig({ hookTimeout: 240_000 });

beforeAll(() => build()); // the page, unless it is what the sources say

/** A session that nobody has stopped, and what stops it. */
function sessionOf() {
  const abort = new AbortController();
  return { abort, session: { watch: { signal: abort.signal } as never } };
}
const addressOf = (page: TrainUi | undefined) => /http\S+/.exec(page?.address ?? '')?.[0] ?? '';
const options = { ui: true, uiPort: 0 };
const [run] = someEvents;
if (run?.type !== 'run') throw new Error('the run comes first');
const begin = (page: TrainUi | undefined) => page?.begin(run, { classes: ['a'], dispatches: 1, bytes: 1 });

test('on a terminal the page stays while somebody looks at it', async () => {
  const { session } = sessionOf();
  const said: string[] = [];
  let heard: Promise<Message[]> | undefined;
  const control = new AbortController();
  const started = performance.now();
  const code = await withUi(
    options,
    session,
    async (page) => {
      begin(page);
      for (const event of someEvents.slice(1)) page?.event(event);
      heard = hear(`${addressOf(page)}events`, (all) => statusesOf(all).includes('done'));
      const stays = fetch(`${addressOf(page)}events`, { signal: control.signal });
      await stays;
      setTimeout(() => control.abort(), 200);
      return 0;
    },
    { terminal: true, say: (line) => said.push(line) },
  );
  expect(code).toBe(0);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^the page stays at http:\S+ until it is closed; Ctrl-C ends it\n$/);
  expect(performance.now() - started).toBeGreaterThan(3000); // it might have been reloaded
  expect((await heard)?.map(({ type }) => type)).toEqual(['run', 'epoch', 'status']);
});

test.each([
  ['nobody looks at it', true, false],
  ['there is no terminal', false, true],
])('it ends with the run when %s', async (_, terminal, looks) => {
  const { session } = sessionOf();
  let heard: Promise<unknown> | undefined;
  const code = await withUi(
    options,
    session,
    async (page) => {
      if (looks) {
        const response = await fetch(`${addressOf(page)}events`);
        heard = response.text();
      }
      return 0;
    },
    { terminal, say: () => expect.unreachable() },
  );
  expect(code).toBe(0);
  await heard;
});

test('Ctrl-C ends a page that stays, and leaves the exit code as it was', async () => {
  const { session, abort } = sessionOf();
  let heard: Promise<string> | undefined;
  const code = await withUi(
    options,
    session,
    async (page) => {
      const response = await fetch(`${addressOf(page)}events`);
      heard = response.text();
      return 0;
    },
    { terminal: true, say: () => abort.abort() },
  );
  expect(code).toBe(0);
  expect(await heard).toContain('"type":"status"');
});

test('a run that fails says so on its page, which ends', async () => {
  const { session } = sessionOf();
  let heard: Promise<string> | undefined;
  const failing = withUi(
    options,
    session,
    async (page) => {
      begin(page);
      const response = await fetch(`${addressOf(page)}events`);
      heard = response.text();
      throw new HeddleError('diverged', 'the loss of step 3 is NaN');
    },
    { terminal: true },
  );
  await expect(failing).rejects.toThrow('the loss of step 3 is NaN');
  const messages = messagesIn((await heard) ?? '');
  expect(messages.at(-2)).toEqual({
    ...{ type: 'error', code: 'diverged', message: 'the loss of step 3 is NaN' },
    todo: 'A smaller learning rate may help; runs/x has the last good checkpoint.',
  });
  expect(messages.at(-1)).toMatchObject({ status: 'failed' });
});
