// Scenarios: each has a name, a time limit and a line of the report.

import { inspect } from 'node:util';

const scenarios = [];
const SECONDS = 20;
/// A part of the names of those to run alone, when one is looked into.
const ONLY = process.env.REALTIME_ONLY;

/// Adds a scenario. `run` gets a `Scenario`. `alone` keeps others from running at the same time.
export function scenario(name, run, { seconds = SECONDS, alone = false } = {}) {
  scenarios.push({ name, run, seconds, alone });
}

/// Runs all scenarios: first those that don't mind others, together, and then the rest. Ends the process with 1
/// if one has failed.
export async function runScenarios() {
  const together = scenarios.filter((it) => !it.alone).map(runOne);
  let results = await Promise.all(together);
  for (const it of scenarios.filter((it) => it.alone)) results.push(await runOne(it));
  // Clients that reconnect would keep the process alive.
  process.exit(results.every(Boolean) ? 0 : 1);
}

async function runOne({ name, run, seconds }) {
  if (ONLY && !name.includes(ONLY)) return true;
  const context = new Scenario(name);
  const begun = Date.now();
  let timer;
  const tooLate = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const waiting = [...context.waiting].map((what) => `, it waits for ${what()}`).join('');
      reject(new Error(`not done after ${seconds} s${waiting}`));
    }, seconds * 1000);
  });
  let problem;
  try {
    await Promise.race([run(context), context.failed, tooLate]);
  } catch (error) {
    problem = error;
  }
  clearTimeout(timer);
  problem = (await context.end()) ?? problem;
  report(name, problem, Date.now() - begun);
  return problem === undefined;
}

function report(name, problem, took) {
  if (problem === undefined) {
    console.log(`ok ${name} (${(took / 1000).toFixed(1)} s)`);
  } else {
    const text = problem instanceof Error ? problem.stack : inspect(problem);
    console.log(`not ok ${name}: ${text.split('\n').join('\n    ')}`);
  }
}

class Scenario {
  constructor(name) {
    this.name = name;
    this.waiting = new Set();
    this.ends = [];
    this.isOver = false;
    this.failed = new Promise((_, reject) => (this.fail = reject));
    this.failed.catch(() => {});
  }

  /// A topic that no other scenario has.
  get topic() {
    return `/topic/${this.name.replaceAll(/[^a-zA-Z0-9]+/g, '-')}`;
  }

  /// Has something done when the scenario ends, however it ends.
  defer(end) {
    this.ends.push(end);
  }

  /// Waits until something holds, as long as the scenario may take. `shown` says how far it has come.
  async until(what, holds, shown = () => '') {
    const waiting = () => `${what} ${shown()}`;
    this.waiting.add(waiting);
    try {
      for (;;) {
        const found = await holds();
        if (found) return found;
        if (this.isOver) throw new Error('the scenario is over');
        await sleep(10);
      }
    } finally {
      this.waiting.delete(waiting);
    }
  }

  /// Waits until a list has so many elements, and shows them if it never has.
  async length(list, count) {
    await this.until(`${count} in a list`, () => list.length >= count, () => end(list));
  }

  /// Waits until a list of numbers ends with this one.
  async last(list, number, name = 'a list') {
    await this.until(`${number} in ${name}`, () => list.at(-1) == number, () => end(list));
  }

  async end() {
    this.isOver = true;
    let problem;
    for (const end of this.ends.reverse()) {
      try {
        await end();
      } catch (error) {
        problem ??= error;
      }
    }
    return problem;
  }
}

function end(list) {
  return `${list.length}: … ${inspect(list.slice(-5))}`;
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/// Fails unless these are the numbers from `first` to `last`, in order and each once.
export function checkSequence(numbers, first, last) {
  numbers = numbers.map(Number);
  numbers.forEach((number, index) => {
    if (number !== first + index) {
      const around = numbers.slice(Math.max(0, index - 3), index + 4);
      throw new Error(`${number} stands in the place of ${first + index}: … ${around} …`);
    }
  });
  if (numbers.length !== last - first + 1) {
    throw new Error(`${numbers.length} from ${first} on, and not ${last - first + 1}`);
  }
}
