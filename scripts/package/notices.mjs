// The licences of everything that our package or its page contains or brings along: one text, written into dist by the build.
// Stops the build when a licence is none that we may pass on.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, SetupError } from '../setup/common.mjs';
import { reportFailure } from '../setup.mjs';

/** Licences that let us pass a package on with its notice. */
const allowedLicences = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD'];

/** Whether a licence expression such as `(Apache-2.0 AND MIT)` lets us. @param {string} expression */
export const isAllowed = (expression) =>
  expression
    .replaceAll(/[()]/g, '')
    .split(' AND ')
    .every((part) => part.split(' OR ').some((licence) => allowedLicences.includes(licence)));

/** Development packages that Vite builds into the page. */
const bundled = ['preact', 'uplot'];

/** @typedef {{ version?: string, hasInstallScript?: boolean, dependencies?: Record<string, string> }} LockedPackage */

/**
 * The packages of a lock file that users get: our dependencies and theirs, and what is built into the page.
 * @param {{ packages: Record<string, LockedPackage> }} lock
 */
export function shippedPackages({ packages }) {
  /** @type {Map<string, LockedPackage & { path: string, name: string }>} */
  const found = new Map();
  /** @param {string} name @param {string} from the path of the package that asks for it */
  const add = (name, from) => {
    const own = `${from}/node_modules/${name}`;
    const path = from !== '' && own in packages ? own : `node_modules/${name}`;
    if (found.has(path)) return;
    const entry = packages[path] ?? {};
    found.set(path, { ...entry, path, name });
    for (const other of Object.keys(entry.dependencies ?? {})) add(other, path);
  };
  for (const name of [...Object.keys(packages['']?.dependencies ?? {}), ...bundled]) add(name, '');
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * A package's own licence text; undefined where it has none.
 * @param {string} folder
 */
function licenceText(folder) {
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)(\.|$)/i.test(name));
  return file && readFileSync(join(folder, file), 'utf8').trim();
}

/** The notices, a section for each package. Throws for a licence that we may not pass on. */
export function noticesText() {
  /** @type {{ packages: Record<string, LockedPackage> }} */
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const sections = shippedPackages(lock).map(({ path, name, version }) => {
    const about = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
    const licence = String(about.license);
    if (!isAllowed(licence))
      throw new SetupError(
        `${name} ${version} is under ${licence}; expected one of ${allowedLicences.join(', ')}. Choose another package, or allow it in scripts/package/notices.mjs`,
      );
    const text =
      licenceText(join(root, path)) ?? `No licence file in the package; its package.json says ${licence}.`;
    return `${name} ${version} (${licence})\n\n${text}\n`;
  });
  const head = 'Heddle comes with these packages, or brings them along. Each under its own licence:\n';
  return [head, ...sections].join(`\n${'-'.repeat(80)}\n\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    mkdirSync(join(root, 'dist'), { recursive: true });
    writeFileSync(join(root, 'dist', 'THIRD-PARTY-NOTICES.txt'), noticesText());
  } catch (error) {
    process.exitCode = reportFailure(error);
  }
}
