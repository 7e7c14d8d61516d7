// Makes a release ready: `node scripts/release.mjs [--dry-run]`. Refuses what should not be published, runs checks and tests,
// packs, and tags this commit. It publishes nothing: it prints the command that does. With --dry-run it makes no tag.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pack } from './package/pack.mjs';
import { npm, root, run, SetupError, say } from './setup/common.mjs';
import { build } from './setup/project.mjs';
import { reportFailure } from './setup.mjs';

/**
 * @typedef {{ branch: string, changes: string, tags: readonly string[], changelog: string,
 *   about: { version: string, dependencies?: Record<string, string>, devDependencies?: Record<string, string> },
 *   lock: { version?: string } }} Checkout
 */

const semantic = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

/** Whether package.json asks for exactly one version of a package; `npm:NAME@` gives one another name. @param {string} wanted */
export const isPinned = (wanted) => semantic.test(wanted.replace(/^npm:.+@/, ''));

/**
 * Why a checkout is not to be released; undefined when nothing speaks against it.
 * @param {Checkout} checkout
 */
export function whyNot({ branch, changes, tags, changelog, about, lock }) {
  const { version, dependencies, devDependencies } = about;
  if (changes !== '')
    return `the tree is not clean: ${changes.split('\n')[0]?.trim()}. Commit or remove what is new`;
  if (branch !== 'main') return `this is the branch ${branch || '(none)'}; releases are made from main`;
  if (!semantic.test(version)) return `package.json: version ${version} is no semantic version`;
  if (lock.version !== version)
    return `package-lock.json is of version ${lock.version}, package.json of ${version}: run npm install`;
  if (tags.includes(`v${version}`)) return `v${version} is tagged already: raise the version in package.json`;
  const loose = Object.entries({ ...dependencies, ...devDependencies }).find(
    ([, wanted]) => !isPinned(wanted),
  );
  if (loose !== undefined)
    return `${loose[0]} is not pinned: found ${loose[1]}, expected a version such as 1.2.3`;
  const entry = new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d{2}-\\d{2}$`, 'm');
  if (!entry.test(changelog)) return `src/CHANGELOG.md has no line "## [${version}] - YYYY-MM-DD"`;
  return undefined;
}

/** @param {string[]} args */
async function git(...args) {
  const result = await run('git', args);
  if (!result.ok) throw new SetupError(`git ${args.join(' ')} failed: ${result.output.trim()}`);
  return result.stdout.trim();
}

/** @param {string} path */
const text = (path) => readFileSync(join(root, path), 'utf8');

/** @param {{ dryRun: boolean }} options */
async function release({ dryRun }) {
  const about = JSON.parse(text('package.json'));
  const reason = whyNot({
    branch: await git('branch', '--show-current'),
    changes: await git('status', '--porcelain'),
    tags: (await git('tag', '--list')).split('\n'),
    changelog: text('src/CHANGELOG.md'),
    about,
    lock: JSON.parse(text('package-lock.json')),
  });
  if (reason !== undefined) throw new SetupError(reason);
  for (const script of ['check', 'test']) {
    say(`npm run ${script}`);
    const result = await npm(['run', '--silent', script]);
    if (result.ok) continue;
    process.stderr.write(result.output);
    throw new SetupError(`npm run ${script} failed: nothing was released`);
  }
  await build();
  const folder = join(root, 'dist', '.release');
  mkdirSync(folder, { recursive: true });
  const { path, size } = await pack(folder);
  const sum = createHash('sha256').update(readFileSync(path)).digest('hex');
  if (!dryRun) await git('tag', '--annotate', `v${about.version}`, '--message', `Heddle ${about.version}`);
  console.log(`${path}\n${size} bytes, SHA-256 ${sum}`);
  console.log(
    dryRun
      ? 'a dry run: no tag was made'
      : `tagged v${about.version}; to publish: git push origin v${about.version} && npm publish ${path}`,
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [option, ...more] = process.argv.slice(2);
  if (more.length > 0 || ![undefined, '--dry-run'].includes(option)) {
    process.stderr.write('usage: node scripts/release.mjs [--dry-run]\n');
    process.exitCode = 2;
  } else {
    try {
      await release({ dryRun: option === '--dry-run' });
    } catch (error) {
      process.exitCode = reportFailure(error);
    }
  }
}
