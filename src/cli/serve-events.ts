// A run's messages as server-sent events: to each page what came before, then what comes. A page that does not keep up is
// let go, and catches up when it comes again; nothing is held for it.

import type { ServerResponse } from 'node:http';
import { type Handler, refuse } from './serve.ts';
import type { Watched } from './watched.ts';

/** The stream of a run's messages. */
export interface EventStream {
  readonly handler: Handler;
  /** Pages that listen now. */
  readonly clients: number;
  /** Called each time the number of pages changes. */
  onChange: () => void;
  /** Ends all connections; what was said is sent. Harmless when done before. */
  close(): void;
}

const maxClients = 16;
/** What may wait for a page beyond what the system holds, in bytes: more than everything that a new one is told. */
const maxWaiting = 4 << 20;
/** A comment so often, in ms, shows whether the other end is still there. */
const heartbeat = 15_000;
/** How long a browser waits before it comes again, in ms. */
const retry = 1000;

/** Values that are looked at, as JSON has them: a float's worth of digits would be twice as long. */
function asList(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  return value instanceof Float32Array ? Array.from(value, (one) => Number(one.toPrecision(4))) : value;
}

/** Streams what a run tells. */
export function eventStream(watched: Watched): EventStream {
  const clients = new Set<ServerResponse>();
  let ended = false;
  const send = (client: ServerResponse, text: string) => {
    client.write(text);
    if (client.writableLength > maxWaiting) client.destroy();
  };
  const frame = (message: object) => `data: ${JSON.stringify(message, asList)}\n\n`;
  /** What comes with a position counts as heard up to there; of what came before, only the end has one. */
  const placed = (text: string) => `id: ${watched.position}\n${text}`;
  const stop = watched.listen((message) => {
    if (clients.size === 0) return;
    const text = placed(frame(message));
    for (const client of clients) send(client, text);
  });
  const timer = setInterval(() => {
    for (const client of clients) send(client, ':\n\n');
  }, heartbeat).unref();
  const stream: EventStream = {
    onChange: () => {},
    get clients() {
      return clients.size;
    },
    handler(request, response) {
      if (clients.size >= maxClients || ended) {
        refuse(response, 503, `${maxClients} pages watch this run already.`);
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      if (request.method === 'HEAD') {
        response.end();
        return;
      }
      const { 'last-event-id': last } = request.headers;
      const before = watched.backlog(typeof last === 'string' ? last : undefined).map(frame);
      const end = placed(before.pop() ?? '');
      response.write(`retry: ${retry}\n\n${before.join('')}${end}`);
      clients.add(response);
      response.on('close', () => {
        clients.delete(response);
        stream.onChange();
      });
      stream.onChange();
    },
    close() {
      ended = true;
      clearInterval(timer);
      stop();
      for (const client of clients) client.end();
    },
  };
  return stream;
}
