// What `npm run check` asks of the package as users get it: packs it, and lets publint and attw look at the tarball.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run, SetupError } from '../setup/common.mjs';
import { build } from '../setup/project.mjs';
import { reportFailure } from '../setup.mjs';
import { pack } from './pack.mjs';

/** Tools by the arguments before the tarball's name and those behind it. ESM only: `require` is not what we promise. */
const tools = [
  { name: 'publint', file: ['publint', 'src', 'cli.js'], before: ['--strict'], after: [] },
  {
    name: 'attw',
    file: ['@arethetypeswrong', 'cli', 'dist', 'index.js'],
    before: [],
    after: ['--profile', 'esm-only', '--no-emoji', '--format', 'ascii'],
  },
];

const folder = mkdtempSync(join(tmpdir(), 'heddle-check-'));
try {
  await build();
  const { path } = await pack(folder);
  for (const { name, file, before, after } of tools) {
    const tool = join(root, 'node_modules', ...file);
    const result = await run(process.execPath, [tool, ...before, path, ...after]);
    if (!result.ok) {
      process.stderr.write(result.output);
      throw new SetupError(`${name} finds fault with the package`);
    }
  }
  console.log('publint and attw find no fault with the package');
} catch (error) {
  process.exitCode = reportFailure(error);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
