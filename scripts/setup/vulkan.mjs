// WebGPU adapters: asking for one in a child process, and where the software Vulkan drivers are on this machine.
// A driver that is installed need not work (Dawn refuses Debian 12's own Mesa), so only an adapter that answers counts.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, run } from './common.mjs';

/** @typedef {{ name: string, env: Record<string, string> }} Driver what selects a driver: variables for a new process */
/** @typedef {{ adapter?: string, reason?: string }} Answer the adapter's name, or why there is none */

// Runs in a child because a broken driver may crash it. `gpu` stays at module level: losing it kills Node natively.
// A null backend computes nothing and does not count.
const question = `
import { writeSync } from 'node:fs';
import { create } from 'webgpu';
const gpu = create([]);
const adapter = await gpu.requestAdapter();
const device = adapter?.info.device === 'null-backend' ? undefined : await adapter?.requestDevice();
const { description, vendor, architecture } = adapter?.info ?? {};
if (device) writeSync(1, '\\nADAPTER ' + (description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed') + '\\n');
process.exit(gpu && 0);
`;

/**
 * Whether a process with these variables gets a WebGPU adapter that makes a device. Takes about 0.2 s.
 * @param {Record<string, string>} [driverEnv] as of a `Driver`
 * @returns {Promise<Answer>}
 */
export async function probe(driverEnv = {}) {
  const env = withDriver(process.env, driverEnv);
  const args = ['--input-type=module', '-e', question];
  const result = await run(process.execPath, args, { env, timeout: 30_000 });
  const adapter = /^ADAPTER (.*)$/m.exec(result.stdout)?.[1];
  if (adapter) return { adapter };
  const load = /(Cannot find package .*|ERR_DLOPEN_FAILED|GLIBC_\S+ not found)/.exec(result.output)?.[1];
  return {
    reason: load ? `the webgpu package does not load: ${load}` : 'no Vulkan driver that WebGPU accepts',
  };
}

/**
 * An environment with a driver's variables; LD_LIBRARY_PATH goes in front of what is there.
 * @param {NodeJS.ProcessEnv} env
 * @param {Record<string, string>} driverEnv
 * @returns {NodeJS.ProcessEnv}
 */
export function withDriver(env, driverEnv) {
  const merged = { ...env, ...driverEnv };
  const folders = [driverEnv.LD_LIBRARY_PATH, env.LD_LIBRARY_PATH].filter((folder) => folder);
  if (folders.length > 0) merged.LD_LIBRARY_PATH = folders.join(':');
  return merged;
}

/** @param {string} icd the path of a driver's manifest */
function select(icd) {
  return { VK_ICD_FILENAMES: icd, VK_DRIVER_FILES: icd }; // old and new name; newer loaders prefer the new one
}

/** lavapipe, Mesa's software driver, where distributions put its manifest. @returns {Driver[]} */
export function lavapipeCandidates() {
  const folders = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];
  const files = folders.filter(existsSync).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => /^lvp_icd.*\.json$/.test(name))
      .map((name) => join(folder, name)),
  );
  return files.map((icd) => ({ name: 'lavapipe', env: select(icd) }));
}

/** SwiftShader, which comes with Chromium and Chrome, or from the user's cache. @returns {Driver[]} */
export function swiftshaderCandidates() {
  const browsers = ['/usr/lib/chromium', '/usr/lib64/chromium-browser', '/opt/google/chrome'];
  const folders = process.platform === 'linux' ? [...browsers, swiftshaderFolder()] : [];
  return folders
    .filter((folder) => existsSync(join(folder, 'vk_swiftshader_icd.json')))
    .map((folder) => ({ name: 'swiftshader', env: swiftshaderEnv(folder) }));
}

/** Where setup unpacks SwiftShader. */
export function swiftshaderFolder() {
  return join(cacheFolder(), 'swiftshader');
}

/** @param {string} folder has the driver, its manifest and perhaps a Vulkan loader */
export function swiftshaderEnv(folder) {
  const driver = select(join(folder, 'vk_swiftshader_icd.json'));
  return existsSync(join(folder, 'libvulkan.so.1')) ? { LD_LIBRARY_PATH: folder, ...driver } : driver;
}

/** The first of the candidates that gives an adapter. @param {Driver[]} candidates */
export async function firstWorking(candidates) {
  for (const driver of candidates) {
    if ((await probe(driver.env)).adapter) return driver;
  }
  return undefined;
}

/** The file that tells the command line which variables to start again with when it finds no adapter. */
export function vulkanFile() {
  return join(cacheFolder(), 'vulkan.json');
}

/** The variables of that file, when it is there and whole. @returns {Record<string, string> | undefined} */
export function rememberedEnv() {
  try {
    return JSON.parse(readFileSync(vulkanFile(), 'utf8')).env;
  } catch {
    return undefined;
  }
}

/**
 * The drivers that the GPU tests run on: lavapipe and SwiftShader where they work. With only one of the two, or none,
 * the machine's own adapter joins (name `gpu`, no variables), so that the tests never run on nothing without failing.
 * @returns {Promise<Driver[]>}
 */
export async function testDrivers() {
  const [lavapipe, swiftshader, own] = await Promise.all([
    firstWorking(lavapipeCandidates()),
    firstWorking(swiftshaderCandidates()),
    probe(),
  ]);
  const software = [lavapipe, swiftshader].filter((driver) => driver !== undefined);
  if (software.length === 2) return software;
  const ownIsOther =
    own.adapter && !(lavapipe && /llvmpipe/.test(own.adapter)) && !/SwiftShader/.test(own.adapter);
  return software.length === 0 || ownIsOther ? [{ name: 'gpu', env: {} }, ...software] : software;
}
