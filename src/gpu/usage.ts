// WebGPU's flag constants, as the specification numbers them (https://www.w3.org/TR/webgpu/). Browsers have them as
// globals, Node does not, and Heddle leaves Node's globals alone.

export const bufferUsage = {
  mapRead: 0x0001,
  copySrc: 0x0004,
  copyDst: 0x0008,
  uniform: 0x0040,
  storage: 0x0080,
  queryResolve: 0x0200,
} as const;

export const textureUsage = {
  copyDst: 0x02,
  textureBinding: 0x04,
  storageBinding: 0x08,
} as const;

export const mapModeRead = 0x0001;
export const shaderStageCompute = 0x4;
