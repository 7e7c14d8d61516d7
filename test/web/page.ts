// A page that has the worker and no more: sends it what it is told, and keeps what it says.

import { decode, encode } from './coding.ts';

declare global {
  interface Window {
    /** Sends a command as `encode` writes it. */
    send(command: string): void;
    /** The messages since the last call, as `encode` writes them. */
    drain(): string;
  }
}

let said: unknown[] = [];
const worker = new Worker(new URL('./faulty-worker.ts', import.meta.url), { type: 'module' });
worker.addEventListener('message', ({ data }) => {
  if (said.length === 0) worker.postMessage({ type: 'page', address: document.baseURI });
  said.push({ ...data, at: performance.now() });
});
worker.addEventListener('error', ({ message }) => said.push({ type: 'unhandled', text: message }));

window.send = (command) => worker.postMessage(decode(command));
window.drain = () => {
  const text = encode(said);
  said = [];
  return text;
};
