// A page's script as it stands in guides: Stomp.over(new SockJS('/ws')), in Node.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { startOrders } from './programs.mjs';
import { runScenarios, scenario } from './scenarios.mjs';

const require = createRequire(import.meta.url);
const server = await startOrders();
// sockjs-client takes '/ws' relative to the page.
globalThis.location = new URL(`${server.url}/`);
const SockJS = require('sockjs-client');
const script = readFileSync(new URL('../guide/client.js', import.meta.url), 'utf8');

for (const [library, Stomp] of [
  ['@stomp/stompjs', require('@stomp/stompjs').Stomp],
  ['stompjs', require('stompjs')],
]) {
  scenario(`the script with the Stomp of ${library}`, async (s) => {
    const printed = [];
    const shown = [];
    const console = { log: (...all) => printed.push(all) };
    const quiet = { ...Stomp, over: (socket) => Object.assign(Stomp.over(socket), { debug: () => {} }) };
    const client = new Function('SockJS', 'Stomp', 'console', 'updateUI', `${script}; return client;`)(
      SockJS, quiet, console, (update) => shown.push(update),
    );
    s.defer(() => client.disconnect(() => {}));
    await s.length(shown, 1);
    // The other scenario follows the same order.
    await s.until('an update', () => printed.length > 0);
    assert.deepEqual(printed[0], ['Order update:', { orderId: 42, status: 'shipped' }]);
    assert.deepEqual(shown, [{ orderId: 42, status: 'followed' }]);
  });
}

await runScenarios();
