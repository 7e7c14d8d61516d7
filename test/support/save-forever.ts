// Run by a test as a process of its own, to be killed: saves one checkpoint after another over the same file, each with
// its number in every word.

import { openRunFolder } from '../../src/cli/run-folder.ts';
import { encodeCheckpoint } from '../../src/io/checkpoint.ts';

const folder = openRunFolder(process.argv[2] as string);
for (let steps = Number(process.argv[3]); ; steps++) {
  const weights = new Map([['weight', { shape: [64, 512], data: new Float32Array(64 * 512).fill(steps) }]]);
  const state = { steps, draws: steps, epochs: 0, seed: 0, optimizer: { kind: 'sgd', groups: [{ lr: 1 }] } };
  const bytes = encodeCheckpoint({ weights, optimizer: new Map(), state, notes: new Map() });
  for (const name of ['best.safetensors', 'last.safetensors']) folder.saveCheckpoint(name, bytes);
  if (steps === Number(process.argv[3])) process.stdout.write('saved\n');
}
