// Which versions are at work: of Heddle, of the webgpu package, of Node and of the system.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { release } from 'node:os';

/** Versions, for `doctor` and run.json. */
export interface Versions {
  readonly heddle: string;
  /** Dawn for Node; `missing` when it is not installed. */
  readonly webgpu: string;
  readonly node: string;
  readonly os: string;
}

function versionIn(json: string): string {
  const found: unknown = JSON.parse(json);
  const version =
    typeof found === 'object' && found !== null && 'version' in found ? found.version : undefined;
  return typeof version === 'string' ? version : 'unknown';
}

/** This package's own version. */
export function heddleVersion(): string {
  // src/cli and dist/cli are equally far from package.json.
  return versionIn(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
}

/** Looks them up. */
export function versions(): Versions {
  let webgpu = 'missing';
  try {
    const path = createRequire(import.meta.url).resolve('webgpu/package.json');
    webgpu = versionIn(readFileSync(path, 'utf8'));
  } catch {
    // `missing` says it.
  }
  return {
    heddle: heddleVersion(),
    webgpu,
    node: process.versions.node,
    os: `${process.platform} ${release()} ${process.arch}`,
  };
}
