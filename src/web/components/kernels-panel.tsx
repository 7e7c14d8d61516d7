// GPU time of every dispatch of a step.

import type { KernelTime } from '../../recipes/protocol.ts';
import { duration, percent } from '../format.ts';
import { memo } from '../memo.ts';
import { Empty, Panel } from './panel.tsx';

interface KernelsProps {
  readonly times: readonly KernelTime[] | undefined;
  readonly ready: boolean;
  readonly waiting: boolean;
  readonly refused: string | undefined;
  readonly onAsk: () => void;
}

export const KernelsPanel = memo(({ times, ready, waiting, refused, onAsk }: KernelsProps) => {
  const sum = times?.reduce((total, { seconds }) => total + seconds, 0) ?? 0;
  return (
    <Panel
      name="kernels"
      title="Kernel times"
      note={times !== undefined && `a step: ${duration(sum)} of GPU time`}
      tools={
        <button type="button" class="quiet" disabled={!ready || waiting} onClick={onAsk}>
          {waiting ? 'measuring…' : 'measure'}
        </button>
      }
    >
      {refused !== undefined ? (
        <Empty>{refused}</Empty>
      ) : times === undefined ? (
        <Empty>Measured when asked: the median GPU time of every dispatch of a step.</Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        <section class="scroll" tabIndex={0} aria-label="Kernel times">
          <table class="kernels">
            <thead>
              <tr>
                <th scope="col">dispatch</th>
                <th scope="col">kernel</th>
                <th scope="col">time</th>
                <th scope="col">share</th>
              </tr>
            </thead>
            <tbody>
              {[...times]
                .sort((a, b) => b.seconds - a.seconds)
                .map(({ label, kernel, seconds }, i) => (
                  <tr key={`${label}${i}`}>
                    <th scope="row">{label}</th>
                    <td>{kernel}</td>
                    <td>{duration(seconds)}</td>
                    <td class="share">
                      <span
                        class="bar"
                        style={{
                          width: percent(
                            seconds / (times.reduce((most, one) => Math.max(most, one.seconds), 0) || 1),
                          ),
                        }}
                      />
                      {percent(seconds / (sum || 1))}
                    </td>
                  </tr>
                ))}
            </tbody>
          </table>
        </section>
      )}
    </Panel>
  );
});
