// The test projects: `host` needs no GPU of its own; the GPU folders run once for each software Vulkan driver and once
// in Chromium. Drivers are chosen by environment variables of the worker process, set before Dawn loads.

import { availableParallelism } from 'node:os';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { type Driver, testDrivers } from './scripts/setup/vulkan.mjs';
import { chromiumOptions } from './test/browser/chromium.ts';

const gpuTests = ['gpu', 'ops', 'nn', 'optim', 'train'].map((folder) => `test/${folder}/**/*.test.ts`);
/** Tests of the GPU folders that need Node: files, or processes of their own. */
const nodeOnly = ['test/**/*.node.test.ts'];

// scripts/test.mjs has already asked the drivers; vitest run by hand asks them here.
const given = process.env.HEDDLE_TEST_DRIVERS;
const drivers: Driver[] = given === undefined ? await testDrivers() : JSON.parse(given);
const first = drivers[0] ?? { name: 'gpu', env: {} };

/**
 * A driver's variables as vitest takes them: a worker process is started with them. lavapipe has 8 lanes on every machine,
 * and 16 in a project of its own: Heddle would choose by the CPU.
 */
function environment({ env }: Driver): Record<string, string> {
  const inherited = process.env.LD_LIBRARY_PATH;
  const folders = [env.LD_LIBRARY_PATH, inherited].filter(Boolean).join(':');
  return { LP_NATIVE_VECTOR_WIDTH: '256', ...env, ...(folders && { LD_LIBRARY_PATH: folders }) };
}

// `#platform` must mean the sources, here as in tsconfig.json.
const conditions = ['heddle-source', 'node', 'import', 'module', 'default'];

/** The GPU tests in a real browser. Without one this project is missing, and test/browser says what to install. */
function chromiumProject(launchOptions = chromiumOptions()) {
  if (launchOptions === undefined) return [];
  return [
    {
      extends: true as const,
      resolve: { conditions: conditions.map((name) => (name === 'node' ? 'browser' : name)) },
      test: {
        name: 'browser',
        include: gpuTests,
        exclude: nodeOnly,
        provide: { driver: 'chromium' },
        browser: {
          enabled: true,
          headless: true,
          screenshotFailures: false,
          provider: playwright({ launchOptions }),
          instances: [{ browser: 'chromium' as const, name: 'chromium' }],
        },
      },
    },
  ];
}

/** What depends on how many lanes there are: kernels that use subgroups, and all of them together on the tutorial's job. */
const laneTests = [
  'test/gpu/image.test.ts',
  'test/ops/linear_backward.test.ts',
  'test/ops/linear_cross_entropy.test.ts',
  'test/ops/matmul.test.ts',
  'test/ops/matmul-slices.test.ts',
  'test/ops/variants.test.ts',
  'test/train/check.test.ts',
  'test/train/tune.test.ts',
  'test/train/tutorial.node.test.ts',
];

/** lavapipe with subgroups of 16, as it has them on CPUs that compute on 512 bits at once. */
function wideProject(lavapipe = drivers.find(({ name }) => name === 'lavapipe')) {
  if (lavapipe === undefined) return [];
  return [
    {
      extends: true as const,
      test: {
        name: 'lavapipe-16-lanes',
        include: laneTests,
        env: { ...environment(lavapipe), LP_NATIVE_VECTOR_WIDTH: '512' },
        provide: { driver: 'lavapipe' },
        setupFiles: ['./test/support/mutant.ts'],
      },
    },
  ];
}

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['heddle-source', 'node'] } },
  test: {
    pool: 'forks',
    maxWorkers: Math.min(availableParallelism(), 4),
    testTimeout: 600_000, // beside the other projects on two busy cores, what takes 20 s alone took over 180
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'host',
          include: ['test/**/*.test.ts'],
          exclude: gpuTests,
          env: environment(first),
        },
      },
      ...drivers.map((driver) => ({
        extends: true as const,
        test: {
          name: driver.name,
          include: gpuTests,
          env: environment(driver),
          provide: { driver: driver.name },
          setupFiles: ['./test/support/mutant.ts'],
        },
      })),
      ...wideProject(),
      ...chromiumProject(),
    ],
  },
});
