// A headless Chromium, driven over its DevTools protocol.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import WebSocket from 'ws';
import { Program, directory } from './programs.mjs';
import { sleep } from './scenarios.mjs';

export class Browser {
  #socket;
  #calls = new Map();
  #last = 0;

  static async start() {
    const profile = directory('profile');
    const program = Program.start('chromium', 'chromium', [
      // Root, as in containers, has no sandbox.
      '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage',
      // The authority of the tests is none that it knows.
      '--ignore-certificate-errors',
      '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank',
    ], { env: { HOME: profile } });
    const file = path.join(profile, 'DevToolsActivePort');
    const browser = new Browser();
    for (let tries = 0; !existsSync(file) || !readFileSync(file, 'utf8').includes('\n'); tries++) {
      if (tries > 1000 || program.status !== undefined) throw new Error(`no browser: ${program.output}`);
      await sleep(20);
    }
    const [port, target] = readFileSync(file, 'utf8').split('\n');
    browser.#socket = new WebSocket(`ws://127.0.0.1:${port}${target}`, { maxPayload: 64 << 20 });
    browser.#socket.on('message', (text) => {
      const { id, result, error } = JSON.parse(text);
      const call = browser.#calls.get(id);
      if (!call) return;
      browser.#calls.delete(id);
      if (error) call.reject(new Error(error.message));
      else call.resolve(result);
    });
    await new Promise((resolve, reject) => browser.#socket.on('open', resolve).on('error', reject));
    return browser;
  }

  call(method, params = {}, sessionId) {
    const id = (this.#last += 1);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
  }

  /// Opens a page, and closes it with the scenario.
  async open(scenario, url) {
    const { targetId } = await this.call('Target.createTarget', { url: 'about:blank' });
    scenario.defer(() => this.call('Target.closeTarget', { targetId }));
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true });
    const { errorText } = await this.call('Page.navigate', { url }, sessionId);
    if (errorText) throw new Error(`${url}: ${errorText}`);
    const page = new Page(this, sessionId);
    const isLoaded = (url) => document.readyState === 'complete' && location.href === url;
    await scenario.until('the page', () => page.evaluate(isLoaded, url));
    return page;
  }
}

class Page {
  constructor(browser, session) {
    this.browser = browser;
    this.session = session;
  }

  /// Runs a function in the page, and returns what it returns.
  evaluate(run, ...args) {
    return this.run(`(${run})(...${JSON.stringify(args)})`);
  }

  /// Runs a script in the page, and returns its value.
  async run(expression) {
    const params = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.browser.call('Runtime.evaluate', params, this.session);
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }
}
