// A source that trains nothing: it plays a training that looks like one, so that every part of the page can be seen and
// tried without a GPU. What the page sends is kept, for tests to read.

import type { Command, Judged, Message, RunFacts, Settings, Tiles } from '../../src/recipes/protocol.ts';
import { defaults } from '../../src/web/settings.ts';
import type { Source } from '../../src/web/source.ts';

export interface Fake extends Source {
  readonly sent: Command[];
  readonly tell: (message: Message) => void;
}

const classes = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];
const tests = 10_000;

/** Numbers 0…1 that are the same each time. */
function random(seed: number): () => number {
  let state = seed + 0x9e3779b9;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    state ^= state >>> 15;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A blob with a hole, so that it looks like something. */
function pixelsOf(seed: number): Uint8Array {
  const next = random(seed);
  const [x0, y0, wide, high] = [10 + 8 * next(), 10 + 8 * next(), 5 + 6 * next(), 6 + 7 * next()];
  return Uint8Array.from({ length: 784 }, (_, i) => {
    const [u, v] = [((i % 28) - x0) / wide, (Math.floor(i / 28) - y0) / high];
    const far = Math.hypot(u, v);
    return Math.max(0, Math.min(255, (far < 1 && far > 0.35 ? 190 : 12) + 60 * (next() - 0.5)));
  });
}

function judged(image: number, target: number, predicted: number, probability: number): Judged {
  return { image, target, predicted, probability, pixels: pixelsOf(image) };
}

function tiles(label: string, count: number, height: number, width: number, progress: number): Tiles {
  const next = random(count + height);
  const values = new Float32Array(count * height * width);
  for (let tile = 0; tile < count; tile++) {
    const [fx, fy, phase] = [next() * 0.5, next() * 0.5, next() * 6];
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const wave =
          Math.sin(fx * x + fy * y + phase) * Math.exp(-((x - width / 2) ** 2 + (y - height / 2) ** 2) / 90);
        values[(tile * height + y) * width + x] = progress * wave + 0.35 * (next() - 0.5);
      }
  }
  return { label, count, height, width, values };
}

/** Counts of a test set that looks like FashionMNIST's: the upper garments are mixed up with each other. */
function confusionAt(accuracy: number): number[][] {
  const alike = [0, 2, 4, 6];
  const shoes = [5, 7, 9];
  return classes.map((_, i) => {
    const hard = alike.includes(i) ? 1.7 : shoes.includes(i) ? 0.6 : 0.5;
    const wrong = Math.round(1000 * Math.min(0.9, (1 - accuracy) * hard));
    const weights = classes.map((__, j) => {
      if (i === j) return 0;
      if (alike.includes(i) && alike.includes(j)) return 8 + ((i * 7 + j * 3) % 5);
      return shoes.includes(i) && shoes.includes(j) ? 10 : (i * 3 + j) % 4 === 0 ? 0.6 : 0;
    });
    const sum = weights.reduce((a, b) => a + b, 0);
    const row = weights.map((weight) => Math.round((wrong * weight) / sum));
    row[i] = 1000 - row.reduce((a, b) => a + b, 0);
    return row;
  });
}

const lossAt = (step: number, noise: number, quick: number) =>
  (0.3 + 2 * Math.exp((-step * quick) / 900) + 0.12 * (noise - 0.5) * 2) * (1 + 0.15 * (noise - 0.5));
const accuracyAt = (epoch: number, quick: number) => 0.9 - 0.42 * Math.exp(-0.5 * epoch * quick);

export interface FakeOptions {
  readonly commands?: boolean;
  /** Steps between two messages; and milliseconds. */
  readonly chunk?: number;
  readonly interval?: number;
}

