// The page's head: what trains where, how it stands, and the look of the page.

import type { RunFacts, Status } from '../../recipes/protocol.ts';
import { bytesText } from '../../recipes/units.ts';
import type { Theme } from '../theme.ts';

interface HeaderProps {
  readonly facts: RunFacts | undefined;
  readonly bytes: number;
  readonly status: Status;
  readonly text: string;
  readonly synthetic: boolean;
  /** Whether the page can start anything. */
  readonly commands: boolean;
  readonly theme: Theme;
  readonly onTheme: () => void;
  readonly onHelp: () => void;
}

export function Header(props: HeaderProps) {
  const { facts, bytes, status, text, synthetic, commands, theme, onTheme, onHelp } = props;
  return (
    <header class="head">
      <h1>
        <Mark /> Heddle
      </h1>
      <p class={`status ${status}`} role="status">
        <i aria-hidden="true" /> {status}
      </p>
      <p class="doing">
        {commands && status === 'idle' && facts === undefined
          ? 'Press Start, or the space bar. Everything stays on this machine.'
          : text}
      </p>
      {synthetic && (
        <p class="synthetic" title="Drawn by a program: no data set that anybody else measures by">
          synthetic data
        </p>
      )}
      {facts !== undefined && (
        <p class="adapter">
          <span class="adapter-name" title={facts.adapter}>
            {facts.adapter}
          </span>
          <span>{facts.backend}</span>
          {facts.software && (
            <span class="software" title="This adapter computes on the CPU: expect it to be slow">
              software
            </span>
          )}
          {bytes > 0 && <span title="Alive on the GPU">{bytesText(bytes)}</span>}
        </p>
      )}
      <span class="head-tools">
        <button
          type="button"
          class="quiet round"
          aria-label={theme === 'dark' ? 'Light colours' : 'Dark colours'}
          title={theme === 'dark' ? 'Light colours (t)' : 'Dark colours (t)'}
          onClick={onTheme}
        >
          {theme === 'dark' ? '☀' : '☾'}
        </button>
        <button type="button" class="quiet round" aria-label="Help" title="Keys (?)" onClick={onHelp}>
          ?
        </button>
      </span>
    </header>
  );
}

/** Warp threads through a heddle's eyes. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
      <path d="M5 2v20M12 2v20M19 2v20" />
      <path d="M2 9h6m1 0h13M2 15h13m1 0h6" />
      <circle cx="12" cy="9" r="2" />
      <circle cx="5" cy="15" r="2" />
      <circle cx="19" cy="15" r="2" />
    </svg>
  );
}
