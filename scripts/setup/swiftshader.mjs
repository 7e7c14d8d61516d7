// SwiftShader for users who may not install packages: taken from a pinned npm package into the user's cache.
// Nothing is put in place before its checksum is right; what is put in place is renamed there whole.

import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { cacheFolder, npm, reasonOf, run, say } from './common.mjs';
import { swiftshaderEnv, swiftshaderFolder, vulkanFile } from './vulkan.mjs';

const packageName = '@sparticuz/chromium@147.0.2';
const packageSha512 =
  'oqXyPAlGQuT9wdZAhcx4nmhehVgEsDc2adL/+FlX8qsLh/YyOgl9GQp8dPMDIBRmktxgA9c1QSNJIQUj2UeHhQ==';
const archive = 'package/bin/swiftshader.tar.br';
const libraries = ['libvulkan.so.1', 'libvk_swiftshader.so'];

/** Downloads SwiftShader (x86-64 Linux only) into the user's cache. Returns the failure's reason, if any. */
export async function installSwiftshader() {
  if (process.arch !== 'x64') return `no prebuilt SwiftShader for ${process.arch}`;
  say(
    `taking SwiftShader, a software Vulkan driver, from npm's ${packageName} (68 MB) into ${swiftshaderFolder()}`,
  );
  let work;
  try {
    mkdirSync(cacheFolder(), { recursive: true });
    work = mkdtempSync(join(cacheFolder(), '.swiftshader-'));
    await unpackInto(work);
    rmSync(swiftshaderFolder(), { recursive: true, force: true });
    renameSync(join(work, 'driver'), swiftshaderFolder());
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (work) rmSync(work, { recursive: true, force: true });
  }
  return undefined;
}

/** @param {string} work a new folder; `driver` inside it becomes the result */
async function unpackInto(work) {
  const packed = await npm(['pack', packageName, '--ignore-scripts', '--loglevel=error'], work);
  const tarball = readdirSync(work).find((name) => name.endsWith('.tgz'));
  if (!packed.ok || !tarball) throw new Error(`npm pack ${packageName} failed: ${reasonOf(packed.output)}`);
  const sha512 = createHash('sha512')
    .update(readFileSync(join(work, tarball)))
    .digest('base64');
  if (sha512 !== packageSha512) throw new Error(`${tarball}: sha512 is ${sha512}, expected ${packageSha512}`);
  await tar(['-xzf', tarball, archive], work);
  writeFileSync(join(work, 'driver.tar'), brotliDecompressSync(readFileSync(join(work, archive))));
  const driver = join(work, 'driver');
  mkdirSync(driver);
  await tar(['-xf', join(work, 'driver.tar'), ...libraries], driver);
  const manifest = {
    file_format_version: '1.0.0',
    ICD: { library_path: './libvk_swiftshader.so', api_version: '1.0.5' },
  };
  writeFileSync(join(driver, 'vk_swiftshader_icd.json'), `${JSON.stringify(manifest)}\n`);
}

/** @param {string[]} args @param {string} cwd */
async function tar(args, cwd) {
  const result = await run('tar', args, { cwd });
  if (!result.ok) throw new Error(`tar failed: ${reasonOf(result.output)}`);
}

/** Writes the file from which the command line learns how to use SwiftShader. @param {Record<string, string>} env */
export function rememberSwiftshader(env = swiftshaderEnv(swiftshaderFolder())) {
  mkdirSync(cacheFolder(), { recursive: true });
  const temporary = `${vulkanFile()}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify({ env, driver: 'SwiftShader' }, null, 2)}\n`);
  renameSync(temporary, vulkanFile());
}