/** A source whose training goes by itself, from `start` on. */
export function fakeSource({ commands = true, chunk = 40, interval = 100 }: FakeOptions = {}): Fake {
  const told = new Set<(message: Message) => void>();
  const sent: Command[] = [];
  const tell = (message: Message) => {
    for (const one of told) one(message);
  };
  let settings: Settings = defaults;
  let step = 0;
  let lr = 0;
  let runs = 0;
  let shown = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setInterval> | undefined;
  const batches = () => Math.ceil(60_000 / settings.batchSize);
  const quick = () => (settings.optimizer === 'sgd' ? 0.25 : 1) * (0.8 + 0.4 * random(runs)());

  function facts(): RunFacts {
    return {
      settings,
      adapter: 'Google SwiftShader Device (Subzero)',
      backend: 'vulkan',
      software: true,
      model: settings.model === 'mlp' ? ['784', ...settings.hidden, '10'].join('-') : settings.model,
      parameters: 669_706,
      classes,
      train: 60_000,
      test: tests,
      synthetic: settings.dataset === 'synthetic',
      dispatches: 17,
      bytes: 74_300_000,
      ...(commands ? {} : { folder: 'runs/2024-05-01-mlp' }),
    };
  }
  function advance(count: number): void {
    const next = random(step + 1000 * runs);
    const last = Math.min(step + count, settings.epochs * batches());
    const steps = [];
    for (let at = step + 1; at <= last; at++)
      steps.push({ step: at, epoch: Math.ceil(at / batches()), loss: lossAt(at, next(), quick()), lr });
    step = last;
    const batch = ((step - 1) % batches()) + 1;
    tell({
      type: 'steps',
      steps,
      batch,
      batches: batches(),
      samplesPerSecond: 24_816,
      secondsPerStep: 0.00258,
    });
    if (Math.floor(step / batches()) > Math.floor((step - steps.length) / batches())) epoch();
    // About twice a second, as a worker does.
    if (performance.now() - shown > 500) {
      shown = performance.now();
      const filters = tiles('linear_relu_stack.0.weight', 512, 28, 28, Math.min(1, step / 2000));
      tell({ type: 'filters', filters });
    }
    if (step >= settings.epochs * batches()) end('done');
  }
  function epoch(): void {
    const number = Math.floor(step / batches());
    const accuracy = accuracyAt(number, quick());
    const loss = lossAt(number * batches(), 0.5, quick()) + 0.03;
    const validation = { loss, accuracy, confusion: confusionAt(accuracy), ranks: [] };
    tell({
      type: 'epoch',
      epoch: number,
      step: number * batches(),
      trainLoss: loss,
      seconds: 2.4,
      validation,
    });
    tell({
      type: 'mistakes',
      mistakes: Array.from({ length: 24 }, (_, i) =>
        judged(17 + 401 * i, (i * 3) % 10, (i * 7 + 2) % 10, 0.999 - 0.01 * i),
      ),
    });
  }
  function end(status: 'done' | 'stopped'): void {
    clearInterval(timer);
    tell({ type: 'status', status, text: '' });
  }
  function go(): void {
    tell({
      type: 'status',
      status: 'training',
      text: `epoch ${Math.floor(step / batches()) + 1} of ${settings.epochs}`,
    });
    clearInterval(timer);
    timer = setInterval(() => advance(chunk), interval);
  }
  function begin(given: Settings): void {
    settings = given;
    lr = given.lr;
    step = 0;
    runs++;
    tell({ type: 'status', status: 'loading', text: `looking for ${given.dataset}` });
    tell({ type: 'run', run: facts() });
    go();
  }
  const answer = (command: Command) => {
    switch (command.type) {
      case 'start':
        return begin(command.settings);
      case 'pause':
        clearInterval(timer);
        return tell({ type: 'status', status: 'paused', text: `at step ${step}` });
      case 'continue':
        return go();
      case 'step':
        return advance(1);
      case 'stop':
        return end('stopped');
      case 'reset':
        clearInterval(timer);
        return tell({ type: 'status', status: 'idle', text: '' });
      case 'lr':
        lr = command.lr;
        return;
      case 'predict':
        return tell({
          type: 'prediction',
          ask: command.ask,
          probabilities: [0.02, 0.01, 0.05, 0.03, 0.04, 0.005, 0.08, 0.005, 0.74, 0.02],
        });
      case 'activations':
        return tell({
          type: 'activations',
          ask: command.ask,
          judged: judged(command.image, command.image % 10, 6, 0.71),
          layers: [
            tiles('conv1', 6, 28, 28, 1),
            tiles('pool1', 6, 14, 14, 1),
            tiles('conv2', 16, 10, 10, 1),
            tiles('fc1', 512, 1, 1, 1),
            tiles('fc3', 10, 1, 1, 1),
          ],
        });
      case 'cell': {
        const { ask, target, predicted } = command;
        const images = Array.from({ length: 12 }, (_, i) =>
          judged(100 + 7 * i, target, predicted, 0.98 - 0.03 * i),
        );
        return tell({ type: 'cell', ask, images });
      }
      case 'file':
        if (command.kind === 'trace')
          return tell({
            type: 'refused',
            ask: command.ask,
            message: 'this adapter has no timestamps to trace by',
          });
        return tell({
          type: 'file',
          ask: command.ask,
          name: `heddle.${command.kind}`,
          bytes: new Uint8Array([1, 2, 3]),
        });
      case 'kernels': {
        const times = [
          '0.forward',
          '2.forward',
          '4.forward',
          'loss',
          '4.backward',
          '2.backward',
          '0.backward',
        ].flatMap((label, i) => [
          { label: `${label}.matmul`, kernel: 'matmul', seconds: 0.0004 / (1 + i) },
          { label: `${label}.bias`, kernel: 'bias_add', seconds: 0.00002 * (1 + (i % 3)) },
        ]);
        return tell({ type: 'kernels', ask: command.ask, times });
      }
    }
  };
  return {
    commands,
    sent,
    tell,
    send(command) {
      sent.push(command);
      // As a worker's answers do, they come later.
      queueMicrotask(() => answer(command));
    },
    listen(one) {
      told.add(one);
      if (!commands) queueMicrotask(() => begin(defaults));
      return () => told.delete(one);
    },
    close: () => clearInterval(timer),
  };
}
