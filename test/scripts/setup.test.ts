// Unit tests of what setup decides, without touching the machine: versions, lock files, apt's sources, os-release.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  backportsOf,
  isDebianLike,
  parseList,
  parseOsRelease,
  parseSources,
  readSources,
} from '../../scripts/setup/apt.mjs';
import { cacheFolder, reasonOf } from '../../scripts/setup/common.mjs';
import { hasFiles } from '../../scripts/setup/data.mjs';
import { checkNode, fingerprint, isAtLeast, whyStale } from '../../scripts/setup/project.mjs';
import { withDriver } from '../../scripts/setup/vulkan.mjs';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-setup-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('Node version', () => {
  test.each([
    ['v20.19.0', true],
    ['v20.19.5', true],
    ['v22.0.0', true],
    ['v20.20.0-nightly', true],
    ['v20.18.9', false],
    ['v18.20.4', false],
    ['v9.99.99', false],
  ])('%s', (version, enough) => {
    expect(isAtLeast(version, '20.19.0')).toBe(enough);
  });

  test('an old one stops setup with one line', () => {
    expect(() => checkNode('v18.20.4')).toThrow(/needs Node 20\.19\.0 or newer, this is v18\.20\.4/);
    expect(() => checkNode()).not.toThrow();
  });
});

describe('node_modules', () => {
  const lock = {
    packages: {
      '': { version: '1.0.0' },
      'node_modules/a': { version: '1.2.3' },
      'node_modules/a-darwin': { version: '1.2.3', optional: true },
    },
  };

  test('as the lock file asks, other platforms aside', () => {
    expect(whyStale(lock, { packages: { 'node_modules/a': { version: '1.2.3' } } })).toBeUndefined();
  });

  test('missing, incomplete or of another version', () => {
    expect(whyStale(lock, undefined)).toMatch(/missing/);
    expect(whyStale(lock, {})).toMatch(/not what/);
    expect(whyStale(lock, { packages: { 'node_modules/a': { version: '1.2.4' } } })).toMatch(/not what/);
    const wrongOptional = {
      'node_modules/a': { version: '1.2.3' },
      'node_modules/a-darwin': { version: '1' },
    };
    expect(whyStale(lock, { packages: wrongOptional })).toMatch(/not what/);
  });
});

describe('the fingerprint of the sources', () => {
  test('changes with contents, names and deletions, not with dates or generated files', () => {
    mkdirSync(join(folder, 'src'));
    writeFileSync(join(folder, 'src', 'a.ts'), 'one');
    const before = fingerprint(folder, ['src', 'absent']);
    writeFileSync(join(folder, 'src', 'a.ts'), 'one');
    writeFileSync(join(folder, 'src', 'kernels.generated.ts'), 'anything');
    expect(fingerprint(folder, ['src', 'absent'])).toBe(before);
    writeFileSync(join(folder, 'src', 'b.ts'), '');
    expect(fingerprint(folder, ['src'])).not.toBe(before);
    rmSync(join(folder, 'src', 'b.ts'));
    expect(fingerprint(folder, ['src'])).toBe(before);
    writeFileSync(join(folder, 'src', 'a.ts'), 'two');
    expect(fingerprint(folder, ['src'])).not.toBe(before);
  });
});

test('os-release', () => {
  const debian = parseOsRelease(
    'NAME="Debian GNU/Linux"\nVERSION_ID="12"\n# no\nID=debian\nVERSION_CODENAME=bookworm\n',
  );
  expect(debian).toEqual({
    NAME: 'Debian GNU/Linux',
    VERSION_ID: '12',
    ID: 'debian',
    VERSION_CODENAME: 'bookworm',
  });
  expect(isDebianLike(debian)).toBe(true);
  expect(isDebianLike(parseOsRelease("ID=linuxmint\nID_LIKE='ubuntu debian'"))).toBe(true);
  expect(isDebianLike(parseOsRelease('ID=fedora'))).toBe(false);
  expect(isDebianLike({})).toBe(false);
});

