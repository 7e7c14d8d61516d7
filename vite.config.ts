// The page: built into static files that any host can serve, by relative addresses.

import { defineConfig } from 'vite';

export default defineConfig({
  root: 'src/web',
  base: './',
  // `#platform` and the library mean the sources, and the browser's side of them.
  resolve: { conditions: ['heddle-source', 'browser', 'module', 'import', 'default'] },
  build: { outDir: '../../dist/web', emptyOutDir: true, target: 'es2023' },
  worker: { format: 'es' },
});
