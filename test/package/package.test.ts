// The package as users get it: packed, installed into an empty folder, imported, compiled against and run there.

import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { isAllowed, noticesText, shippedPackages } from '../../scripts/package/notices.mjs';
import { type Packed, pack } from '../../scripts/package/pack.mjs';
import { isPinned } from '../../scripts/release.mjs';
import { npm, root, run } from '../../scripts/setup/common.mjs';
import { build } from '../../scripts/setup/project.mjs';
import { temporaryFolder } from '../cli/support.ts';

vi.setConfig({ hookTimeout: 300_000 });

const json = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));
const about = json('package.json');

/** A user's folder. */
const home = temporaryFolder();
let packed: Packed & { path: string };

/** Installs into the user's folder; from npm's cache where it can, as setup has just filled it. */
async function install(...packages: string[]): Promise<void> {
  const { ok, output } = await npm(
    ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', ...packages],
    home,
  );
  if (!ok) throw new Error(`npm install ${packages.join(' ')} failed:\n${output}`);
}
const node = (...args: string[]) => run(process.execPath, args, { cwd: home });
const heddle = (...args: string[]) =>
  node(join(home, 'node_modules', 'heddle', 'dist', 'cli', 'main.js'), ...args);

beforeAll(async () => {
  await build();
  packed = await pack(home);
  writeFileSync(join(home, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await install(packed.path);
});

describe('the tarball', () => {
  test('holds what its users need, and nothing else', () => {
    const expected = [
      /^(package\.json|README\.md|LICENSE|scripts\/torch-peer\.py|dist\/THIRD-PARTY-NOTICES\.txt)$/,
      /^dist\/[\w/-]+(\.generated)?(\.js|\.d\.ts)$/,
      /^dist\/web\/(index\.html|assets\/[\w.-]+)$/,
      /^shaders\/\w+\.wgsl$/,
    ];
    const paths = packed.files.map(({ path }) => path);
    expect(paths.filter((path) => !expected.some((one) => one.test(path)))).toEqual([]);
    const shaders = packed.files.filter(({ path }) => path.endsWith('.wgsl'));
    expect(shaders).toHaveLength(readdirSync(join(root, 'shaders')).length);
  });

  test('is smaller than 1 MB', () => {
    process.stdout.write(`  ${packed.filename}: ${packed.size} bytes, ${packed.unpackedSize} unpacked\n`);
    expect(packed.size).toBeLessThan(1e6);
  });

  test('brings Dawn to nobody who has not asked for it', () => {
    const brought = readdirSync(join(home, 'node_modules'));
    expect(brought).toContain('heddle');
    expect(brought).not.toContain('webgpu');
  });
});

describe('without the package webgpu', () => {
  const sentence =
    'in Node, Heddle computes through Dawn, in the package webgpu, which is not installed. Type: npm install webgpu@0.6';

  test('a program is told what to type', async () => {
    const program =
      "import { openDevice } from 'heddle'; await openDevice().catch((e) => console.log(e.code, e.message))";
    const { stdout } = await node('--input-type=module', '--eval', program);
    expect(stdout).toBe(`no-adapter ${sentence}\n`);
  });

  test('so is a user, with exit code 3; and what needs no GPU works', async () => {
    const { output } = await heddle('train', '--dataset', 'synthetic');
    expect(output).toBe(`heddle train: ${sentence}\n`);
    expect((await heddle('--version')).output).toBe(`${about.version}\n`);
    expect((await heddle('runs')).ok).toBe(true);
  });
});

describe('with it', () => {
  beforeAll(() => install(`webgpu@${about.devDependencies.webgpu}`));

  test('doctor finds every kernel right', async () => {
    const { ok, output } = await heddle('doctor');
    expect(output).toMatch(/\nall \d+ checks ok\n/);
    expect(ok).toBe(true);
  });

  test('train trains, and keeps a run that eval reads', async () => {
    const trained = await heddle(
      ...'train --dataset synthetic --epochs 1 --limit 640 --hidden 16 --out mine --format pytorch'.split(
        ' ',
      ),
    );
    expect(trained.stdout).toMatch(/^Epoch 1\n-+\nloss: 2\.\d+ [\s\S]*Done!\n$/);
    const evaluated = await heddle('eval', 'mine', '--json');
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ rows: 1000 });
  });

  const typescript = join(root, 'node_modules', 'typescript', 'lib', 'tsc.js');
  test.each([
    ['nodenext', 'nodenext', ['ES2022']],
    ['nodenext', 'nodenext', ['ES2022', 'DOM']],
    ['esnext', 'bundler', ['ES2022']],
    ['esnext', 'bundler', ['ES2022', 'DOM']],
  ])(
    'a strict TypeScript program compiles: module %s, resolution %s, lib %j',
    async (module, moduleResolution, lib) => {
      copyFileSync(join(import.meta.dirname, 'consumer.ts'), join(home, 'consumer.ts'));
      const own = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: true,
      };
      const compilerOptions = {
        ...own,
        target: 'ES2022',
        module,
        moduleResolution,
        lib: [...lib, 'ESNext.Disposable'],
        types: ['console'],
      };
      // Without the DOM's types, and Node's, nobody says that there is a console.
      mkdirSync(join(home, 'node_modules', '@types', 'console'), { recursive: true });
      writeFileSync(
        join(home, 'node_modules', '@types', 'console', 'index.d.ts'),
        lib.includes('DOM') ? '' : 'declare const console: { log(text: string): void };\n',
      );
      writeFileSync(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
      const { ok, output } = await node(typescript, '-p', '.');
      expect([output, ok]).toEqual(['', true]);
      const { stdout } = await node('consumer.js');
      expect(JSON.parse(stdout)).toEqual({
        ...{ type: 'done', slope: expect.closeTo(2, 3), c: 11, exact: 11, refused: 'usage', limit: true },
      });
    },
  );
});

