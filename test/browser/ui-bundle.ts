// Builds the page on its fake source, or the page itself, as vite.config.ts does; writes no files.

import { join } from 'node:path';
import { build, type Rolldown } from 'vite';

const root = join(import.meta.dirname, '..', '..');

/** Contents by path; the page asked for is `index.html`. */
export async function bundlePage(entry: 'test/browser/ui.html' | 'src/web/index.html') {
  const folder = join(root, entry, '..');
  const result = await build({
    root: folder,
    configFile: false,
    logLevel: 'error',
    mode: 'production',
    base: './',
    resolve: { conditions: ['heddle-source', 'browser', 'module', 'import', 'default'] },
    build: { write: false, target: 'es2023', rolldownOptions: { input: join(root, entry) } },
    worker: { format: 'es' },
  });
  const { output } = result as Rolldown.RolldownOutput;
  const files = new Map(
    output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : file.source] as const),
  );
  const page = [...files.keys()].find((path) => path.endsWith('.html'));
  if (page !== undefined) files.set('index.html', files.get(page) as string);
  return files;
}
