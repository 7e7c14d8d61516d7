// Commands in the making: an encoder and the compute pass that is under way in it, for work of which some needs a pass and
// some needs none.

import type { Device } from './device.ts';

/** What plans are encoded into: they begin a pass where there is none, and end it for what passes cannot do. */
export interface Commands {
  readonly label: string;
  readonly encoder: GPUCommandEncoder;
  pass: GPUComputePassEncoder | undefined;
}

/** New commands for the device. */
export const beginCommands = (device: Device, label: string): Commands => ({
  label,
  encoder: device.gpu.createCommandEncoder({ label }),
  pass: undefined,
});

/** The pass that is under way, or a new one. */
export function passOf(commands: Commands): GPUComputePassEncoder {
  commands.pass ??= commands.encoder.beginComputePass({ label: commands.label });
  return commands.pass;
}

/** Ends the pass that is under way, if there is one. */
export function endPass(commands: Commands): void {
  commands.pass?.end();
  commands.pass = undefined;
}

/** Ends commands; what is to be submitted. */
export function endCommands(commands: Commands): GPUCommandBuffer {
  endPass(commands);
  return commands.encoder.finish();
}
