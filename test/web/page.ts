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
let begun = false;
const worker = new Worker(new URL('./faulty-worker.ts', import.meta.url), { type: 'module' });
worker.addEventListener('message', ({ data }) => {
  if (!begun) worker.postMessage({ type: 'page', address: document.baseURI });
  begun = true;
  said.push({ ...data, at: performance.now() });
});
worker.addEventListener('error', ({ message }) => said.push({ type: 'unhandled', text: message }));

window.send = (text) => {
  const command = decode(text) as { readonly type: string };
  said.push({ type: 'sent', command: command.type, at: performance.now() });
  worker.postMessage(command);
};
window.drain = () => {
  const text = encode(said);
  said = [];
  return text;
};
