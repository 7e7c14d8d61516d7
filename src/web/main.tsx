// Where the page begins: whom it listens to. A run in Node says so, in the address or by its server; else this page trains.

import { showPage } from './page.tsx';
import { deafSource, workerSource } from './source.ts';
import { sseSource } from './sse-source.ts';

const root = document.getElementById('app') as HTMLElement;
const watched =
  document.querySelector<HTMLMetaElement>('meta[name="heddle-watch"]')?.content ??
  (new URLSearchParams(location.search).has('watch') ? 'events' : undefined);

const noWebgpu = {
  type: 'error',
  code: 'no-webgpu',
  message: 'Heddle trains on the graphics card through WebGPU, and this browser offers none.',
  todo: 'Use Chrome or Edge from version 113 on. On Linux, open chrome://flags, switch on “Unsafe WebGPU Support” and “Vulkan”, and start the browser again. WebGPU also needs https, or localhost.',
} as const;

showPage(root, () => {
  if (watched !== undefined) return sseSource(watched);
  return 'gpu' in navigator ? workerSource() : deafSource(noWebgpu);
});
