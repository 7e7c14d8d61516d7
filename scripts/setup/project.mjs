// The repository's own part of setup: the version of Node, node_modules and dist.
// Decides from contents, never from dates: copies and checkouts keep no useful dates.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { npm, reasonOf, root, SetupError, say } from './common.mjs';

/** The oldest Node that Heddle runs on, as in package.json. */
export const minimumNode = '20.19.0';

/** Whether a version such as `v20.19.1` is at least `minimum`. @param {string} version @param {string} minimum */
export function isAtLeast(version, minimum) {
  const found = numbers(version);
  const wanted = numbers(minimum);
  for (let i = 0; i < 3; i++) {
    const difference = (found[i] ?? 0) - (wanted[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** @param {string} version */
function numbers(version) {
  return version.replace(/^v/, '').split('.').map(Number.parseFloat);
}

/** Stops with one line when this Node is too old. @param {string} [version] */
export function checkNode(version = process.version) {
  if (isAtLeast(version, minimumNode)) return;
  throw new SetupError(
    `Heddle needs Node ${minimumNode} or newer, this is ${version}. Get one from nodejs.org.`,
  );
}

/** @typedef {Record<string, { version?: string, optional?: boolean }>} Packages */

/**
 * Why what npm installed (its own record, node_modules/.package-lock.json) is not what the lock file asks for;
 * undefined when it is. Packages for other platforms are optional and may be absent.
 * @param {{ packages?: Packages }} lock
 * @param {{ packages?: Packages } | undefined} installed
 */
export function whyStale(lock, installed) {
  if (installed === undefined) return 'node_modules is missing';
  const wanted = lock.packages ?? {};
  const found = installed.packages ?? {};
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || (entry.optional && !found[path])) continue;
    if (found[path]?.version !== entry.version) return 'node_modules is not what package-lock.json asks for';
  }
  return undefined;
}

/** Runs `npm ci` when node_modules is missing or stale. */
export async function installPackages() {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const record = join(root, 'node_modules', '.package-lock.json');
  const installed = existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : undefined;
  const top = lock.packages?.['']; // a folder that somebody deleted is not in npm's record
  const direct = Object.keys({ ...top?.dependencies, ...top?.devDependencies });
  const gone = direct.some((name) => !existsSync(join(root, 'node_modules', name, 'package.json')));
  const reason = whyStale(lock, installed) ?? (gone ? 'a package is missing in node_modules' : undefined);
  if (reason === undefined) return;
  say(`npm ci (${reason})`);
  const result = await npm(['ci', '--ignore-scripts']);
  if (result.ok) return;
  const hint = result.output.includes('EUSAGE') ? '' : " Check the network and npm's registry setting.";
  throw new SetupError(`npm ci failed: ${reasonOf(result.output).replace(/\.?$/, '.')}${hint}`);
}

/** Everything `npm run build` reads. */
const buildInputs = [
  'src',
  'shaders',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'vite.config.ts',
  'scripts/embed-shaders.ts',
  'scripts/package/notices.mjs',
];

/**
 * One hash over names and contents of files and folders; generated files do not count.
 * @param {string} folder the paths' base
 * @param {string[]} paths
 */
export function fingerprint(folder, paths) {
  const hash = createHash('sha256');
  for (const path of paths) {
    for (const file of filesUnder(join(folder, path))) {
      const name = relative(folder, file).split(sep).join('/');
      const bytes = readFileSync(file);
      hash.update(`${name}\n${bytes.length}\n`).update(bytes);
    }
  }
  return hash.digest('hex');
}

/** @param {string} path @returns {string[]} */
function filesUnder(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return path.endsWith('.generated.ts') ? [] : [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesUnder(join(path, name)));
}

/** Runs `npm run build` when dist was not built from the sources as they are. */
export async function build() {
  const stamp = join(root, 'dist', '.built-from');
  const now = fingerprint(root, buildInputs);
  const results = [
    stamp,
    join(root, 'dist', 'cli', 'main.js'),
    join(root, 'dist', 'web', 'index.html'),
    join(root, 'src', 'ops', 'kernels.generated.ts'),
  ];
  const complete = results.every((path) => existsSync(path));
  if (complete && readFileSync(stamp, 'utf8') === now) return;
  say(`npm run build (${complete ? 'the sources have changed' : 'not built yet'})`);
  const result = await npm(['run', '--silent', 'build']);
  if (!result.ok) {
    process.stderr.write(result.output);
    throw new SetupError(`npm run build failed: ${reasonOf(result.output)}`);
  }
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(stamp, now);
}
