// The page: built into static files that any host can serve, by relative addresses.

import { defineConfig, type Plugin } from 'vite';
import { dataRoutes } from './src/cli/serve-data.ts';
import { FASHION_MNIST_FILES } from './src/data/fashion-mnist.ts';
import { KMNIST_FILES, MNIST_FILES } from './src/data/mnist.ts';

/** Gives Vite's own server, for work on the page, the data sets' files that `heddle ui` serves. */
function data(): Plugin {
  return {
    name: 'heddle-data',
    configureServer({ middlewares }) {
      const routes = dataRoutes([FASHION_MNIST_FILES, MNIST_FILES, KMNIST_FILES]);
      middlewares.use((request, response, next) => {
        const handler = routes.get((request.url ?? '').replace(/\?.*$/, ''));
        if (handler === undefined) next();
        else void handler(request, response);
      });
    },
  };
}

export default defineConfig({
  root: 'src/web',
  base: './',
  plugins: [data()],
  // `#platform` and the library mean the sources, and the browser's side of them.
  resolve: { conditions: ['heddle-source', 'browser', 'module', 'import', 'default'] },
  build: { outDir: '../../dist/web', emptyOutDir: true, target: 'es2023' },
  worker: { format: 'es' },
});
