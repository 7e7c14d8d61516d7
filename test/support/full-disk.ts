// Loaded into a process by tests: its checkpoints go to a disk that is full.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { openSync } = fs;
fs.openSync = (path, ...rest) =>
  openSync(/\.safetensors\.\d+\.tmp$/.test(String(path)) ? '/dev/full' : path, ...rest);
syncBuiltinESMExports(); // for those who import it by name
