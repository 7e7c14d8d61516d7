// A kernel of a program's own: WGSL text, and the declarations that Heddle writes in front of it. What is declared once in
// TypeScript gives both, so that a misspelt binding, parameter or constant is a compile error, as with Heddle's own kernels.

import { HeddleError } from '../errors.ts';
import type { KernelSpec, RecordLayout } from '../gpu/kernel.ts';

/**
 * What a binding is: storage that is read, or read and written, of `array<f32>` or of the type that is named
 * (`read array<vec4f>`, `read_write array<atomic<u32>>`), or a record of numbers in a uniform, such as `stepLayout`.
 */
export type BindingKind =
  | 'read'
  | 'read_write'
  | `read array<${string}>`
  | `read_write array<${string}>`
  | RecordLayout;

/** Types of a record's fields. */
export type FieldTypes<Field extends string> = Readonly<Record<Field, 'u32' | 'i32' | 'f32'>>;

/** A kernel in its parts. */
export interface KernelDefinition<B extends string, P extends string, C extends string> {
  /** Part of labels and of errors; an identifier. */
  readonly name: string;
  /** By their names in the WGSL text. A record's struct is called as its binding is, with a capital: `hyper: Hyper`. */
  readonly bindings: Readonly<Record<B, BindingKind>>;
  /** Numbers given with each dispatch, in the text `params.size` and so on. */
  readonly params?: FieldTypes<P>;
  /** Constants that make variants, and what they are unless a dispatch says otherwise: a `bool` or a `u32` in the text. */
  readonly constants?: Readonly<Record<C, boolean | number>>;
  /** Whether the text uses subgroup functions; the adapter must have the feature. */
  readonly subgroups?: boolean;
  /** The rest, with `@compute @workgroup_size(…) fn main(…)`. Bindings, `Params` and constants are declared already. */
  readonly wgsl: string;
}

/**
 * Layout of a struct of 32-bit numbers as WGSL has it, in the order given: for a uniform of a kernel.
 * https://www.w3.org/TR/WGSL/#alignment-and-size
 */
export function recordLayout<Field extends string>(fields: FieldTypes<Field>): RecordLayout<Field> {
  const entries = Object.entries<'u32' | 'i32' | 'f32'>(fields);
  const placed = entries.map(([name, type], i) => [name, { offset: 4 * i, type }]);
  return {
    size: Math.ceil(Math.max(1, entries.length) / 4) * 16,
    fields: Object.fromEntries(placed) as RecordLayout<Field>['fields'],
  };
}

const identifier = /^[A-Za-z]\w*$/;

/** Throws a HeddleError `usage` for names that WGSL, or what is declared already, does not let be. */
function checkNames(name: string, names: readonly string[], params: readonly string[]): void {
  const wrong = [name, ...names, ...params].find((one) => !identifier.test(one));
  if (wrong !== undefined)
    throw new HeddleError('usage', `defineKernel ${name}: the name '${wrong}': expected letters and digits`);
  const twice = ['params', 'main', ...names].find((one, i, all) => all.indexOf(one) !== i);
  if (twice !== undefined)
    throw new HeddleError('usage', `defineKernel ${name}: '${twice}' is declared twice; take another name`);
}

function structText(name: string, { fields }: RecordLayout): string {
  const members = Object.entries(fields).map(([field, { type }]) => `${field}: ${type}`);
  return `struct ${name} { ${members.join(', ') || 'unused: u32'} }`;
}

/**
 * Makes a kernel of WGSL text, to be given to `recorder.dispatch` with tensors for its bindings. Bindings get the numbers 0,
 * 1, 2, … in their order, `params` the next one. The text keeps its line numbers in the driver's errors, which call it `name`.
 * Throws a HeddleError `usage` for a definition that cannot be; what is wrong in the text shows when it is compiled.
 */
export function defineKernel<B extends string, P extends string = never, C extends string = never>(
  definition: KernelDefinition<B, P, C>,
): KernelSpec<B, P, C, never> {
  const { name, bindings, constants, subgroups = false, wgsl } = definition;
  const kinds = Object.entries<BindingKind>(bindings);
  const values = Object.entries<boolean | number>(constants ?? {});
  const layout = recordLayout<P>(definition.params ?? ({} as FieldTypes<P>));
  const names = [...kinds, ...values].map(([one]) => one);
  checkNames(name, names, Object.keys(layout.fields));
  if (!/\bfn\s+main\b/.test(wgsl))
    throw new HeddleError(
      'usage',
      `defineKernel ${name}: its text has no function main, where kernels begin`,
    );
  const declared = /@group\s*\(|struct\s+Params\b|^\s*enable\b/m.exec(wgsl)?.[0].trim();
  if (declared !== undefined)
    throw new HeddleError(
      'usage',
      `defineKernel ${name}: found '${declared}' in its text; bindings, params and subgroups are declared for it`,
    );
  const lines: string[] = subgroups ? ['enable subgroups;'] : [];
  const bound: Record<string, { binding: number; type: GPUBufferBindingType }> = {};
  kinds.forEach(([binding, kind], i) => {
    if (typeof kind !== 'string') {
      const struct = binding.charAt(0).toUpperCase() + binding.slice(1);
      lines.push(structText(struct, kind), `@group(0) @binding(${i}) var<uniform> ${binding}: ${struct};`);
      bound[binding] = { binding: i, type: 'uniform' };
      return;
    }
    const [access, type = 'array<f32>'] = kind.split(/\s+(.*)/s);
    lines.push(`@group(0) @binding(${i}) var<storage, ${access}> ${binding}: ${type};`);
    bound[binding] = { binding: i, type: access === 'read' ? 'read-only-storage' : 'storage' };
  });
  lines.push(
    structText('Params', layout),
    `@group(0) @binding(${kinds.length}) var<uniform> params: Params;`,
  );
  const made = values.map(([constant, value]) => {
    const type = typeof value === 'boolean' ? ('bool' as const) : ('u32' as const);
    lines.push(`override ${constant}: ${type} = ${value};`);
    return [constant, { kind: 'override' as const, type, value }];
  });
  return {
    name,
    file: name,
    source: `${lines.join(' ')} ${wgsl}`,
    subgroups,
    images: {},
    bindings: bound as KernelSpec<B, P, C>['bindings'],
    params: { ...layout, binding: kinds.length },
    constants: Object.fromEntries(made) as KernelSpec<B, P, C>['constants'],
  };
}
