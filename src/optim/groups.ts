// What the optimizers have in common: groups that inherit the optimizer's options, and an Optimizer made of a launcher and
// one function for each hyper-parameter that its kernel reads.

import type { RecordLayout } from '../gpu/kernel.ts';
import type { Recorder } from '../gpu/plan.ts';
import type { UpdateOptions } from '../ops/update.ts';
import type { KeySelector, Optimizer, ParameterGroup } from './optimizer.ts';

/** A group's hyper-parameters, without its parameters. */
export type HyperOf<Group extends ParameterGroup> = Omit<Group, 'parameters'>;

/** Options of an optimizer: hyper-parameters, and groups of parameters that have others. */
export type GroupedOptions<Group extends ParameterGroup> = Partial<HyperOf<Group>> & {
  /** Each has the parameters that it selects and no group before it does; what it does not say is the optimizer's. */
  readonly groups?: readonly (Partial<HyperOf<Group>> & { readonly parameters: KeySelector })[];
};

/** An optimizer that lets its hyper-parameters be seen, and changed between steps. */
export interface OptimizerOf<Group extends ParameterGroup> extends Optimizer {
  readonly groups: readonly Group[];
}

/**
 * The first group, with the optimizer's options, then those of `options.groups`. `check` throws a HeddleError `usage` for
 * hyper-parameters that are refused; `what` says whose they are.
 */
export function groupsOf<Group extends ParameterGroup>(
  what: string,
  defaults: HyperOf<Group>,
  options: GroupedOptions<Group>,
  check: (what: string, hyper: HyperOf<Group>) => void,
): Group[] {
  const names = Object.keys(defaults) as (keyof HyperOf<Group>)[];
  const inherit = (from: HyperOf<Group>, own: Partial<HyperOf<Group>>): HyperOf<Group> => {
    const hyper = { ...from };
    for (const name of names) {
      const value = own[name];
      if (value !== undefined) hyper[name] = value as HyperOf<Group>[typeof name];
    }
    return hyper;
  };
  const first = inherit(defaults, options);
  check(what, first);
  const others = (options.groups ?? []).map(({ parameters, ...own }, i) => {
    const hyper = inherit(first, own as Partial<HyperOf<Group>>);
    check(`${what}: group ${i + 1}`, hyper);
    return { ...hyper, parameters };
  });
  return [first, ...others] as Group[];
}

/** What makes an optimizer of its groups. */
export interface OptimizerParts<Group extends ParameterGroup, Field extends string> {
  readonly kind: string;
  readonly groups: readonly Group[];
  /** See `Optimizer`. */
  readonly state: Readonly<Record<string, number>>;
  /** Of the kernel's `struct Hyper`, all f32. */
  readonly layout: RecordLayout<Field>;
  /** What a group's fields are in optimizer step `number` (from 1). */
  readonly hyper: Readonly<Record<Field, (group: Group, number: number) => number>>;
  /** Records the kernel that updates one group. */
  record(recorder: Recorder, options: UpdateOptions): void;
}

/** An optimizer whose kernel reads `hyper`. Writing it allocates nothing. */
export function optimizerOf<Group extends ParameterGroup, Field extends string>(
  parts: OptimizerParts<Group, Field>,
): OptimizerOf<Group> {
  const { kind, groups, state, layout, hyper } = parts;
  const first = groups[0] as Group;
  const fields = (Object.keys(layout.fields) as Field[]).map((name) => ({
    offset: layout.fields[name].offset,
    of: hyper[name],
  }));
  return {
    kind,
    plainStep: false,
    get lr() {
      return first.lr;
    },
    set lr(lr) {
      first.lr = lr;
    },
    groups,
    state,
    writeHyper(view, offset, group, number) {
      for (const field of fields)
        view.setFloat32(offset + field.offset, field.of(groups[group] as Group, number), true);
    },
    record(recorder, group, tensors) {
      const label = groups.length === 1 ? `optimizer.${kind}` : `optimizer.${kind}.${group}`;
      parts.record(recorder, { label, ...tensors });
    },
  };
}
