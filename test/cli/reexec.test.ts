import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { driverEnvironment, reexec } from '../../src/cli/reexec.ts';
import { start, temporaryFolder } from './support.ts';

const driver = { LD_LIBRARY_PATH: '/cache/swiftshader', VK_ICD_FILENAMES: '/cache/icd.json' };

function cacheWith(text: string | undefined): string {
  const folder = temporaryFolder();
  const path = join(folder, 'heddle', 'vulkan.json');
  mkdirSync(dirname(path));
  if (text !== undefined) writeFileSync(path, text);
  return folder;
}

function self(cache: string, env: NodeJS.ProcessEnv = {}, platform = 'linux') {
  return { platform, env: { XDG_CACHE_HOME: cache, ...env }, home: '/nowhere', command: [process.execPath] };
}

test('the cached driver’s variables are added, its libraries before those that are there', () => {
  const cache = cacheWith(JSON.stringify({ env: driver }));
  expect(driverEnvironment(self(cache, { A: 'b', LD_LIBRARY_PATH: '/mine' }))).toEqual({
    A: 'b',
    XDG_CACHE_HOME: cache,
    VK_ICD_FILENAMES: '/cache/icd.json',
    LD_LIBRARY_PATH: '/cache/swiftshader:/mine',
    HEDDLE_REEXEC: '1',
  });
});

test('without XDG_CACHE_HOME it is looked for in ~/.cache', () => {
  const home = temporaryFolder();
  mkdirSync(join(home, '.cache', 'heddle'), { recursive: true });
  writeFileSync(join(home, '.cache', 'heddle', 'vulkan.json'), JSON.stringify({ env: driver }));
  expect(driverEnvironment({ ...self(''), env: {}, home })).toMatchObject(driver);
});

test('there is no second try elsewhere, after a second try, or without a sound file', async () => {
  const cache = cacheWith(JSON.stringify({ env: driver }));
  expect(driverEnvironment(self(cache, {}, 'darwin'))).toBeUndefined();
  expect(driverEnvironment(self(cache, { HEDDLE_REEXEC: '1' }))).toBeUndefined();
  for (const text of [undefined, '', 'null', '[]', '{"env":7}', '{"env":{"VK_ICD_FILENAMES":7}}']) {
    expect(driverEnvironment(self(cacheWith(text)))).toBeUndefined();
  }
  expect(await reexec(self(cacheWith(undefined)))).toBeUndefined();
});

const parent = `
import { reexec } from ${JSON.stringify(new URL('../../src/cli/reexec.ts', import.meta.url).href)};
const command = [process.execPath, process.argv[2]];
process.exit((await reexec({ platform: 'linux', env: process.env, home: '/nowhere', command })) ?? 99);
`;
/** Counts signals for a while after the first; exits with their number and 10. */
const child = `
let count = 0;
const count1 = () => { if (++count === 1) setTimeout(() => process.exit(10 + count), 500); };
process.on('SIGINT', count1);
process.on('SIGTERM', count1);
setInterval(() => {}, 1000);
console.log(process.env.VK_ICD_FILENAMES + ' ready');
`;

describe.runIf(process.platform === 'linux')('the child', () => {
  const cases = [
    ['SIGINT', 'the parent alone', 1],
    ['SIGTERM', 'the parent alone', 1],
    ['SIGINT', 'the whole group, as a terminal does', -1],
  ] as const;
  test.each(cases)('gets one %s sent to %s, and its exit code is kept', async (signal, _, sign) => {
    const cache = cacheWith(JSON.stringify({ env: { VK_ICD_FILENAMES: '/cache/icd.json' } }));
    writeFileSync(join(cache, 'parent.mjs'), parent);
    writeFileSync(join(cache, 'child.mjs'), child);
    let sent = false;
    const ended = await start(join(cache, 'parent.mjs'), [join(cache, 'child.mjs')], {
      cwd: cache,
      env: { XDG_CACHE_HOME: cache },
      group: true,
      onStdout(_text, { pid }) {
        if (!sent && pid !== undefined) process.kill(sign * pid, signal);
        sent = true;
      },
    });
    expect(ended).toMatchObject({ code: 11, stdout: '/cache/icd.json ready\n' });
  });

  test('that dies of a signal is told as a shell would tell it', async () => {
    const cache = cacheWith(JSON.stringify({ env: {} }));
    const command = [process.execPath, '-e', 'process.kill(process.pid, "SIGKILL")'];
    expect(await reexec({ ...self(cache), command })).toBe(137);
  });
});
