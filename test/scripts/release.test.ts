import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { whyNot } from '../../scripts/release.mjs';
import { root } from '../../scripts/setup/common.mjs';

const json = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));
const about = json('package.json');

/** This checkout, as if it were clean, on main and not tagged. */
const ready = {
  branch: 'main',
  changes: '',
  tags: [''],
  changelog: readFileSync(join(root, 'src', 'CHANGELOG.md'), 'utf8'),
  about,
  lock: json('package-lock.json'),
};
const [name] = Object.keys(about.dependencies) as [string];

test('what is in the repository could be released', () => {
  expect(whyNot(ready)).toBeUndefined();
});

test.each([
  [
    'a dirty tree',
    { changes: ' M README.md\n?? x' },
    'the tree is not clean: M README.md. Commit or remove what is new',
  ],
  ['another branch', { branch: 'next' }, 'this is the branch next; releases are made from main'],
  ['a detached commit', { branch: '' }, 'this is the branch (none); releases are made from main'],
  [
    'a version that is none',
    { about: { ...about, version: '1.0' } },
    'package.json: version 1.0 is no semantic version',
  ],
  [
    'a lock file left behind',
    { lock: { version: '0.0.9' } },
    `package-lock.json is of version 0.0.9, package.json of ${about.version}: run npm install`,
  ],
  [
    'a version that is out',
    { tags: ['v0.0.1', `v${about.version}`] },
    `v${about.version} is tagged already: raise the version in package.json`,
  ],
  [
    'a loose dependency',
    { about: { ...about, dependencies: { ...about.dependencies, [name]: '^1.0.0' } } },
    `${name} is not pinned: found ^1.0.0, expected a version such as 1.2.3`,
  ],
  [
    'no entry in the changelog',
    { changelog: '## [Unreleased]\n' },
    `src/CHANGELOG.md has no line "## [${about.version}] - YYYY-MM-DD"`,
  ],
])('%s is refused', (_, change, reason) => {
  expect(whyNot({ ...ready, ...change })).toBe(reason);
});

test('it takes one option', () => {
  const script = join(root, 'scripts', 'release.mjs');
  expect(() => execFileSync(process.execPath, [script, '--now'], { stdio: 'pipe' })).toThrow(
    /usage: node scripts\/release/,
  );
});
