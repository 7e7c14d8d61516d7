// The desk at the other end of a worker's messages.

import type { Command, Message } from '../../recipes/protocol.ts';
import { createDesk } from './desk.ts';

/** Takes commands from whoever made this worker, and says that it is ready. */
export function serve(): void {
  /** Files go over as they are instead of being copied. */
  const tell = (message: Message) =>
    postMessage(message, { transfer: message.type === 'file' ? [message.bytes.buffer as ArrayBuffer] : [] });
  const desk = createDesk(tell);
  addEventListener('message', ({ data }: MessageEvent<Command>) => desk(data));
  tell({ type: 'status', status: 'idle', text: 'ready' });
}
