// Where messages come from: a worker of the page that trains, or a run in Node that is watched (sse-source.ts).

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

/** Who listens to a source. */
function listeners() {
  const all = new Set<(message: Message) => void>();
  return {
    tell(message: Message): void {
      for (const told of all) told(message);
    },
    listen(told: (message: Message) => void): () => void {
      all.add(told);
      return () => all.delete(told);
    },
  };
}

/** A worker of this page. */
export function workerSource(): Source {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const { tell, listen } = listeners();
  worker.addEventListener('message', ({ data }: MessageEvent<Message>) => tell(data));
  worker.addEventListener('error', ({ message }) =>
    tell({
      type: 'error',
      code: 'worker',
      message: message || 'the worker did not start',
      todo: 'Restart it; where that does not help, reload the page.',
    }),
  );
  const send = (command: Command) => worker.postMessage(command);
  send({ type: 'page', address: document.baseURI });
  return {
    commands: true,
    send,
    listen,
    close: () => worker.terminate(),
  };
}

/** Nobody: one message, whatever is asked. */
export function deafSource(message: Message): Source {
  const { tell, listen } = listeners();
  return {
    commands: true,
    send: () => tell(message),
    listen(told) {
      queueMicrotask(() => told(message));
      return listen(told);
    },
    close: () => {},
  };
}
