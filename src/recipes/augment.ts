// What `--augment` means: transforms for the training images.

import { type Dataset, type Transform, transforms } from '../index.ts';

/** What `--augment` takes. */
export const augmentations = ['flip', 'crop'] as const;

/** The transforms of `--augment`: `flip` mirrors every other image, `crop` moves each by up to an eighth of its size. */
export function augmentation(
  names: readonly (typeof augmentations)[number][] | undefined,
  { inputShape }: Dataset,
): readonly Transform[] {
  const [, height = 1, width = 1] = inputShape;
  const of = {
    flip: () => transforms.randomHorizontalFlip(),
    crop: () => {
      const padding = [Math.round(width / 8), Math.round(height / 8)] as const;
      return transforms.randomCrop([height, width], { padding });
    },
  };
  return (names ?? []).map((name) => of[name]());
}
