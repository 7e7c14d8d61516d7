// The page's worker.

import type { Message } from '../recipes/protocol.ts';

const tell = (message: Message) => postMessage(message);
tell({ type: 'status', status: 'idle', text: 'ready' });
