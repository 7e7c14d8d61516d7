// The program that runs in a page, in a worker and in Node, word for word; the tests compare what it reports.
// It is given the library, because each place gets it differently. Everything it reports survives JSON.

import type * as Heddle from '../../src/index.ts';

/** Which rows to train on. `baseUrl` is where a page's own server has FashionMNIST; Node looks in its folders. */
export interface Job {
  readonly data: 'fashion-mnist' | 'synthetic';
  readonly baseUrl?: string;
}

/** What a run reports. */
export interface Outcome {
  readonly adapter: Heddle.AdapterInfo;
  readonly features: readonly string[];
  /** SHA-256 of the untrained parameters as a safetensors file. */
  readonly initial: string;
  /** The loss of each step. */
  readonly losses: readonly number[];
  /** The same rows evaluated before and after the training. */
  readonly before: Heddle.Evaluation;
  readonly after: Heddle.Evaluation;
  readonly secondsPerStep: number;
  /** Loss and gradient of the last layer's bias for the first batch, by PyTorch's verbs, after the training. */
  readonly verbLoss: number;
  readonly biasGradient: readonly number[];
  /** Keys and shapes of the saved parameters, and whether what was saved equals `parameters()` to the bit. */
  readonly saved: Readonly<Record<string, readonly number[]>>;
  readonly savedEqualsParameters: boolean;
  /** Bytes still on the device when the trainer was destroyed, and what a destroyed trainer answers. */
  readonly bytesLeft: number;
  readonly afterDestroy: string;
}

const batchSize = 64;
/** Twelve batches; the last one is half full. */
const trainRows = 12 * batchSize - 32;
const testRows = 200;

/** Trains the tutorial's network for twelve steps, with seed 0, and tries what the library has around that. */
export async function program(heddle: typeof Heddle, job: Job): Promise<Outcome> {
  const { createTrainer, dataLoader, datasets, nn, optim } = heddle;
  heddle.manualSeed(0);
  const device = await heddle.openDevice();
  const rows = (split: 'train' | 'test', limit: number) =>
    job.data === 'synthetic'
      ? datasets.synthetic(split, { limit })
      : datasets.fashionMnist(split, { limit, baseUrl: job.baseUrl });
  const train = dataLoader(await rows('train', trainRows), { batchSize });
  const test = dataLoader(heddle.take(await rows('test', 2 * testRows), testRows), { batchSize });

  const model = nn.sequential(
    nn.flatten(),
    nn.linear(28 * 28, 512),
    nn.relu(),
    nn.linear(512, 512),
    nn.relu(),
    nn.linear(512, 10),
  );
  const loss = nn.crossEntropyLoss();
  const trainer = await createTrainer(device, { model, loss, optimizer: optim.sgd({ lr: 0.05 }), batchSize });
  const initial = await sha256(await trainer.save());
  const before = await trainer.evaluate(test);
  const losses: number[] = [];
  let secondsPerStep = Number.NaN;
  for await (const event of trainer.fit(train, { epochs: 1, validate: test, logEvery: 1 })) {
    if (event.type === 'step') losses.push(event.loss);
    if (event.type === 'done') secondsPerStep = event.secondsPerStep;
  }
  const after = await trainer.evaluate(test);

  const [batch] = train.epoch(0);
  if (batch === undefined) throw new Error('the loader has no batch');
  trainer.zeroGrad();
  trainer.backward(batch);
  const verbLoss = await trainer.loss();
  const biasGradient = [...((await trainer.gradients()).get('5.bias') ?? [])];

  const parameters = await trainer.parameters();
  const { tensors } = heddle.decodeSafetensors(await trainer.save());
  const savedEqualsParameters = [...parameters].every(([key, values]) =>
    equal(values, tensors.get(key)?.data),
  );
  const saved = Object.fromEntries([...tensors].map(([key, { shape }]) => [key, shape]));
  trainer.optimizerStep();
  trainer.step(batch);
  await trainer.load(parameters);

  trainer.destroy();
  const bytesLeft = device.bytes;
  const afterDestroy = await trainer.parameters().then(
    () => 'parameters',
    (error: unknown) => (error instanceof heddle.HeddleError ? error.code : String(error)),
  );
  device.destroy();
  return {
    adapter: device.info,
    features: device.features,
    initial,
    losses,
    before,
    after,
    secondsPerStep,
    verbLoss,
    biasGradient,
    saved,
    savedEqualsParameters,
    bytesLeft,
    afterDestroy,
  };
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function equal(a: ArrayLike<number>, b: ArrayLike<number> | undefined): boolean {
  return (
    b !== undefined && a.length === b.length && Array.from(a).every((value, i) => Object.is(value, b[i]))
  );
}
