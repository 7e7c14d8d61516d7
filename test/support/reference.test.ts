// The float64 network that the GPU is held to, itself held to central differences.

import { expect, it } from 'vitest';
import { floats, integers } from './data.ts';
import { type HostLinear, hostGradients } from './network.ts';

it('gives the gradients that central differences of the loss give', () => {
  const sizes = [5, 7, 4, 3];
  const layers = sizes.slice(1).map((outputs, l): HostLinear => {
    const inputs = sizes[l] as number;
    return {
      weight: [...floats(outputs * inputs, l + 1)],
      bias: [...floats(outputs, l + 9)],
      inputs,
      outputs,
    };
  });
  const x = Array.from({ length: 6 }, (_, r) => [...floats(5, 20 + r)]);
  const targets = [...integers(6, 30, 3)];
  const { gradients, kinkDistance } = hostGradients(layers, x, targets);
  const h = 1e-6;
  expect(kinkDistance).toBeGreaterThan(100 * h);
  layers.forEach((layer, l) => {
    (['weight', 'bias'] as const).forEach((name, p) => {
      gradients[l]?.[p]?.forEach(({ value }, i) => {
        const moved = (by: number) => {
          const values = Array.from(layer[name], (v, c) => (c === i ? v + by : v));
          return hostGradients(layers.with(l, { ...layer, [name]: values }), x, targets).loss;
        };
        // The differences' own error: h²·f‴/6 and roundoff 2⁻⁵³/h.
        expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - value)).toBeLessThan(1e-8);
      });
    });
  });
});
