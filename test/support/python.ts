// A Python with PyTorch, where the machine has one, for tests of what users do there.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The first of HEDDLE_PYTHON, python3 and Debian's that imports torch. */
export function torchPython(): string | undefined {
  return [process.env.HEDDLE_PYTHON, 'python3', '/usr/bin/python3'].find((python) => {
    if (!python) return false;
    try {
      execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

/** Stands in for the package safetensors, which a machine with PyTorch need not have. */
const safetensorsTorch = `
import json, struct, torch

types = {"F32": torch.float32, "I64": torch.int64}

def load_file(path):
    data = open(path, "rb").read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__":
            assert entry == {"format": "pt"}
            continue
        begin, end = entry["data_offsets"]
        part = bytearray(data[start + begin:start + end])
        tensors[name] = torch.frombuffer(part, dtype=types[entry["dtype"]]).reshape(entry["shape"])
    return tensors
`;

/** Runs Python lines in a folder; returns what they print. */
export function runPython(python: string, lines: string, cwd: string): string {
  const modules = join(cwd, 'modules');
  mkdirSync(join(modules, 'safetensors'), { recursive: true });
  writeFileSync(join(modules, 'safetensors', '__init__.py'), '');
  writeFileSync(join(modules, 'safetensors', 'torch.py'), safetensorsTorch);
  const env = { ...process.env, PYTHONPATH: modules, PYTHONIOENCODING: 'utf-8', PYTHONUTF8: '1' };
  return execFileSync(python, ['-'], { cwd, env, input: lines, encoding: 'utf8' });
}
