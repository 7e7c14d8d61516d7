// The page on a source that trains nothing, as its address asks: `?chunk=40&interval=100`, `?watched`.
// Tests speak to the source as `fake`.

import { showPage } from '../../src/web/page.tsx';
import { type Fake, fakeSource } from './fake-source.ts';

declare global {
  interface Window {
    /** The newest source. */
    fake: Fake;
    rejections: string[];
  }
}

window.rejections = [];
addEventListener('unhandledrejection', ({ reason }) => window.rejections.push(String(reason)));

const asked = new URLSearchParams(location.search);
showPage(document.getElementById('app') as HTMLElement, () => {
  window.fake = fakeSource({
    commands: !asked.has('watched'),
    chunk: Number(asked.get('chunk') ?? 40),
    interval: Number(asked.get('interval') ?? 100),
  });
  return window.fake;
});
