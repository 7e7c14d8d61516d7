// Turns every file of shaders/ into a typed kernel spec in src/ops/kernels.generated.ts, so that a misspelt binding,
// parameter or constant is a compile error. The generated file is not committed.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ResourceType, type VariableInfo, WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';

import { withoutComments } from './shader-text.ts';

const root = join(import.meta.dirname, '..');
const target = join(root, 'src/ops/kernels.generated.ts');

const camelCase = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const union = (names: string[]) =>
  names.length === 0 ? 'never' : names.map((name) => `'${name}'`).join(' | ');

function literal(file: string, name: string, text: string): { type: string; value: string } {
  if (text === 'true' || text === 'false') return { type: 'bool', value: text };
  const number = /^(\d+)(u?)$/.exec(text);
  if (number === null)
    throw new Error(`${file}: constant ${name} = ${text}: expected true, false or an integer`);
  return { type: 'u32', value: number[1] as string };
}

/** What a launcher may set: overrides, and module constants with a literal value at the start of a line. */
function constantsOf(file: string, source: string): Map<string, string> {
  const constants = new Map<string, string>();
  for (const match of source.matchAll(/^(const|override) (\w+)(?:: \w+)? = (\w+);/gm)) {
    const [, kind, name, text] = match as unknown as [string, string, string, string];
    if (/^0x/.test(text)) continue; // bit patterns are not for launchers to change
    const { type, value } = literal(file, name, text);
    constants.set(name, `{ kind: '${kind}', type: '${type}', value: ${value} }`);
  }
  return constants;
}

function bindingType(variable: VariableInfo): string {
  if (variable.resourceType === ResourceType.Uniform) return 'uniform';
  return variable.access === 'read_write' ? 'storage' : 'read-only-storage';
}

function layoutOf(file: string, reflected: WgslReflect, name: string) {
  const struct = reflected.structs.find((candidate) => candidate.name === name);
  if (struct === undefined) return undefined;
  for (const member of struct.members) {
    if (!['u32', 'i32', 'f32'].includes(member.type.name)) {
      throw new Error(`${file}: ${name}.${member.name} is ${member.type.name}: expected u32, i32 or f32`);
    }
  }
  const fields = struct.members.map((m) => `${m.name}: { offset: ${m.offset}, type: '${m.type.name}' }`);
  // Uniform bindings want a size that is a multiple of 16.
  return {
    size: Math.ceil(struct.size / 16) * 16,
    fields: `{ ${fields.join(', ')} }`,
    names: struct.members.map((m) => m.name),
  };
}

const parts: string[] = [];
const hypers: string[] = [];
const kernelNames: string[] = [];
let step: string | undefined;

for (const file of readdirSync(join(root, 'shaders')).sort()) {
  if (!file.endsWith('.wgsl')) throw new Error(`shaders/${file}: expected only .wgsl files there`);
  const source = readFileSync(join(root, 'shaders', file), 'utf8');
  const name = file.slice(0, -'.wgsl'.length);
  if (!source.startsWith('//'))
    throw new Error(`${file}: expected to open with a comment: the formula and the shapes`);
  const reflected = new WgslReflect(source);
  const isImage = ({ resourceType }: VariableInfo) => resourceType === ResourceType.StorageTexture;
  const byBinding = (a: VariableInfo, b: VariableInfo) => a.binding - b.binding;
  const variables = [...reflected.storage.filter((one) => !isImage(one)), ...reflected.uniforms].sort(
    byBinding,
  );
  const images = reflected.storage.filter(isImage).sort(byBinding);
  for (const { name: image, access } of images)
    if (access !== 'read') throw new Error(`${file}: ${image} is accessed for ${access}: expected read`);
  const sampledName = ({ name: image }: VariableInfo) => `${image}_sampled`;
  for (const { name: texture } of reflected.textures)
    if (!images.some((image) => sampledName(image) === texture))
      throw new Error(`${file}: ${texture} is sampled: expected the name of an image and _sampled`);
  const imageText = (image: VariableInfo) => {
    const sampled = reflected.textures.find(({ name: texture }) => texture === sampledName(image));
    const also = sampled === undefined ? '' : `, sampled: ${sampled.binding}`;
    return `${image.name}: { binding: ${image.binding}${also} }`;
  };
  const samplerText = reflected.samplers.map(({ binding }) => `\n  sampler: ${binding},`).join('');
  const constants = constantsOf(file, source);

  const stepLayout = layoutOf(file, reflected, 'Step');
  if (stepLayout !== undefined) {
    const text = `{ size: ${stepLayout.size}, fields: ${stepLayout.fields} }`;
    if (step !== undefined && step !== text)
      throw new Error(`${file}: struct Step differs from the other kernels'`);
    step = text;
  }
  const params = layoutOf(file, reflected, 'Params');
  const paramsVariable = variables.find((variable) => variable.name === 'params');
  if (params === undefined || paramsVariable === undefined)
    throw new Error(`${file}: expected struct Params and var<uniform> params`);

  const hyper = layoutOf(file, reflected, 'Hyper');
  if (hyper !== undefined)
    hypers.push(
      `/** A group's hyper-parameters for ${name}.wgsl. */\nexport const ${camelCase(name)}Hyper = { size: ${hyper.size}, fields: ${hyper.fields} } as const satisfies RecordLayout;`,
    );

  kernelNames.push(name);
  const bindings = variables.filter((variable) => variable.name !== 'params');
  parts.push(`export const ${camelCase(name)}: KernelSpec<${union(bindings.map((b) => b.name))}, ${union(params.names)}, ${union([...constants.keys()])}, ${union(images.map((one) => one.name))}> = {
  name: '${name}',
  file: 'shaders/${file}',
  source: ${JSON.stringify(withoutComments(source))},
  subgroups: ${/^enable subgroups;/m.test(source)},
  bindings: {
${bindings.map((b) => `    ${b.name}: { binding: ${b.binding}, type: '${bindingType(b)}' },`).join('\n')}
  },
  images: { ${images.map(imageText).join(', ')} },${samplerText}
  params: { binding: ${paramsVariable.binding}, size: ${params.size}, fields: ${params.fields} },
  constants: { ${[...constants].map(([key, value]) => `${key}: ${value}`).join(', ')} },
};`);
}

const names = parts.map((part) => /export const (\w+)/.exec(part)?.[1]);
const text = `// Generated from shaders/*.wgsl by scripts/embed-shaders.ts. Do not edit, do not commit.

import type { KernelSpec, RecordLayout } from '../gpu/kernel.ts';

${parts.join('\n\n')}

/** The step record: what changes from step to step, one uniform for all kernels. */
export const stepLayout = ${step} as const satisfies RecordLayout;

${hypers.join('\n\n')}

/** Every kernel, for tests and checks that must leave none out. */
export const allKernels = [${names.join(', ')}] as const;

/** The name of a kernel: that of its file. */
export type KernelName = ${union(kernelNames)};
`;
let old = '';
try {
  old = readFileSync(target, 'utf8');
} catch {
  // first run
}
if (old !== text) writeFileSync(target, text);
