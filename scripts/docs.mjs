// Builds the API reference from the sources' comments: `node scripts/docs.mjs [FOLDER]`, dist/.docs if none is named.
// Exits with 1 where a comment is missing or links to nothing, or the reference has to guess.

import { register } from 'node:module';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

// TypeDoc asks for a `typescript` whose compiler is JavaScript. Ours, which type-checks the sources, is not.
const hooks = `export const resolve = (name, context, next) =>
  next(name === 'typescript' ? 'typescript-for-typedoc' : name, context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const { Application, OptionDefaults } = await import('typedoc');
const app = await Application.bootstrapWithPlugins({
  name: 'Heddle',
  readme: join(root, 'README.md'),
  projectDocuments: ['src/*.md', 'src/*/*.md'].map((files) => join(root, files)),
  plugin: ['typedoc-plugin-missing-exports'], // types that are part of others, without names of their own in index.ts
  tsconfig: join(root, 'tsconfig.build.json'),
  entryPoints: ['src/index.ts', 'src/ops/index.ts'].map((file) => join(root, file)),
  basePath: root,
  out: process.argv[2] ?? join(root, 'dist', '.docs'),
  skipErrorChecking: true, // `npm run check` does that, with the compiler that the sources are written for
  excludePrivate: true,
  disableSources: true,
  githubPages: false,
  highlightLanguages: [...OptionDefaults.highlightLanguages, 'python'],
  hideGenerator: true,
  validation: { invalidLink: true, notExported: true, rewrittenLink: true, notDocumented: true },
  // All but properties: a name such as `shape` may say enough beside what its interface says.
  requiredToBeDocumented: ['Class', 'Function', 'Interface', 'Method', 'Namespace', 'TypeAlias', 'Variable'],
  treatWarningsAsErrors: true,
});
const project = await app.convert();
if (project === undefined) process.exit(1);
app.validate(project);
await app.generateOutputs(project);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
