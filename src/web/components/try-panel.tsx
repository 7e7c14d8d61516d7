// Draw something, or bring a picture, and see what the model says.

import { useEffect, useRef, useState } from 'preact/hooks';
import { percent } from '../format.ts';
import { memo } from '../memo.ts';
import { Drawing, pixelsOfFile } from './drawing.tsx';
import { Digit } from './image.tsx';
import { DataTable, FileButton, Panel } from './panel.tsx';

interface TryProps {
  readonly ready: boolean;
  readonly probabilities: readonly number[] | undefined;
  readonly refused: string | undefined;
  readonly classes: readonly string[];
  /** Changes when the model has: what is drawn is judged again. */
  readonly moment: string;
  readonly onAsk: (pixels: Uint8Array) => void;
}

export const TryPanel = memo((props: TryProps) => {
  const { ready, probabilities, refused, classes, moment, onAsk } = props;
  const [pixels, setPixels] = useState<Uint8Array | undefined>(undefined);
  const [given, setGiven] = useState<Uint8Array | undefined>(undefined);
  const [trouble, setTrouble] = useState('');
  const latest = useRef<Uint8Array | undefined>(undefined);

  const look = (next: Uint8Array) => {
    latest.current = next;
    setPixels(next);
    if (ready) onAsk(next);
  };
  useEffect(() => {
    if (ready && latest.current !== undefined) onAsk(latest.current);
  }, [ready, moment, onAsk]);
  const take = (files: readonly File[]) => {
    const [file] = files;
    if (file === undefined) return;
    setTrouble('');
    pixelsOfFile(file).then(
      (found) => {
        setGiven(found);
        look(found);
      },
      () => setTrouble(`${file.name} is no picture that this browser reads`),
    );
  };
  useEffect(() => {
    const pasted = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith('image/'));
      if (files.length === 0) return;
      event.preventDefault();
      take(files);
    };
    document.addEventListener('paste', pasted);
    return () => document.removeEventListener('paste', pasted);
  });
  const clear = () => {
    latest.current = undefined;
    setPixels(undefined);
    setGiven(new Uint8Array(784));
  };
  const shown = pixels === undefined ? undefined : probabilities;
  const best = shown === undefined ? -1 : shown.indexOf(Math.max(...shown));
  return (
    <Panel
      name="try"
      title="Try it"
      note={ready ? 'draw, drop or paste' : 'once a model is there'}
      {...(shown === undefined
        ? {}
        : {
            table: () => (
              <DataTable
                caption="What the model says of the picture"
                columns={['class', 'probability']}
                rows={shown.map((share, i) => [classes[i] ?? i, percent(share, 2)])}
              />
            ),
          })}
    >
      {/* biome-ignore lint/a11y/noStaticElementInteractions: files can be chosen by a button as well */}
      <div
        class="try"
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          event.stopPropagation();
          take([...(event.dataTransfer?.files ?? [])]);
        }}
      >
        <div class="try-left">
          <Drawing onPixels={look} given={given} />
          <div class="row">
            <button type="button" data-key="c" onClick={clear}>
              Clear
            </button>
            <FileButton label="Picture…" accept="image/*" onFiles={take} />
            {pixels !== undefined && <Digit pixels={pixels} class="seen" />}
          </div>
          {(trouble || refused) && <p class="wrong">{trouble || refused}</p>}
        </div>
        <ul class="probabilities" aria-label="What the model says">
          {(classes.length > 0 ? classes : Array.from({ length: 10 }, (_, i) => `class ${i}`)).map(
            (name, i) => (
              <li key={name} class={i === best ? 'best' : ''}>
                <span class="class-name">{name}</span>
                <b>{shown === undefined ? '' : percent(shown[i], 0)}</b>
                <span class="track">
                  <span class="bar" style={{ width: percent(shown?.[i] ?? 0) }} />
                </span>
              </li>
            ),
          )}
        </ul>
      </div>
    </Panel>
  );
});