describe("apt's sources and the backports suite", () => {
  test('one-line form, with and without options', () => {
    const text = [
      '# deb http://commented.example/debian bookworm main',
      'deb-src http://mirror.example/debian bookworm main',
      'deb http://mirror.example/debian-security bookworm-security main',
      'deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian bookworm main contrib # why',
    ].join('\n');
    const sources = parseList(text);
    expect(sources.map((source) => source.suites)).toEqual([['bookworm-security'], ['bookworm']]);
    expect(sources[1]?.components).toEqual(['main', 'contrib']);
    expect(backportsOf(sources, 'bookworm')).toMatchObject({
      suite: 'bookworm-backports',
      file: 'heddle-backports.list',
      text: 'deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian bookworm-backports main\n',
    });
    expect(backportsOf(parseList('deb http://m.example/d bookworm main'), 'bookworm')?.text).toBe(
      'deb http://m.example/d bookworm-backports main\n',
    );
  });

  test('deb822 form, with comments, a disabled paragraph and a key file', () => {
    const text = `Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb deb-src
# a comment between the fields
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/k.gpg
`;
    const backports = backportsOf(parseSources(text), 'bookworm');
    expect(backports?.file).toBe('heddle-backports.sources');
    expect(backports?.text).toBe(`Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/k.gpg
`);
    expect(backports?.oneLine).toBe(
      'deb [signed-by=/usr/share/keyrings/k.gpg] http://mirror.example/debian bookworm-backports main',
    );
  });

  test('deb822 form: an inlined key and folded fields survive', () => {
    const key =
      'Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----';
    const text = `Types: deb\nURIs:\n http://mirror.example/debian\nSuites:\n bookworm\n bookworm-updates\nComponents: main\n${key}\n`;
    const sources = parseSources(text);
    expect(sources[0]?.suites).toEqual(['bookworm', 'bookworm-updates']);
    expect(backportsOf(sources, 'bookworm')?.text).toContain(`Components: main\n${key}\n`);
    expect(backportsOf(sources, 'bookworm')?.oneLine).not.toContain('signed-by');
  });

  test('a suite that is configured already is used as it is', () => {
    const sources = parseSources(
      'Types: deb\nURIs: http://m.example/d\nSuites: bookworm bookworm-backports\nComponents: main',
    );
    expect(backportsOf(sources, 'bookworm')).toEqual({ suite: 'bookworm-backports' });
  });

  test('no source of the release, no backports', () => {
    expect(backportsOf(parseList('deb http://m.example/d trixie main'), 'bookworm')).toBeUndefined();
    expect(backportsOf([], 'bookworm')).toBeUndefined();
  });

  test("a folder as apt's: both places, both forms, nothing else", () => {
    expect(readSources(folder)).toEqual([]);
    writeFileSync(join(folder, 'sources.list'), 'deb http://first.example/d bookworm main\n');
    expect(readSources(folder)).toHaveLength(1);
    mkdirSync(join(folder, 'sources.list.d'));
    const paragraph = 'Types: deb\nURIs: http://second.example/d\nSuites: bookworm\nComponents: main\n';
    writeFileSync(join(folder, 'sources.list.d', 'x.sources'), paragraph);
    writeFileSync(join(folder, 'sources.list.d', 'y.sources.disabled'), paragraph);
    writeFileSync(join(folder, 'sources.list.d', 'z.list'), 'deb http://third.example/d bookworm main\n');
    const uris = readSources(folder).map((source) => source.uri);
    expect(uris).toEqual(['http://first.example/d', 'http://second.example/d', 'http://third.example/d']);
  });
});

test('the data set is there with four files, packed or not', () => {
  for (const name of ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte.gz', 't10k-images-idx3-ubyte.gz']) {
    writeFileSync(join(folder, name), '');
    expect(hasFiles(folder)).toBe(false);
  }
  writeFileSync(join(folder, 't10k-labels-idx1-ubyte'), '');
  expect(hasFiles(folder)).toBe(true);
});

test('a driver’s variables replace, its library folder goes in front', () => {
  const env = withDriver(
    { A: '1', LD_LIBRARY_PATH: '/own' },
    { LD_LIBRARY_PATH: '/vk', VK_ICD_FILENAMES: '/vk/i.json' },
  );
  expect(env).toEqual({ A: '1', LD_LIBRARY_PATH: '/vk:/own', VK_ICD_FILENAMES: '/vk/i.json' });
  expect(withDriver({ A: '1' }, {})).toEqual({ A: '1' });
});

test('the cache folder follows XDG_CACHE_HOME', () => {
  expect(cacheFolder({ XDG_CACHE_HOME: '/somewhere' })).toBe(join('/somewhere', 'heddle'));
  expect(cacheFolder({})).toMatch(/\.cache[/\\]heddle$/);
});

test('the telling line of an output', () => {
  expect(reasonOf('Reading…\nE: Unable to locate package x\nmore')).toBe('E: Unable to locate package x');
  const npmOutput =
    'npm warn x\nnpm error code ENOTFOUND\nnpm error errno ENOTFOUND\nnpm error network request failed\n';
  expect(reasonOf(npmOutput)).toBe('network request failed');
  expect(reasonOf('one\ntwo\n\n')).toBe('two');
  expect(reasonOf('')).toBe('no output');
});
