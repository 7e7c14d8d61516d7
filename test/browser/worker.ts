// The dedicated worker of the page under test: one job in, its outcome out.
// What goes wrong is thrown outside of any promise, so that the page hears of it.

import * as heddle from 'heddle';
import { type Job, program } from './program.ts';

addEventListener('message', ({ data }: MessageEvent<Job>) => {
  program(heddle, data).then(postMessage, (error: unknown) => {
    setTimeout(() => {
      throw error;
    });
  });
});
