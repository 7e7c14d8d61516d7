// The mutation operators on small shaders, what they find in the real ones, that every explanation is about something,
// and a few mutants put to the tests.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allMutants, explains, sampleOf } from '../../scripts/mutate/choose.ts';
import { applyMutant, mutantsOf } from '../../scripts/mutate/operators.ts';
import { blankComments } from '../../scripts/mutate/wgsl.ts';
import { explanations } from '../mutants-explained.ts';

const root = join(import.meta.dirname, '..', '..');

const declarations = `
struct Params {
  rows: u32, // not < a field
  columns: u32,
  scale: f32,
}
struct Step {
  rows: u32,
}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
@group(0) @binding(4) var<uniform> step: Step;
const SIZE = 64u;
fn is_finite(value: f32) -> bool { return true; }
`;

/** What a function with this body becomes by an operator, or by any of them. */
function mutated(body: string, operator?: string): string[] {
  const source = `${declarations}fn main() {\n${body}\n}\n`;
  return mutantsOf('test', source)
    .filter((mutant) => operator === undefined || mutant.operator === operator)
    .map((mutant) => {
      const result = applyMutant(source, mutant);
      return result.slice(result.indexOf('fn main() {\n') + 'fn main() {\n'.length, -'\n}\n'.length);
    });
}

describe('the operators', () => {
  it.each([
    ['remove barrier', 'a(); workgroupBarrier(); b();', ['a();  b();']],
    ['remove guard', 'if (i >= n || j >= n) { return; }', ['if (false) { return; }']],
    ['remove guard', 'if (i >= n) { y[i] = 0.0; return; }', ['if (false) { y[i] = 0.0; return; }']],
    ['never enter', 'if (i < n) { a(); b(); }', ['if (false) { a(); b(); }']],
    ['always enter', 'if (ON) { return 0.0; }', ['if (true) { return 0.0; }']],
    [
      'drop condition',
      'if (i >= n || j == 0u) { return; }',
      ['if (i >= n ) { return; }', 'if ( j == 0u) { return; }'],
    ],
    ['drop condition', 'let a = b && c > d;', ['let a = b ;', 'let a =  c > d;']],
    [
      'shift comparison',
      'let a = i <= n == (j > m);',
      ['let a = i < n == (j > m);', 'let a = i <= n != (j > m);', 'let a = i <= n == (j >= m);'],
    ],
    ['shift comparison', 'for (var h = 8u; h > 0u; h /= 2u) { }', []],
    ['end loop early', 'for (var i = 0u; i < n; i++) { }', ['for (var i = 0u; i + 1u < n; i++) { }']],
    ['change stride', 'for (var i = 0u; i < n; i++) { }', ['for (var i = 0u; i < n; i += 2u) { }']],
    [
      'change stride',
      'for (var i = 0u; i < n; i += SIZE) { }',
      ['for (var i = 0u; i < n; i += 1u + SIZE) { }'],
    ],
    ['drop term', 'let a = b * c + d / e - f[g];', ['let a = b * c  - f[g];', 'let a = b * c + d / e ;']],
    ['drop factor', 'let a = b * c + d / (e + 1u);', ['let a = b  + d / (e + 1u);', 'let a = b * c + d ;']],
    [
      'drop factor',
      'let a = b / c * d % e;',
      ['let a = b  * d % e;', 'let a = b / c  % e;', 'let a = b / c * d ;'],
    ],
    [
      'change constant',
      'let a = 3u * 0.0 + 1.5;',
      ['let a = 4u * 0.0 + 1.5;', 'let a = 3u * 1.0 + 1.5;', 'let a = 3u * 0.0 + 3.0;'],
    ],
    ['change constant', 'var a: array<vec4f, 4>; // 5u', []],
    ['change bit pattern', 'let a = b & 0x7f800000u;', ['let a = b & 0u;', 'let a = b & 0xff800000u;']],
    ['swap select', 'a = select(f(b, c), d, e < g);', ['a = select(d, f(b, c), e < g);']],
    ['drop min', 'let a = min(b + 1u, c);', ['let a = (b + 1u);', 'let a = (c);']],
    ['drop max', 'let a = max(b, c);', ['let a = (b);', 'let a = (c);']],
    ['drop call', 'let a = exp(b) + f(c);', ['let a = (b) + f(c);']],
    [
      'drop addend',
      'a = fma(vec4f(b), c[0], fma(d, e, a));',
      ['a = ((vec4f(b)) * (c[0]));', 'a = fma(vec4f(b), c[0], ((d) * (e)));'],
    ],
    ['drop bitcast', 'let a = bitcast<vec4f>(b);', ['let a = vec4f(b);']],
    ['drop accumulation', 'a += b; c |= d;', ['a = b; c |= d;', 'a += b; c = d;']],
    ['swap sign', 'a += b;', ['a -= b;']],
    [
      'delete statement',
      'let a = 1u; b = a; f(b); if (c) { d = 1u; } return;',
      ['let a = 1u;  f(b); if (c) { d = 1u; } return;', 'let a = 1u; b = a;  if (c) { d = 1u; } return;'],
    ],
    [
      'drop negation',
      'let a = -b - c; let d = !e;',
      ['let a = b - c; let d = !e;', 'let a = -b - c; let d = e;'],
    ],
    ['swap axis', 'let a = b.x + c.xyz;', ['let a = b.y + c.xyz;']],
    [
      'swap index factors',
      'let i = row * params.columns + column;',
      ['let i = column * params.columns + row;'],
    ],
    ['use other binding', 'y[i] = x[i];', ['z[i] = x[i];', 'y[i] = y[i];']],
    [
      'use other field',
      'let a = params.rows; let b = params.scale;',
      ['let a = params.columns; let b = params.scale;'],
    ],
    ['use other record', 'let a = params.rows;', ['let a = step.rows;']],
    ['skip test', 'if (!is_finite(x[i])) { a(); }', ['if (!true) { a(); }']],
  ])('%s: %s', (operator, body, expected) => {
    expect(mutated(body, operator)).toEqual(expected);
  });

  it('leave comments, constants and what would not compile alone', () => {
    expect(mutated('// a < b + 1u')).toEqual([]);
    expect(mutated('const a = b + 1u;')).toEqual([]);
    expect(mutated('let a = b + vec2u(c, d);', 'drop term')).toEqual([]);
  });

  it('leave indices in unrolled loops alone, which would not compile', () => {
    const loop = 'for (var i = 0u; i < 2u; i++) { a = b[i / 4u] + 1u; }';
    expect(mutated(loop, 'drop factor')).toHaveLength(1);
    expect(mutated(`// unroll\n${loop}`, 'drop factor')).toEqual([]);
    expect(mutated(`// unroll\n${loop}`, 'drop term')).toHaveLength(1);
  });

  it('halve workgroups and change bit patterns outside of functions', () => {
    const source = 'const NAN = 0x7fc00000u;\nconst N = 4u;\n@compute @workgroup_size(8, N)\nfn main() {}\n';
    expect(mutantsOf('test', source).map((mutant) => mutant.id)).toEqual([
      'test.wgsl:1:13 change bit pattern: 0x7fc00000u → 0u',
      'test.wgsl:3:26 halve workgroup: 8 → 4',
    ]);
  });

  it('refuse a source that the mutant was not made from', () => {
    const mutant = { id: 'this one', start: 0, before: 'a', after: 'b' };
    expect(applyMutant('ac', mutant)).toBe('bc');
    expect(() => applyMutant('bc', mutant)).toThrow("'this one' does not fit the source");
  });
});

