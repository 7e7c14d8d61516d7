// The null backend computes nothing: real work must not land there in silence.

import { expect, it, vi } from 'vitest';
import { openDevice } from '../../src/gpu/device.ts';
import { nullGpu } from '../support/null-device.ts';

vi.mock('#platform', async (original) => ({
  ...(await original<object>()),
  requestGpu: async () => nullGpu,
}));

it('openDevice refuses the null backend', async () => {
  await expect(openDevice()).rejects.toMatchObject({
    code: 'no-adapter',
    message: expect.stringContaining('the only adapter is Dawn’s null backend'),
  });
});
