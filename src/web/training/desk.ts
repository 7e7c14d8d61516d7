// Takes the page's commands, and answers its questions: one training at a time, on one device.

import { messageOf } from '../../errors.ts';
import { canProfile, type Device, HeddleError, openDevice, probabilities } from '../../index.ts';
import type { FileStore } from '../../platform/files.ts';
import { cellOf, pixelsOf } from '../../recipes/judge.ts';
import type { Command, Judged, Message } from '../../recipes/protocol.ts';
import { createDataRoom } from './data.ts';
import { makeFile, needsRest } from './files.ts';
import { activationsOf, type Made } from './forward.ts';
import { createRun, type Run } from './run.ts';
import { planOf, type Setup } from './setup.ts';
import { tilesOf } from './tiles.ts';
import { errorMessage } from './trouble.ts';

/** The device, opened when it is first wanted, and again when it was lost. */
function createMachine() {
  let device: Device | undefined;
  const close = () => {
    device?.destroy();
    device = undefined;
  };
  return {
    async open(): Promise<Device> {
      try {
        device?.check();
      } catch {
        close();
      }
      device ??= await openDevice();
      return device;
    },
    close,
  };
}

type Question = Extract<Command, { readonly ask: number }>;

/** Answers commands by `tell`. `store` stands for the browser's own in tests. */
export function createDesk(tell: (message: Message) => void, store?: FileStore): (command: Command) => void {
  const machine = createMachine();
  const data = createDataRoom(tell, store);
  let run: Run | undefined;
  let free: Promise<unknown> = Promise.resolve(); // when nobody uses the device any more

  const endRun = () => {
    if (run !== undefined) free = Promise.all([free, run.close()]);
    run = undefined;
  };

  const start = ({ settings, checkpoint }: Extract<Command, { type: 'start' }>) => {
    endRun();
    const plan = planOf(settings, checkpoint);
    run = createRun(plan, { tell, load: data.load, open: machine.open }, free);
  };

  const reset = () => {
    endRun();
    free = free.then(() => {
      machine.close();
      data.free();
      tell({ type: 'status', status: 'idle', text: 'ready' });
    });
  };

  const drop = async ({ dataset, files }: Extract<Command, { type: 'files' }>) => {
    try {
      await data.drop(dataset, files);
    } catch (error) {
      const told = errorMessage(error);
      // An error would say that the training is over.
      if (run?.busy !== true) tell(told);
      else tell({ type: 'notice', text: `${told.message}. ${told.todo}` });
    }
  };

  const known = (): { own: Run; setup: Setup } => {
    if (run?.setup === undefined)
      throw new HeddleError('usage', 'there is no model yet: start a training first');
    return { own: run, setup: run.setup };
  };

  /** What the model makes of an image of the page or of the test set. */
  const look = async (pixels: (setup: Setup) => Uint8Array): Promise<{ made: Made[]; setup: Setup }> => {
    const { own, setup } = known();
    const row = pixels(setup);
    const { inputShape } = setup.data.test;
    const size = inputShape.reduce((a, b) => a * b, 1);
    if (row.length !== size)
      throw new HeddleError('shape', `an image of ${row.length} pixels, expected ${inputShape.join(' × ')}`);
    return { made: activationsOf(setup.model, await own.weights(), row, inputShape), setup };
  };
  const sayings = (made: readonly Made[]) => [...probabilities(made.at(-1)?.values ?? [])];

  const answer = async (question: Question): Promise<Message> => {
    const { ask } = question;
    switch (question.type) {
      case 'predict': {
        const { made } = await look(() => question.pixels);
        return { type: 'prediction', ask, probabilities: sayings(made) };
      }
      case 'activations': {
        const { image } = question;
        const { made, setup } = await look(({ data: { test } }) => {
          if (!Number.isInteger(image) || image < 0 || image >= test.length)
            throw new HeddleError('usage', `there is no test image ${image}, but 0 to ${test.length - 1}`);
          return pixelsOf(test, image);
        });
        const { test } = setup.data;
        const all = sayings(made);
        const probability = Math.max(...all);
        const judged: Judged = {
          image,
          target: test.targets[image] as number,
          predicted: all.indexOf(probability),
          probability,
          pixels: pixelsOf(test, image),
        };
        return { type: 'activations', ask, judged, layers: made.map(tilesOf) };
      }
      case 'cell': {
        const { own, setup } = known();
        return { type: 'cell', ask, images: cellOf(setup.data.test, await own.judgement(), question) };
      }
      case 'file': {
        const { own, setup } = known();
        const { kind } = question;
        const { standing } = own.keep;
        const make = (now: Setup) =>
          makeFile(kind, { setup: now, standing, weights: own.weights, spans: own.report.spans });
        const { name, bytes } = await (needsRest(kind) ? own.atRest(make) : make(setup));
        return { type: 'file', ask, name, bytes };
      }
      case 'kernels': {
        const { own, setup } = known();
        if (!canProfile(setup.device))
          throw new HeddleError('gpu', 'this adapter has no timestamps, which time what runs on the GPU');
        const times = await own.atRest(({ trainer }) => trainer.profile());
        return {
          ...{ type: 'kernels', ask },
          times: times.map(({ label, kernel, seconds }) => ({ label, kernel, seconds })),
        };
      }
    }
  };

  const setRate = (lr: number) => {
    if (Number.isFinite(Math.fround(lr)) && lr >= 0) run?.setRate(lr);
    else tell({ type: 'notice', text: `learning rate: found ${lr}, expected a number of at least 0` });
  };

  return (command) => {
    try {
      switch (command.type) {
        case 'page':
          data.address = command.address;
          return;
        case 'start':
          return start(command);
        case 'pause':
          return run?.pause();
        case 'continue':
          return run?.goOn();
        case 'step':
          return run?.step();
        case 'stop':
          if (run?.setup === undefined) data.abandon();
          return run?.stop();
        case 'reset':
          return reset();
        case 'lr':
          return setRate(command.lr);
        case 'files':
          void drop(command);
          return;
        default:
          answer(command)
            .catch((error: unknown): Message => {
              return { type: 'refused', ask: command.ask, message: messageOf(error) };
            })
            .then(tell);
      }
    } catch (error) {
      tell(errorMessage(error));
      tell({ type: 'status', status: 'failed', text: messageOf(error) });
    }
  };
}
