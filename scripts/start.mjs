// What `npm start` runs: setup, then `heddle train` with the user's arguments.

import { setUpAndRun } from './setup/command.mjs';

await setUpAndRun('train');
