// Debian's and Ubuntu's packages: reading os-release and apt's sources, deriving the backports suite, installing.
// Knows nothing of GPUs or data. The parsing functions are pure and tested.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRoot, reasonOf, run, say, which } from './common.mjs';

/** The fields of /etc/os-release. @param {string} text @returns {Record<string, string>} */
export function parseOsRelease(text) {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Z0-9_]+)=(.*?)\s*$/.exec(line);
    if (match?.[1]) fields[match[1]] = (match[2] ?? '').replace(/^(["'])(.*)\1$/, '$2');
  }
  return fields;
}

/** This machine's os-release, or nothing on other systems. */
export function osRelease() {
  const path = ['/etc/os-release', '/usr/lib/os-release'].find((candidate) => existsSync(candidate));
  return path ? parseOsRelease(readFileSync(path, 'utf8')) : {};
}

/** Whether the distribution is Debian, Ubuntu or derived from them. @param {Record<string, string>} release */
export function isDebianLike(release) {
  return `${release.ID ?? ''} ${release.ID_LIKE ?? ''}`
    .split(' ')
    .some((id) => id === 'debian' || id === 'ubuntu');
}

/** Whether packages can be installed here: Debian or Ubuntu, as root, with apt-get. */
export function canInstall() {
  return isRoot() && isDebianLike(osRelease()) && which('apt-get') !== undefined;
}

/**
 * One enabled source of binary packages. `options` is what goes between the brackets of the one-line form;
 * `fields` are the other fields of the deb822 form, their lines untouched (a key may be inlined).
 * @typedef {{ form: 'list' | 'sources', uri: string, suites: string[], components: string[],
 *   options: string, fields: string[] }} AptSource
 */

/** The one-line form: `deb [signed-by=…] URI suite component…`. @param {string} text @returns {AptSource[]} */
export function parseList(text) {
  /** @type {AptSource[]} */
  const sources = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (!match?.[2] || !match[3]) continue;
    sources.push({
      form: 'list',
      uri: match[2],
      suites: [match[3]],
      components: words(match[4]),
      options: (match[1] ?? '').trim(),
      fields: [],
    });
  }
  return sources;
}

