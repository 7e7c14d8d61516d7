// Runs ONNX files in ONNX Runtime, its WebAssembly build: no download and no native code.

import * as ort from 'onnxruntime-web';

ort.env.wasm.numThreads = 1;

/** What a file makes of rows, [rows, ...inputShape]: its only output, with the shape. */
export async function runOnnx(
  file: Uint8Array,
  rows: Float32Array,
  shape: readonly number[],
): Promise<{ name: string; shape: readonly number[]; data: Float32Array }> {
  const session = await ort.InferenceSession.create(file);
  try {
    const made = await session.run({ input: new ort.Tensor('float32', rows, shape) });
    const [name, ...more] = session.outputNames;
    const output = name === undefined ? undefined : made[name];
    if (
      name === undefined ||
      output === undefined ||
      more.length > 0 ||
      !(output.data instanceof Float32Array)
    )
      throw new Error(`expected one output of float32, found ${session.outputNames.join(', ')}`);
    return { name, shape: output.dims, data: output.data };
  } finally {
    await session.release();
  }
}
