// What every layer makes of a chosen test image.

import { useEffect } from 'preact/hooks';
import { percent } from '../format.ts';
import { memo } from '../memo.ts';
import { readers } from '../settings.ts';
import type { State } from '../state.ts';
import type { Theme } from '../theme.ts';
import { TextField } from './field.tsx';
import { Digit } from './image.tsx';
import { DataTable, Empty, Panel } from './panel.tsx';
import { Signs, TilesImage } from './tiles.tsx';

interface ActivationsProps {
  readonly activations: State['activations'];
  readonly refused: string | undefined;
  readonly classes: readonly string[];
  readonly theme: Theme;
  /** Test images, of which one is chosen. */
  readonly count: number;
  readonly image: number;
  /** Changes when it is time to look again: after an epoch, at a pause. */
  readonly moment: string;
  readonly onImage: (image: number) => void;
  readonly onAsk: (image: number) => void;
}

export const ActivationsPanel = memo((props: ActivationsProps) => {
  const { activations, refused, classes, theme, count, image, moment, onImage, onAsk } = props;
  const ready = count > 0;
  useEffect(() => {
    if (ready) onAsk(image);
  }, [ready, image, moment, onAsk]);
  const name = (i: number) => classes[i] ?? String(i);
  const go = (to: number) => onImage(((to % count) + count) % count);
  const judged = activations?.judged;
  return (
    <Panel
      name="activations"
      title="Activations"
      note={activations !== undefined && <Signs />}
      {...(activations === undefined ? {} : { table: () => <LayerTable layers={activations.layers} /> })}
    >
      {!ready ? (
        <Empty>Once it trains: what every layer makes of a test image.</Empty>
      ) : (
        <>
          <div class="chooser">
            {judged !== undefined && <Digit pixels={judged.pixels} class="chosen" />}
            <div>
              <div class="stepper">
                <button type="button" aria-label="Previous test image" onClick={() => go(image - 1)}>
                  ‹
                </button>
                <TextField
                  label="test image"
                  value={String(image)}
                  read={readWithin(count)}
                  inputMode="numeric"
                  onValue={onImage}
                />
                <button type="button" aria-label="Next test image" onClick={() => go(image + 1)}>
                  ›
                </button>
                <button type="button" onClick={() => go(Math.floor(Math.random() * count))}>
                  any
                </button>
              </div>
              {judged !== undefined && (
                <p class="verdict" aria-live="polite">
                  <span class={judged.target === judged.predicted ? 'right' : 'wrong'}>
                    {name(judged.predicted)} {percent(judged.probability, 0)}
                  </span>
                  {judged.target === judged.predicted ? ', rightly' : `, is ${name(judged.target)}`}
                </p>
              )}
            </div>
          </div>
          {refused !== undefined && <Empty>{refused}</Empty>}
          <ol class="layers">
            {activations?.layers.map((layer) => (
              <li key={layer.label}>
                <span class="layer-name">
                  {layer.label} <small>{shapeText(layer)}</small>
                </span>
                <TilesImage
                  tiles={layer}
                  theme={theme}
                  most={64 * (layer.height * layer.width === 1 ? 64 : 1)}
                  ratio={16}
                />
              </li>
            ))}
          </ol>
        </>
      )}
    </Panel>
  );
});

const readWithin = (count: number) => (text: string) => {
  const read = text === '0' ? ({ ok: true, value: 0 } as const) : readers.seed(text);
  return read.ok && read.value < count ? read : ({ ok: false, expected: `0 to ${count - 1}` } as const);
};

type Layer = NonNullable<State['activations']>['layers'][number];

const shapeText = ({ count, height, width }: Layer) =>
  height * width === 1 ? String(count) : `${count} × ${height} × ${width}`;

function LayerTable({ layers }: { readonly layers: readonly Layer[] }) {
  return (
    <DataTable
      caption="Activations of each layer"
      columns={['layer', 'shape', 'mean', 'greatest', 'above 0']}
      rows={layers.map((layer) => {
        const { values } = layer;
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const greatest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
        const above = values.reduce((n, value) => n + (value > 0 ? 1 : 0), 0) / values.length;
        return [layer.label, shapeText(layer), mean.toFixed(3), greatest.toFixed(3), percent(above, 0)];
      })}
    />
  );
}
