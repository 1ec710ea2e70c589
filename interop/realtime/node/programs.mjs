// Programs that scenarios start: the server, brokers, proxies.

import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { sleep } from './scenarios.mjs';

const { REALTIME_LOGS: logs, REALTIME_PROGRAMS: programs } = process.env;
if (!logs || !programs) throw new Error('interop/realtime/run sets REALTIME_LOGS and REALTIME_PROGRAMS');

const LISTENING = /listening on (https?:\/\/[^\s]+)/;
const names = new Map();
const running = new Set();
// Those that configure a server are not for the servers of the scenarios, and others are none of its keys.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('SANSOCKET_')),
);

// However the scenarios end, nothing is left behind.
process.on('exit', () => running.forEach((it) => it.kill('SIGKILL')));

/// A program that runs.
export class Program {
  static start(name, command, args, { env = {} } = {}) {
    const count = (names.get(name) ?? 0) + 1;
    names.set(name, count);
    const program = new Program();
    program.name = count > 1 ? `${name}-${count}` : name;
    program.output = '';
    const log = createWriteStream(path.join(logs, `${program.name}.log`));
    const options = { env: { ...environment, ...env }, stdio: ['ignore', 'pipe', 'pipe'] };
    program.process = spawn(command, args, options);
    for (const stream of [program.process.stdout, program.process.stderr]) {
      stream.on('data', (data) => {
        log.write(data);
        if (program.output.length < 65536) program.output += data;
      });
    }
    program.ended = new Promise((resolve) => {
      program.process.on('error', (error) => {
        program.output += `${error}`;
        resolve((program.status = -1));
      });
      program.process.on('exit', (status, signal) => {
        running.delete(program.process);
        resolve((program.status = signal ?? status));
      });
    });
    running.add(program.process);
    return program;
  }

  /// Waits until the program has written what matches, and returns the match.
  async says(pattern, seconds = 15) {
    return this.#until(() => pattern.exec(this.output), `says ${pattern}`, seconds);
  }

  /// Waits until the program accepts connections.
  async listens(port, seconds = 15) {
    await this.#until(() => accepts(port), `listens on ${port}`, seconds);
  }

  async #until(holds, what, seconds) {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const found = await holds();
      if (found) return found;
      if (this.status !== undefined || Date.now() > end) {
        throw new Error(`${this.name} never ${what}: ${this.output.slice(-2000)}`);
      }
      await sleep(20);
    }
  }

  /// Sends a signal and waits for the end.
  async kill(signal) {
    if (this.status === undefined) this.process.kill(signal);
    return this.ended;
  }

  /// Ends the program as an operator does, and returns its status.
  async stop(seconds = 15) {
    if (this.status === undefined) this.process.kill('SIGTERM');
    const late = sleep(seconds * 1000).then(() => 'late');
    if ((await Promise.race([this.ended, late])) === 'late') {
      await this.kill('SIGKILL');
      throw new Error(`${this.name} did not end on SIGTERM`);
    }
    return this.status;
  }
}

/// Returns whether somebody accepts connections on a port.
export function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true) || socket.destroy());
    socket.once('error', () => resolve(false));
  });
}

/// Returns a port that is free now.
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/// Topics keep what clients miss that are away for some seconds, and everybody may do everything.
const DEFAULTS = [
  'topics.messages=10000',
  'access.anonymous-clients.subscribe=["/topic/**", "/queue/**", "/app/**"]',
  'access.anonymous-clients.publish=["/topic/**", "/queue/**", "/app/**"]',
].flatMap((it) => ['--set', it]);

/// The flags for TLS, with the certificate of this machine that the clients trust.
export const TLS = [
  '--tls-certificate', path.join(process.env.REALTIME_TLS ?? '', 'chain.pem'),
  '--tls-key', path.join(process.env.REALTIME_TLS ?? '', 'key.pem'),
];

/// Starts the server as its users do.
export async function startServer({ name = 'server', listen = '127.0.0.1:0', flags = [], config } = {}) {
  const args = ['--listen', listen, ...(config ? [] : DEFAULTS), ...flags];
  if (config) {
    const file = path.join(logs, `${name}.toml`);
    writeFileSync(file, config);
    args.push('--config', file);
  }
  return started(Program.start(name, path.join(programs, 'sansocket-server'), args));
}

/// Starts the example that has handlers of its own.
export async function startOrders() {
  return started(Program.start('orders', path.join(programs, 'examples/orders'), ['127.0.0.1:0']));
}

async function started(program) {
  const [, url] = await program.says(LISTENING);
  program.url = url.replace(/\/$/, '');
  program.port = Number(new URL(url).port);
  program.websocket = program.url.replace(/^http/, 'ws') + '/ws';
  return program;
}

/// Returns a directory of this run's own.
export function directory(name) {
  const made = path.join(logs, name);
  if (!existsSync(made)) mkdirSync(made, { recursive: true });
  return made;
}
