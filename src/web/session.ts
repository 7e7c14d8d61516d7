// One page's state, who it listens to and what it asks him. Tells of changes at most ten times a second, by the browser's
// own frames. A hidden page has no frames: there only what its tab's title says is told, when it comes.

import type { Command, Message, Settings } from '../recipes/protocol.ts';
import type { Source } from './source.ts';
import { type Action, initialState, type Question, reduce, type State } from './state.ts';

/** Commands that ask something, without the number. */
export type Ask = Command extends infer C
  ? C extends { readonly ask: number }
    ? Omit<C, 'ask'>
    : never
  : never;

type FileMessage = Extract<Message, { type: 'file' }>;

export interface Session {
  readonly state: () => State;
  /** Whether the source can be told anything. */
  readonly commands: boolean;
  readonly dispatch: (action: Message | Action) => void;
  readonly send: (command: Command) => void;
  readonly ask: (command: Ask) => void;
  /** Begins a training with the settings of the state, or others, which become the state's. */
  readonly start: (settings?: Settings, checkpoint?: Uint8Array) => void;
  /** A new source in the place of the old one, whatever that one's state. */
  readonly restart: () => void;
  readonly listen: (draw: () => void) => () => void;
}

const questionOf: Readonly<Record<Ask['type'], Question>> = {
  predict: 'prediction',
  activations: 'activations',
  cell: 'cell',
  file: 'file',
  kernels: 'kernels',
};

export interface SessionOptions {
  readonly settings: Settings;
  readonly open: () => Source;
  /** What to do with a file that the source made. */
  readonly save: (file: FileMessage) => void;
}

/** Milliseconds between two drawings. */
const interval = 100;

export function openSession({ settings, open, save }: SessionOptions): Session {
  let state = initialState(settings);
  let source = open();
  let leave = source.listen(hear);
  let asked = 0;
  let frame = 0;
  let drawn = Number.NEGATIVE_INFINITY;
  const listeners = new Set<() => void>();

  const tell = () => {
    for (const listener of listeners) listener();
  };
  function draw(now: number): void {
    if (now - drawn < interval) {
      frame = requestAnimationFrame(draw);
      return;
    }
    frame = 0;
    drawn = now;
    tell();
  }
  function change(message: Message | Action, soon = false): void {
    const next = reduce(state, message);
    if (next === state) return;
    state = next;
    if (document.hidden && (message.type === 'epoch' || message.type === 'status')) tell();
    if (soon) drawn = Number.NEGATIVE_INFINITY; // what the reader does shows at once
    if (frame === 0) frame = requestAnimationFrame(draw);
  }
  function hear(message: Message): void {
    change(message);
    if (message.type === 'file') save(message);
  }
  const send = (command: Command) => source.send(command);
  return {
    state: () => state,
    get commands() {
      return source.commands;
    },
    dispatch: (action) => change(action, true),
    send,
    ask(command) {
      const ask = ++asked;
      change({ type: 'asked', question: questionOf[command.type], ask }, true);
      send({ ...command, ask } as Command);
    },
    start(given = state.settings, checkpoint) {
      change({ type: 'settings', settings: given }, true);
      change({ type: 'model-gone' }, true);
      send({ type: 'start', settings: given, ...(checkpoint === undefined ? {} : { checkpoint }) });
    },
    restart() {
      leave();
      source.close();
      change({ type: 'model-gone' }, true);
      change({ type: 'status', status: 'idle', text: '' }, true);
      source = open();
      leave = source.listen(hear);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
