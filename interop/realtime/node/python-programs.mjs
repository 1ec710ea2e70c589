// Scenarios that are programs in Python.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/// Runs a program of `python/`. What it writes says what is wrong, if it fails.
export function runPython(name, args, seconds = 20) {
  const file = fileURLToPath(new URL(`../python/${name}`, import.meta.url));
  return new Promise((resolve, reject) => {
    execFile(process.env.REALTIME_PYTHON, [file, ...args], { timeout: seconds * 1000 }, (error, out, errors) => {
      if (error) reject(new Error(`${error.message}\n${out}${errors}`));
      else resolve(out);
    });
  });
}
