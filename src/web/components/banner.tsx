// What went wrong and what to do about it; and what is worth knowing.

import type { Settings } from '../../recipes/protocol.ts';
import type { Session } from '../session.ts';
import type { Failure } from '../state.ts';

interface BannerProps {
  readonly failure: Failure | undefined;
  readonly notices: readonly string[];
  readonly settings: Settings;
  readonly session: Session;
}

const titles: Readonly<Record<string, string>> = {
  'no-webgpu': 'This browser has no WebGPU',
  'no-adapter': 'No graphics adapter',
  worker: 'The trainer did not start',
  'device-lost': 'The graphics device was lost',
  diverged: 'The training diverged',
  data: 'The data was refused',
  connection: 'The run is out of reach',
};

export function Banner({ failure, notices, settings, session }: BannerProps) {
  const { commands } = session;
  const begin = (change: Partial<Settings>) => session.start({ ...settings, ...change });
  const again = () => {
    session.restart();
    session.start();
  };
  return (
    <>
      {failure !== undefined && (
        <div class="banner" role="alert">
          <div>
            <strong>{titles[failure.code] ?? 'The training stopped'}</strong>
            <p>{failure.message}</p>
            <p>{failure.todo}</p>
          </div>
          <div class="buttons">
            {failure.code === 'no-webgpu' || failure.code === 'connection' ? (
              <button type="button" class="main" onClick={() => location.reload()}>
                Reload
              </button>
            ) : (
              commands && (
                <>
                  {failure.code === 'data' && settings.dataset !== 'synthetic' && (
                    <button type="button" class="main" onClick={() => begin({ dataset: 'synthetic' })}>
                      Try synthetic data
                    </button>
                  )}
                  {failure.code === 'diverged' && (
                    <button type="button" class="main" onClick={() => begin({ lr: settings.lr / 10 })}>
                      Start with a tenth of the learning rate
                    </button>
                  )}
                  <button type="button" onClick={again}>
                    Restart
                  </button>
                </>
              )
            )}
            {failure.code !== 'no-webgpu' && (
              <button
                type="button"
                class="quiet"
                onClick={() => session.dispatch({ type: 'failure-dismissed' })}
              >
                Dismiss
              </button>
            )}
          </div>
        </div>
      )}
      {notices.map((text) => (
        <div class="notice" role="status" key={text}>
          <p>{text}</p>
          <button
            type="button"
            class="quiet round"
            aria-label="Dismiss"
            onClick={() => session.dispatch({ type: 'notice-dismissed', text })}
          >
            ×
          </button>
        </div>
      ))}
    </>
  );
}
