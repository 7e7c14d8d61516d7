// What went wrong, as the page tells it: a sentence, and what to do. Pure.

import { messageOf } from '../../errors.ts';
import { type ErrorCode, HeddleError } from '../../index.ts';
import type { Message } from '../../recipes/protocol.ts';

const again = 'Start again; if it comes back, reload the page, and update browser and graphics driver.';

const todos: Readonly<Record<ErrorCode, string>> = {
  usage: 'Change the settings, then start again.',
  'no-adapter':
    'Turn on hardware acceleration in the browser’s settings, or open this page in another browser; then reload it.',
  data: 'Drop the data set’s four files here, or take the synthetic set, which needs none.',
  diverged:
    'Set a smaller learning rate, then start again. The model as it was before is kept for predictions and files.',
  'device-lost': 'Close other tabs that use the GPU, or take a smaller model or batch; then start again.',
  shape: 'Choose a checkpoint of the same model, or start without one.',
  limit: 'Take a smaller model or batch, then start again.',
  gpu: again,
  file: 'Choose a checkpoint that this page or heddle train has written, or start without one.',
  destroyed: again,
};

/** The message of an error; of one that nobody threw on purpose with the code `internal`. */
export function errorMessage(error: unknown): Extract<Message, { type: 'error' }> {
  const code = error instanceof HeddleError ? error.code : 'internal';
  return { type: 'error', code, message: messageOf(error), todo: code === 'internal' ? again : todos[code] };
}
