// Where messages come from: a worker of the page that trains, or a run in Node that is watched.

import type { Command, Message } from './protocol.ts';

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
  return {
    commands: true,
    send: (command) => worker.postMessage(command),
    listen,
    close: () => worker.terminate(),
  };
}

/** A run in Node, whose messages a server sends as events, one JSON object each. */
export function sseSource(address: string): Source {
  const events = new EventSource(address);
  const { tell, listen } = listeners();
  events.addEventListener('message', ({ data }: MessageEvent<string>) => {
    try {
      tell(JSON.parse(data) as Message);
    } catch {
      tell({ type: 'notice', text: 'An event of the run could not be read; the next ones may.' });
    }
  });
  events.addEventListener('error', () => {
    // It tries again by itself, unless the server is gone for good.
    if (events.readyState !== EventSource.CLOSED) return;
    tell({
      type: 'error',
      code: 'connection',
      message: 'The run no longer answers.',
      todo: 'It has ended, or its server has: start it again, then reload this page.',
    });
  });
  return { commands: false, send: () => {}, listen, close: () => events.close() };
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
