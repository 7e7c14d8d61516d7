// The page's worker: a desk at the other end of its messages.

import type { Command, Message } from './protocol.ts';
import { createDesk } from './training/desk.ts';

/** Files go over as they are instead of being copied. */
const tell = (message: Message) =>
  postMessage(message, { transfer: message.type === 'file' ? [message.bytes.buffer as ArrayBuffer] : [] });

const desk = createDesk(tell);
addEventListener('message', ({ data }: MessageEvent<Command>) => desk(data));
tell({ type: 'status', status: 'idle', text: 'ready' });