/** The deb822 form: paragraphs of `Field: value`. @param {string} text @returns {AptSource[]} */
export function parseSources(text) {
  const paragraphs = text.replace(/^#.*\n?/gm, '').split(/\n(?:[ \t]*\n)+/);
  return paragraphs.flatMap((paragraph) => {
    /** @type {Map<string, string>} */
    const fields = new Map();
    let current = '';
    for (const line of paragraph.split('\n')) {
      const match = /^([^\s:]+)\s*:(.*)$/.exec(line);
      if (match?.[1]) current = match[1].toLowerCase();
      if (match?.[1]) fields.set(current, line);
      else if (current && line.trim() !== '') fields.set(current, `${fields.get(current)}\n${line}`);
    }
    /** @param {string} name */
    const value = (name) => words(fields.get(name)?.replace(/^[^:]*:/, ''));
    const uri = value('uris')[0];
    const off = ['no', 'false', '0', 'off', 'disable', 'without'].includes(
      value('enabled')[0]?.toLowerCase() ?? '',
    );
    if (!uri || off || !value('types').includes('deb')) return [];
    const own = ['types', 'uris', 'suites', 'components', 'enabled', 'x-repolib-name'];
    const others = [...fields].filter(([name]) => !own.includes(name)).map(([, lines]) => lines);
    const components = value('components');
    return [{ form: 'sources', uri, suites: value('suites'), components, options: '', fields: others }];
  });
}

/** @param {string | undefined} text */
function words(text) {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

/** All enabled sources, in apt's order. @param {string} [folder] @returns {AptSource[]} */
export function readSources(folder = '/etc/apt') {
  const parts = join(folder, 'sources.list.d');
  const names = existsSync(parts) ? readdirSync(parts).sort() : [];
  const files = [join(folder, 'sources.list'), ...names.map((name) => join(parts, name))];
  return files.flatMap((file) => {
    if (!existsSync(file)) return [];
    if (file.endsWith('.list')) return parseList(readFileSync(file, 'utf8'));
    return file.endsWith('.sources') ? parseSources(readFileSync(file, 'utf8')) : [];
  });
}

/**
 * The backports suite of a release: already configured, or the file to write for it, from the same mirror with the
 * same key; undefined when no source carries the release.
 * @param {AptSource[]} sources
 * @param {string} codename such as `bookworm`
 * @returns {{ suite: string, file?: string, text?: string, oneLine?: string } | undefined}
 */
export function backportsOf(sources, codename) {
  const suite = `${codename}-backports`;
  if (sources.some((source) => source.suites.includes(suite))) return { suite };
  const base = sources.find(
    (source) => source.suites.includes(codename) && source.components.includes('main'),
  );
  if (!base) return undefined;
  if (base.form === 'list') {
    const oneLine = `deb ${base.options ? `[${base.options}] ` : ''}${base.uri} ${suite} main`;
    return { suite, file: 'heddle-backports.list', text: `${oneLine}\n`, oneLine };
  }
  const lines = ['Types: deb', `URIs: ${base.uri}`, `Suites: ${suite}`, 'Components: main', ...base.fields];
  const key = base.fields
    .find((field) => /^signed-by\s*:\s*\/\S+\s*$/i.test(field))
    ?.replace(/^[^:]*:\s*/, '')
    .trim();
  const oneLine = `deb ${key ? `[signed-by=${key}] ` : ''}${base.uri} ${suite} main`;
  return { suite, file: 'heddle-backports.sources', text: `${lines.join('\n')}\n`, oneLine };
}

const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
const quiet = ['-q', '-y', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=300'];
let listsAreFresh = false;

/** Brings apt's lists up to date. Returns the failure's reason, if any. @param {string[]} [options] */
async function update(options = []) {
  say(options.length > 0 ? 'apt-get update (that file alone)' : 'apt-get update');
  const all = [...quiet, '-o', 'APT::Update::Error-Mode=any', ...options, 'update'];
  const result = await run('apt-get', all, { env });
  return result.ok ? undefined : reasonOf(result.output);
}

/**
 * Installs packages, without recommended ones and without removing any. Returns the failure's reason, if any.
 * @param {string[]} packages
 * @param {string} why what they are for, printed
 * @param {string} [suite] the suite to take them from
 */
export async function aptInstall(packages, why, suite) {
  const outdated = listsAreFresh ? undefined : await update();
  listsAreFresh = true;
  const args = ['install', '--no-install-recommends', ...(suite ? ['-t', suite] : []), ...packages];
  say(`apt-get ${args.join(' ')} (${why})`);
  const result = await run('apt-get', [...quiet, '--no-remove', ...args], { env });
  if (result.ok) return undefined;
  return reasonOf(result.output) + (outdated ? ` (apt-get update: ${outdated})` : '');
}

/** Makes the backports suite available; a suite the mirror lacks leaves nothing behind. @param {string} codename */
export async function enableBackports(codename) {
  const backports = backportsOf(readSources(), codename);
  if (!backports) return { reason: `no source of ${codename} in /etc/apt` };
  if (backports.file === undefined) return { suite: backports.suite };
  const path = join('/etc/apt/sources.list.d', backports.file);
  say(`writing ${path} (${backports.suite} of the configured mirror)`);
  writeFileSync(path, backports.text ?? '');
  const onlyThisFile = ['-o', `Dir::Etc::sourcelist=${path}`, '-o', 'Dir::Etc::sourceparts=-'];
  const reason = await update([...onlyThisFile, '-o', 'APT::Get::List-Cleanup=0']);
  if (reason === undefined) return { suite: backports.suite };
  rmSync(path);
  return { reason: `${backports.suite} cannot be read: ${reason}` };
}