describe('the mutants of the shaders', () => {
  const mutants = allMutants();
  const files = readdirSync(join(root, 'shaders'));
  const ofFile = (file: string) => mutants.filter(({ kernel }) => `${kernel}.wgsl` === file);

  it('have names of their own', () => {
    expect(new Set(mutants.map(({ id }) => id)).size).toBe(mutants.length);
  });

  it.each(files)('%s: each barrier, guard, accumulation, select, bit test and bound is hit', (file) => {
    const source = readFileSync(join(root, 'shaders', file), 'utf8');
    const code = blankComments(source);
    const found = ofFile(file);
    const lines = (operator: string) => found.filter((m) => m.operator === operator).map(({ line }) => line);
    const lineAt = (index: number) => code.slice(0, index).split('\n').length;
    const linesWith = (pattern: RegExp) => [...code.matchAll(pattern)].map(({ index }) => lineAt(index));
    expect(lines('remove barrier')).toEqual(linesWith(/workgroupBarrier\(\)/g));
    expect(lines('remove guard')).toEqual(linesWith(/if \(.*>=.*\{/g));
    expect(lines('swap select')).toEqual(linesWith(/\bselect\(/g));
    expect(new Set(lines('drop accumulation'))).toEqual(new Set(linesWith(/^(?!.*\bfor \().*(?<=[+|])=/gm)));
    expect(new Set(lines('drop bitcast'))).toEqual(new Set(linesWith(/bitcast</g)));
    expect(found.filter((m) => m.operator === 'shift comparison').length).toBeGreaterThan(0);
  });

  it('are sampled over kernels and operators, the same ones for the same seed', () => {
    const chosen = sampleOf(mutants, files.length, 1);
    expect(new Set(chosen.map(({ kernel }) => kernel)).size).toBe(files.length);
    expect(new Set(chosen.map(({ operator }) => operator)).size).toBeGreaterThan(files.length / 2);
    expect(sampleOf(mutants, files.length, 1)).toEqual(chosen);
    expect(sampleOf(mutants, files.length, 2)).not.toEqual(chosen);
    expect(sampleOf(mutants.slice(0, 3), 5, 1)).toHaveLength(3);
  });

  it('are what the explanations are about', () => {
    for (const explanation of explanations) {
      const explained = mutants.filter((mutant) => explains(explanation, mutant));
      expect(explained.length, `${explanation.at} ${explanation.why}`).toBeGreaterThan(0);
    }
  });
});

it('a sample of the mutants fails the tests, every one', async () => {
  const args = ['--import', 'tsx', 'scripts/mutate-shaders.ts', '--sample', '8', '--json'];
  // What vitest tells its workers is not for the vitest that the script starts.
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|TEST$|NODE_ENV$|HEDDLE_MUTANT$)/.test(name),
  );
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: Object.fromEntries(own),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const code = await new Promise((done) => {
    child.on('exit', done);
  });
  expect(output, errors).not.toBe('');
  const lines = output.trim().split('\n');
  expect(JSON.parse(lines.at(-1) ?? ''), output).toEqual({
    mutants: 8,
    killed: 8,
    explained: 0,
    survived: 0,
    uncompiled: 0,
    wrong: [],
  });
  expect(code).toBe(0);
});
