// What `npm run bench` runs: setup, then `heddle bench` with the user's arguments.

import { setUpAndRun } from './setup/command.mjs';

await setUpAndRun('bench');
