// What the activation and softmax kernels are tried on.

import { type ActivationKind, activationKinds } from './activation.ts';
import * as reference from './reference.ts';
import { largestLogit, nan, nothing, type Subject, type Trials } from './trial.ts';

/** Beyond this exp is 0 or 1 in float32 in all of them. */
const largestInput = 20;

function kindOf({ constant }: Subject): ActivationKind {
  const names = Object.keys(activationKinds) as ActivationKind[];
  return names.find((name) => activationKinds[name].code === constant('KIND')) as ActivationKind;
}

const slopeOf = ({ params }: Subject) => Math.fround(params.slope as number);

/** The trials of activation and softmax kernels. */
export const activationTrials: Trials<'activation' | 'activation_backward' | 'softmax' | 'softmax_backward'> =
  {
    activation(subject) {
      const { count, floats } = subject;
      const kind = kindOf(subject);
      const x = floats(count('x'), -largestInput, largestInput);
      x[0] = Number.NaN; // must stay one
      const y = Array.from(x, (v) => reference.activation(kind, v, slopeOf(subject)));
      return [{ inputs: { x, y: new Float32Array(x.length) }, expected: { y } }];
    },

    activation_backward(subject) {
      const { count, floats } = subject;
      const kind = kindOf(subject);
      const dy = floats(count('dy'));
      const x = floats(dy.length, -largestInput, largestInput);
      x[0] = Number.NaN;
      const y = x.map((v) => reference.activation(kind, v, slopeOf(subject)).value);
      const dx = Array.from(dy, (d, i) =>
        reference.activationBackward(kind, d, { x: x[i] as number, y: y[i] as number }, slopeOf(subject)),
      );
      const operand = activationKinds[kind].derivativeBy === 'x' ? x : y;
      return [{ inputs: { dy, x_or_y: operand, dx: new Float32Array(dy.length) }, expected: { dx } }];
    },

    softmax({ params, count, floats }) {
      const { rows, columns } = params as { rows: number; columns: number };
      const x = floats(count('x'), -largestLogit, largestLogit);
      const y = reference.softmax(x, rows, columns);
      const broken = x.with(x.length - 1, Number.NaN); // in the last row
      return [
        { inputs: { x, y: new Float32Array(x.length) }, expected: { y } },
        {
          inputs: { x: broken, y: new Float32Array(x.length) },
          expected: { y: y.map((value, i) => (i < x.length - columns ? value : nan)) },
        },
      ];
    },

    softmax_backward({ params, count, floats }) {
      const { rows, columns } = params as { rows: number; columns: number };
      const x = floats(count('y'), -5, 5);
      const y = Float32Array.from(reference.softmax(x, rows, columns), ({ value }) => value);
      const dy = floats(y.length);
      const dx = reference.softmaxBackward(dy, y, rows, columns);
      return [{ inputs: { dy, y, dx: nothing(dy.length) }, expected: { dx } }];
    },
  };