describe('what users get with it', () => {
  const lock = json('package-lock.json');
  const shipped = shippedPackages(lock);

  test('is pinned to the version', () => {
    const asked: Record<string, string> = { ...about.dependencies, ...about.devDependencies };
    for (const [name, version] of Object.entries(asked))
      expect(isPinned(version), `${name}: ${version}`).toBe(true);
    expect(['1.2.3', '1.20.0-1', 'npm:@a/b@1.2.3'].map(isPinned)).toEqual([true, true, true]);
    expect(['^1.2.3', '1.2', 'latest', '*', 'npm:b@^1.2.3', ''].filter(isPinned)).toEqual([]);
    expect(lock.version).toBe(about.version);
  });

  test('needs no install script', () => {
    expect(shipped.filter(({ hasInstallScript }) => hasInstallScript)).toEqual([]);
  });

  test('is under licences that let us pass it on, and the notices have them all', () => {
    const text = noticesText();
    expect(
      readFileSync(join(home, 'node_modules', 'heddle', 'dist', 'THIRD-PARTY-NOTICES.txt'), 'utf8'),
    ).toBe(text);
    expect(shipped.map(({ name }) => name)).toEqual(
      expect.arrayContaining([...Object.keys(about.dependencies), 'preact', 'uplot']),
    );
    for (const { name, version } of shipped) expect(text).toContain(`\n${name} ${version} (`);
    expect(['MIT', '(MIT OR GPL-3.0)', 'Apache-2.0 AND BSD-3-Clause'].map(isAllowed)).toEqual([
      true,
      true,
      true,
    ]);
    expect(['GPL-3.0', 'MIT AND GPL-3.0', 'undefined'].map(isAllowed)).toEqual([false, false, false]);
    expect(existsSync(join(dirname(packed.path), 'node_modules', 'heddle', 'LICENSE'))).toBe(true);
  });
});
