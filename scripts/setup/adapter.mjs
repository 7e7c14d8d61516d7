// The adapter step of setup: use what works, else install lavapipe (Debian, Ubuntu, root), else take SwiftShader into
// the user's cache, else say what to type. The test step makes sure of both software drivers.

import {
  aptInstall,
  backportsOf,
  canInstall,
  enableBackports,
  isDebianLike,
  osRelease,
  readSources,
} from './apt.mjs';
import { SetupError, say, which } from './common.mjs';
import { installSwiftshader, rememberSwiftshader } from './swiftshader.mjs';
import { firstWorking, lavapipeCandidates, probe, rememberedEnv, swiftshaderCandidates } from './vulkan.mjs';

const lavapipePackages = ['mesa-vulkan-drivers', 'libvulkan1'];

/** Makes sure that this machine has a WebGPU adapter; throws with exit code 3 when that cannot be. */
export async function ensureAdapter() {
  const remembered = rememberedEnv();
  const [own, earlier] = await Promise.all([probe(), remembered && probe(remembered)]);
  if (own.adapter || earlier?.adapter) return;
  if (process.platform !== 'linux') {
    const reason = own.reason?.startsWith('the webgpu') ? ` (${own.reason})` : '';
    throw new SetupError(
      `no WebGPU adapter found${reason}. Update this machine's graphics driver, then try again.`,
      3,
    );
  }
  const aptReason = canInstall() ? await installLavapipe() : undefined;
  if (aptReason) say(`lavapipe could not be installed: ${aptReason}`);
  else if (canInstall() && (await probe()).adapter) return;
  const swiftshaderReason = await useSwiftshader();
  if (swiftshaderReason === undefined) {
    say(
      `training runs on SwiftShader, on the CPU. A GPU's driver is faster, and so is lavapipe: ${lavapipeCommand()}`,
    );
    return;
  }
  say(`SwiftShader could not be used: ${swiftshaderReason}`);
  throw new SetupError(
    `no WebGPU adapter: ${own.reason}. Install your GPU's Vulkan driver, or lavapipe: ${lavapipeCommand()}`,
    3,
  );
}

/** Installs lavapipe with apt. Returns the failure's reason, if any. */
async function installLavapipe() {
  const codename = debian12();
  const why = 'lavapipe, a software Vulkan driver';
  if (!codename) return aptInstall(lavapipePackages, why);
  const backports = await enableBackports(codename); // WebGPU refuses the Mesa of Debian 12 itself
  if (backports.suite === undefined) return backports.reason;
  return aptInstall(lavapipePackages, why, backports.suite);
}

/** Debian 12's codename on Debian 12. */
function debian12() {
  const release = osRelease();
  return release.ID === 'debian' && release.VERSION_ID === '12' ? 'bookworm' : undefined;
}

/** Finds or downloads SwiftShader and remembers it for the command line. Returns the failure's reason, if any. */
async function useSwiftshader() {
  let found = await firstWorking(swiftshaderCandidates());
  if (!found) {
    const reason = await installSwiftshader();
    if (reason) return reason;
    found = await firstWorking(swiftshaderCandidates());
  }
  if (!found) return 'it gives no adapter on this machine';
  try {
    rememberSwiftshader(found.env);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return undefined;
}

/** What to type, as somebody who may, to get lavapipe on this machine. */
export function lavapipeCommand() {
  const release = osRelease();
  const codename = debian12();
  const install = 'sudo apt-get install -y --no-install-recommends';
  if (codename) {
    const backports = backportsOf(readSources(), codename);
    const line = backports?.oneLine;
    const add = line ? `echo '${line}' | sudo tee /etc/apt/sources.list.d/heddle-backports.list && ` : '';
    return `${add}sudo apt-get update && ${install} -t ${codename}-backports ${lavapipePackages.join(' ')}`;
  }
  if (isDebianLike(release)) return `sudo apt-get update && ${install} ${lavapipePackages.join(' ')}`;
  const like = `${release.ID ?? ''} ${release.ID_LIKE ?? ''}`;
  if (/fedora|rhel/.test(like)) return 'sudo dnf install mesa-vulkan-drivers vulkan-loader';
  if (/arch/.test(like)) return 'sudo pacman -S vulkan-swrast vulkan-icd-loader';
  if (/suse/.test(like)) return 'sudo zypper install libvulkan_lvp libvulkan1';
  return "your distribution's Mesa Vulkan drivers (25 or newer) and Vulkan loader";
}

/** Adds what the tests want beyond an adapter: lavapipe and SwiftShader both, and Chromium. Linux only. */
export async function ensureTestDrivers() {
  if (process.platform !== 'linux') return;
  const may = canInstall();
  const lavapipe = await firstWorking(lavapipeCandidates());
  if (!lavapipe && may) {
    const reason = await installLavapipe();
    if (reason) throw new SetupError(`lavapipe could not be installed: ${reason}`, 3);
    if (!(await firstWorking(lavapipeCandidates())))
      throw new SetupError('lavapipe is installed but gives no adapter', 3);
  }
  await ensureChromium(may);
  if (await firstWorking(swiftshaderCandidates())) return;
  const reason = await installSwiftshader();
  if (reason) say(`the tests run without SwiftShader: ${reason}`);
}

/** Chromium for the browser tests; the Debian package also brings SwiftShader. @param {boolean} may install */
async function ensureChromium(may) {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  if (names.some((name) => which(name))) return;
  if (osRelease().ID === 'ubuntu') {
    say(
      'no Chromium found, and Ubuntu has it only as a snap: `sudo snap install chromium`; the browser tests need it',
    );
    return;
  }
  const reason = may ? await aptInstall(['chromium'], 'the browser tests; brings SwiftShader') : 'not root';
  if (reason) say(`no Chromium found, and it could not be installed (${reason}); the browser tests need it`);
}
