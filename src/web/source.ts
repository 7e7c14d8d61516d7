// Where messages come from: a worker of the page that trains, or a run in Node that is watched.

import type { Command, Message } from '../recipes/protocol.ts';

/** The other end of the protocol. */
export interface Source {
  /** Whether it can be told anything; a run that is watched cannot. */
  readonly commands: boolean;
  send(command: Command): void;
  /** Tells of each message from now on; the function that it returns ends that. */
  listen(told: (message: Message) => void): () => void;
  close(): void;
}

/** A worker of this page. */
export function workerSource(): Source {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const listeners = new Set<(message: Message) => void>();
  const tell = (message: Message) => {
    for (const told of listeners) told(message);
  };
  worker.addEventListener('message', ({ data }: MessageEvent<Message>) => tell(data));
  worker.addEventListener('error', ({ message }) =>
    tell({
      type: 'error',
      code: 'worker',
      message: message || 'the worker did not start',
      todo: 'Reload the page.',
    }),
  );
  const send = (command: Command) => worker.postMessage(command);
  send({ type: 'page', address: document.baseURI });
  return {
    commands: true,
    send,
    listen(told) {
      listeners.add(told);
      return () => listeners.delete(told);
    },
    close: () => worker.terminate(),
  };
}
