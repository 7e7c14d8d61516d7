// Builds a folder's page with Vite, with nothing set that a stranger's project would not have. Writes no files.

import { build, type Rolldown } from 'vite';

/** A built page. */
export interface Bundle {
  /** Contents by path, e.g. `index.html` or `assets/index-1234.js`. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  /** Paths of the modules that went into the page's own scripts (a worker's are not listed). */
  readonly modules: readonly string[];
  /** What the scripts import that is not in the bundle. */
  readonly external: readonly string[];
}

/**
 * Bundles `entry` (an html page or a script) of the folder `root` for production. `conditions`: how packages and `#platform`
 * are resolved, where that is not Vite's own way.
 */
export async function bundle(root: string, entry: string, conditions?: string[]): Promise<Bundle> {
  const result = await build({
    root,
    configFile: false,
    logLevel: 'error',
    mode: 'production',
    ...(conditions && { resolve: { conditions } }),
    build: { write: false, rolldownOptions: { input: `${root}/${entry}` } },
    worker: { format: 'es' },
  });
  const { output } = result as Rolldown.RolldownOutput;
  const chunks = output.filter((file) => file.type === 'chunk');
  const files = new Map(
    output.map((file) => [file.fileName, file.type === 'chunk' ? file.code : file.source] as const),
  );
  const imports = chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]);
  return {
    files,
    modules: chunks.flatMap((chunk) => chunk.moduleIds),
    external: imports.filter((path) => !files.has(path)),
  };
}
