// Test images that are worth a look: the worst mistakes, or those of a cell of the confusion matrix.

import type { Judged } from '../../recipes/protocol.ts';
import { memo } from '../memo.ts';
import type { Cell } from '../state.ts';
import { JudgedImages } from './image.tsx';
import { Empty, Panel } from './panel.tsx';

interface ImagesProps {
  readonly mistakes: readonly Judged[];
  readonly cell: Cell | undefined;
  readonly refused: string | undefined;
  readonly classes: readonly string[];
  readonly onClose: () => void;
  readonly onChoose: ((image: number) => void) | undefined;
}

export const ImagesPanel = memo(({ mistakes, cell, refused, classes, onClose, onChoose }: ImagesProps) => {
  if (cell === undefined)
    return (
      <Panel
        name="images"
        title="Worst mistakes"
        note={mistakes.length > 0 ? 'the surest of them first' : ''}
      >
        {mistakes.length === 0 ? (
          <Empty>After the first epoch: the test images that the model is most wrongly sure of.</Empty>
        ) : (
          <JudgedImages images={mistakes} classes={classes} onChoose={onChoose} />
        )}
      </Panel>
    );
  const { target, predicted, images } = cell;
  const name = (i: number) => classes[i] ?? String(i);
  const title =
    target === predicted ? `${name(target)}, rightly told` : `${name(target)} taken for ${name(predicted)}`;
  return (
    <Panel
      name="images"
      title={title}
      tools={
        <button type="button" class="quiet" onClick={onClose}>
          worst mistakes
        </button>
      }
    >
      <div aria-live="polite" class="fill">
        {refused !== undefined ? (
          <Empty>{refused}</Empty>
        ) : images === undefined ? (
          <Empty>Looking…</Empty>
        ) : images.length === 0 ? (
          <Empty>No test image of this kind.</Empty>
        ) : (
          <JudgedImages images={images} classes={classes} onChoose={onChoose} />
        )}
      </div>
    </Panel>
  );
});
