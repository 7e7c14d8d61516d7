// What can be taken away: weights, a model for others, a checkpoint, a trace, a link; and what can be brought back.

import { useState } from 'preact/hooks';
import type { FileKind } from '../../recipes/protocol.ts';
import { memo } from '../memo.ts';
import { FileButton, Panel } from './panel.tsx';

interface KeepProps {
  readonly ready: boolean;
  readonly waiting: boolean;
  readonly refused: string | undefined;
  /** Whether a training goes on: then nothing can be loaded. */
  readonly running: boolean;
  readonly onFile: (kind: FileKind) => void;
  readonly onLoad: (bytes: Uint8Array) => void;
}

const kinds: readonly (readonly [FileKind, string, string])[] = [
  ['safetensors', 'Weights', 'safetensors, named as PyTorch names them'],
  ['onnx', 'ONNX', 'the model for other runtimes'],
  ['checkpoint', 'Checkpoint', 'goes on here, or in Node by --resume'],
  ['trace', 'Trace', 'of a few steps, for ui.perfetto.dev'],
];

export const KeepPanel = memo(({ ready, waiting, refused, running, onFile, onLoad }: KeepProps) => {
  const [trouble, setTrouble] = useState('');
  const load = ([file]: readonly File[]) => {
    if (file === undefined) return;
    setTrouble('');
    file.arrayBuffer().then(
      (buffer) => onLoad(new Uint8Array(buffer)),
      () => setTrouble(`${file.name} could not be read`),
    );
  };
  return (
    <Panel name="keep" title="Keep it" note={waiting ? 'writing…' : ''}>
      <ul class="keep">
        {kinds.map(([kind, title, note]) => (
          <li key={kind}>
            <button type="button" disabled={!ready || waiting} onClick={() => onFile(kind)}>
              {title}
            </button>
            <small>{note}</small>
          </li>
        ))}
        <li>
          <FileButton label="Load…" accept=".safetensors" disabled={running} onFiles={load} />
          <small>{running ? 'stop the training first' : 'starts from a checkpoint or weights'}</small>
        </li>
        <li>
          <CopyLink />
          <small>all settings in an address</small>
        </li>
      </ul>
      {(trouble || refused) && <p class="wrong">{trouble || refused}</p>}
    </Panel>
  );
});

/** Copies the page's address; shows it, chosen, where the clipboard is refused. */
export function CopyLink() {
  const [told, setTold] = useState<'' | 'copied' | 'refused'>('');
  const copy = () => {
    const done = (how: 'copied' | 'refused') => {
      setTold(how);
      if (how === 'copied') setTimeout(() => setTold(''), 2000);
    };
    // Missing where the page is not served securely.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    if (clipboard === undefined) done('refused');
    else
      clipboard.writeText(location.href).then(
        () => done('copied'),
        () => done('refused'),
      );
  };
  return (
    <>
      <button type="button" onClick={copy}>
        {told === 'copied' ? 'Copied' : 'Copy link'}
      </button>
      {told === 'refused' && (
        <input
          class="link"
          readOnly
          aria-label="Link to these settings"
          value={location.href}
          onFocus={(event) => event.currentTarget.select()}
        />
      )}
    </>
  );
}
