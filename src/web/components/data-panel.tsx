// Where the data comes from: how far a download is, and a place for files that the reader has.

import { useState } from 'preact/hooks';
import type { DroppedFile, RunFacts, Settings } from '../../recipes/protocol.ts';
import { bytesText, count } from '../../recipes/units.ts';
import { percent } from '../format.ts';
import { memo } from '../memo.ts';
import { datasetTitles } from '../settings.ts';
import type { Download } from '../state.ts';
import { FileButton, Panel } from './panel.tsx';

interface DataProps {
  readonly dataset: Settings['dataset'];
  readonly facts: RunFacts | undefined;
  readonly downloads: readonly Download[];
  /** Missing where nothing can be told. */
  readonly onFiles: ((files: readonly DroppedFile[]) => void) | undefined;
}

export const DataPanel = memo(({ dataset, facts, downloads, onFiles }: DataProps) => {
  const [over, setOver] = useState(false);
  const [told, setTold] = useState('');
  const take = (files: readonly File[]) => {
    if (files.length === 0 || onFiles === undefined) return;
    setTold('reading…');
    Promise.all(
      files.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })),
    ).then(
      (read) => {
        setTold(`given: ${read.map(({ name }) => name).join(', ')}`);
        onFiles(read);
      },
      () => setTold('the files could not be read'),
    );
  };
  return (
    <Panel name="data" title="Data" note={facts === undefined ? datasetTitles[dataset] : undefined}>
      {facts !== undefined && (
        <p class="data-facts">
          <b>{datasetTitles[facts.settings.dataset] ?? facts.settings.dataset}</b>, {count(facts.train)}{' '}
          images to train on, {count(facts.test)} to test, {facts.classes.length} classes
        </p>
      )}
      {(facts?.synthetic ?? dataset === 'synthetic') && (
        <p class="synthetic">Synthetic: drawn by a program, only good to try things</p>
      )}
      <ul class="downloads">
        {downloads.map(({ file, received, total }) => (
          <li key={file}>
            <span>{file}</span>
            <progress
              {...(total === undefined ? {} : { max: total, value: received })}
              aria-label={`Download of ${file}`}
            />
            <small>
              {bytesText(received)}
              {total !== undefined && ` of ${bytesText(total)}, ${percent(received / total, 0)}`}
            </small>
          </li>
        ))}
      </ul>
      {onFiles !== undefined && dataset !== 'synthetic' && (
        // biome-ignore lint/a11y/noStaticElementInteractions: files can be chosen by a button as well
        <div
          class={over ? 'drop over' : 'drop'}
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={(event) => {
            event.preventDefault();
            setOver(false);
            take([...(event.dataTransfer?.files ?? [])]);
          }}
        >
          <p>
            Have {datasetTitles[dataset]}’s four files? Drop them here, packed (.gz) or not. They stay in this
            browser.
          </p>
          <FileButton label="Choose files…" several onFiles={take} />
          {told !== '' && <small role="status">{told}</small>}
        </div>
      )}
    </Panel>
  );
});
