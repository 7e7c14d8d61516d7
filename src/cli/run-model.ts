// A run's model on a device, with its weights: for asking, not for training.

import { createTrainer, type NamedTensor, nn, optim, type Trainer } from '../index.ts';
import { buildModel, refuseTooLarge, type Shape } from '../recipes/model.ts';
import type { Sound } from './verdicts.ts';

/** What of a run, or of the data that it is to judge, its model is made for. */
export interface RunModel {
  readonly shape: Shape;
  readonly weights: ReadonlyMap<string, NamedTensor>;
  readonly batchSize: number;
  readonly dtype: 'u8' | 'f32';
}

/** Throws `limit` where the device cannot hold the model, `shape` where the weights are of another. */
export async function loadRunModel(
  { device, choice }: Sound,
  { shape, weights, batchSize, dtype }: RunModel,
): Promise<Trainer> {
  refuseTooLarge(shape, device.limits.maxStorageBufferBindingSize);
  const trainer = await createTrainer(device, {
    model: buildModel(shape),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 0 }),
    batchSize,
    plain: choice.plain,
    input: { shape: shape.input, dtype },
  });
  try {
    await trainer.load(weights);
    return trainer;
  } catch (error) {
    trainer.destroy();
    throw error;
  }
}
