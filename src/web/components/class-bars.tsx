// How each class is told from the others: precision, recall and F1 as bars.

import { classScores, type Evaluation } from '../../index.ts';
import { count } from '../../recipes/units.ts';
import { percent } from '../format.ts';
import { memo } from '../memo.ts';
import { DataTable, Empty, Panel } from './panel.tsx';

interface ClassBarsProps {
  readonly validation: Evaluation | undefined;
  readonly classes: readonly string[];
}

const measures = ['precision', 'recall', 'f1'] as const;

export const ClassBars = memo(({ validation, classes }: ClassBarsProps) => {
  const scores = validation === undefined ? [] : classScores(validation.confusion, classes);
  if (scores.length === 0)
    return (
      <Panel name="classes" title="Classes">
        <Empty>After the first epoch: precision, recall and F1 of each class.</Empty>
      </Panel>
    );
  return (
    <Panel
      name="classes"
      title="Classes"
      note={
        <span class="measures">
          {measures.map((measure) => (
            <span key={measure} class={measure}>
              {measure === 'f1' ? 'F1' : measure}
            </span>
          ))}
        </span>
      }
      table={() => (
        <DataTable
          caption="Precision, recall and F1 of each class on the test set"
          columns={['class', 'precision', 'recall', 'F1', 'images']}
          rows={scores.map(({ name, precision, recall, f1, n }) => [
            name,
            percent(precision),
            percent(recall),
            percent(f1),
            count(n),
          ])}
        />
      )}
    >
      <ul class="class-bars">
        {scores.map((score) => (
          <li
            key={score.name}
            title={measures.map((measure) => `${measure} ${percent(score[measure])}`).join(', ')}
          >
            <span class="row-name">{score.name}</span>
            <span class="bars">
              {measures.map((measure) => (
                <span
                  key={measure}
                  class={`bar ${measure}`}
                  style={{ width: percent(score[measure] ?? 0) }}
                />
              ))}
            </span>
            <b>{percent(score.f1)}</b>
          </li>
        ))}
      </ul>
    </Panel>
  );
});
