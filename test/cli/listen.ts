// Listens to a run's page as a browser does, for tests.

import type { Message } from '../../src/recipes/protocol.ts';

/** The messages in a stream's text. */
export const messagesIn = (text: string): Message[] =>
  text.split('\n').flatMap((line) => (line.startsWith('data: ') ? [JSON.parse(line.slice(6))] : []));

/** Listens to a run until `enough`, or until the server ends the stream. */
export async function hear(url: string, enough: (heard: readonly Message[]) => boolean = () => false) {
  const control = new AbortController();
  const response = await fetch(url, { signal: control.signal });
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    const whole = messagesIn(text.slice(0, text.lastIndexOf('\n\n') + 2));
    if (enough(whole)) break;
  }
  control.abort();
  return messagesIn(text.slice(0, text.lastIndexOf('\n\n') + 2));
}

/** The statuses that were told. */
export const statusesOf = (messages: readonly Message[]) =>
  messages.flatMap((message) => (message.type === 'status' ? [message.status] : []));
/** The losses that were told. */
export const pointsOf = (messages: readonly Message[]) =>
  messages.flatMap((message) => (message.type === 'steps' ? message.steps : []));
