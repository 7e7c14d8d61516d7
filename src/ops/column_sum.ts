// Launches column_sum.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { columnSum as kernel } from './kernels.generated.ts';

/** With more rows than this, one long sum in f32 rounds more than 16 short ones. */
const mostAlone = 1024;

/**
 * How many invocations share a column. Barriers are dear on software drivers: there one adds a column up alone (49 rows of
 * 4,608 columns take SwiftShader 1.3 ms then instead of 40 ms), unless columns are so few that its lanes would lie idle.
 * Hardware wants many invocations.
 */
const strandsFor = ({ device }: Recorder, rows: number, columns: number): 1 | 16 =>
  device.info.software && rows <= mostAlone && columns >= 16 ? 1 : 16;

/**
 * Records y[j] = Σ_i x[i, j], or y[j] += … with `accumulate`. x [rows, columns] → [columns]. `strands` overrides how many
 * invocations share a column, for tests.
 */
export function columnSum(
  recorder: Recorder,
  options: { label: string; x: Tensor; out?: Tensor; accumulate?: boolean; strands?: 1 | 16 },
): Tensor {
  const { label, x, accumulate = false } = options;
  const [rows, columns] = x.shape as [number, number];
  const y = options.out ?? recorder.tensor(label, [columns]);
  const strands = options.strands ?? strandsFor(recorder, rows, columns);
  const width = strands === 1 && columns > 16 ? 64 : 16;
  recorder.dispatch(kernel, {
    label,
    bindings: { x, y },
    params: { rows, columns, accumulate: accumulate ? 1 : 0 },
    constants: { COLUMNS: width, STRANDS: strands },
    workgroups: [Math.ceil(columns / width), 1, 1],
  });
  return y;
}
