// The same seed, driver and version give the same bytes: two epochs on a few rows in three processes, one of which computes
// on a single thread.

import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { records, start, temporaryFolder } from '../cli/support.ts';

const program = fileURLToPath(new URL('../support/train-subset.ts', import.meta.url));

it('gives byte-identical weights after two epochs in three processes', async () => {
  const cwd = temporaryFolder();
  const ended = await Promise.all(
    [{}, {}, { LP_NUM_THREADS: '1' }].map((env) => start(program, [], { cwd, env })),
  );
  const found = ended.map(({ code, stdout, stderr }) => {
    expect(code, stderr).toBe(0);
    return records(stdout)[0];
  });
  expect(found[0]?.after).toMatch(/^[0-9a-f]{64}$/);
  expect(found[0]?.after).not.toBe(found[0]?.before);
  expect(found[1]).toEqual(found[0]);
  expect(found[2]).toEqual(found[0]);
});
