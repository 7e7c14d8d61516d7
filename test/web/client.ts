// The worker under test from Node's side: a page of its own in a browser, commands in, messages out.

import type { Browser } from 'playwright';
import type { Command, Message, Settings } from '../../src/recipes/protocol.ts';
import { openPage } from '../browser/chromium.ts';
import { decode, encode } from './coding.ts';
import type { Faults } from './faults.ts';

/** A message, and when the page had it, in ms. */
export type Said = (
  | Message
  | { readonly type: 'unhandled'; readonly text: string }
  /** By us: a command of such a type. */
  | { readonly type: 'sent'; readonly command: string }
) & { readonly at: number };
type Of<Type extends Said['type']> = Extract<Said, { readonly type: Type }>;

/** A worker of its own. */
export interface Client {
  /** All that it said. */
  readonly said: readonly Said[];
  send(command: Command | Faults): Promise<void>;
  /** The first message of a type from `since` on that `wanted` takes. Throws for one that says that nothing more will come. */
  until<Type extends Said['type']>(
    type: Type,
    wanted?: (message: Of<Type>) => boolean,
    since?: number,
  ): Promise<Of<Type>>;
  /** Sends a question and waits for what answers it. */
  ask(question: Record<string, unknown>): Promise<Said>;
  all<Type extends Said['type']>(type: Type): Of<Type>[];
  /** Losses by step, as they were told. */
  losses(): number[];
  wait(ms: number): Promise<void>;
  readonly complaints: readonly string[];
  readonly requests: readonly string[];
  /** Visits the page again: another worker, the same storage. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** Small settings: SwiftShader computes on the CPU. */
export const small: Settings = {
  dataset: 'synthetic',
  model: 'mlp',
  hidden: [32],
  optimizer: 'sgd',
  lr: 0.1,
  momentum: 0,
  weightDecay: 0,
  batchSize: 64,
  epochs: 2,
  seed: 0,
  shuffle: false,
  limit: 1280,
};

const patience = 120_000;

/** Opens the page at an address. */
export async function openClient(browser: Browser, address: string): Promise<Client> {
  const { page, complaints, requests } = await openPage(browser, address);
  const said: Said[] = [];
  let asks = 0;
  const drain = async () => {
    said.push(...(decode(await page.evaluate(() => window.drain())) as Said[]));
  };
  const client: Client = {
    said,
    complaints,
    requests,
    async send(command) {
      await drain();
      await page.evaluate((text) => window.send(text), encode(command));
    },
    async until(type, wanted = () => true, since = 0) {
      type Wanted = Of<typeof type>;
      const end = performance.now() + patience;
      for (let seen = since; ; ) {
        for (; seen < said.length; seen++) {
          const one = said[seen] as Said;
          if (one.type === type && wanted(one as Wanted)) return one as Wanted;
          if (one.type === 'unhandled') throw new Error(`unhandled in the worker: ${one.text}`);
          if (one.type === 'error' && !['error', 'status'].includes(type))
            throw new Error(`waiting for ${type}: ${one.code}: ${one.message}`);
        }
        if (performance.now() > end)
          throw new Error(
            `no ${type} came; the last: ${encode(said.slice(-3)).slice(0, 600)} ${complaints.join()}`,
          );
        await page.waitForTimeout(30);
        await drain();
      }
    },
    async ask(question) {
      const ask = ++asks;
      await client.send({ ...question, ask } as Command);
      const end = performance.now() + patience;
      for (;;) {
        const found = said.find((one) => 'ask' in one && one.ask === ask);
        if (found !== undefined) return found;
        if (performance.now() > end) throw new Error(`no answer to ${encode(question).slice(0, 200)}`);
        await page.waitForTimeout(20);
        await drain();
      }
    },
    all: (type) => said.filter((one) => one.type === type) as Of<typeof type>[],
    losses: () => client.all('steps').flatMap(({ steps }) => steps.map(({ loss }) => loss)),
    async wait(ms) {
      await page.waitForTimeout(ms);
      await drain();
    },
    async reload() {
      await drain();
      await page.reload();
    },
    close: () => page.context().close(),
  };
  return client;
}
