// Headless Chromium, on pages of the server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Browser } from './browser.mjs';
import { publishNumbers } from './http.mjs';
import { TLS, startOrders, startServer } from './programs.mjs';
import { startProxy } from './proxy.mjs';
import { checkSequence, runScenarios, scenario, sleep } from './scenarios.mjs';

const read = (name) => readFileSync(new URL(`../node_modules/${name}`, import.meta.url), 'utf8');
const SOCKJS = read('sockjs-client/dist/sockjs.js');
const STOMP = {
  '@stomp/stompjs': read('@stomp/stompjs/bundles/stomp.umd.js') + '\n;window.Stomp = StompJs.Stomp;',
  stompjs: read('stompjs/lib/stomp.js'),
};
const GUIDE = readFileSync(new URL('../guide/client.js', import.meta.url), 'utf8');

const soon = ['--set', 'events.retry=200 ms'];
const [browser, server, orders, secure] = await Promise.all([
  Browser.start(),
  startServer({ flags: [...soon, '--origin', 'http://localhost:*'] }),
  startOrders(),
  startServer({ name: 'server-with-tls', flags: [...soon, ...TLS] }),
]);

/// Opens a page of the server, with libraries. What it has to show comes later.
async function open(s, base, ...libraries) {
  const page = await browser.open(s, `${base.url}/healthz`);
  for (const library of libraries) await page.run(`${library}\n;undefined`);
  return page;
}

const got = (page) => page.evaluate(() => window.got);

for (const [name, library] of Object.entries(STOMP)) {
  scenario(`a page's script for Stomp.over(new SockJS('/ws')), with ${name}`, async (s) => {
    const page = await open(s, orders, SOCKJS, library);
    await page.run(`
      window.printed = [];
      window.shown = [];
      console.log = (...all) => printed.push(all);
      window.updateUI = (update) => shown.push(update);
      { ${GUIDE}; window.socket = socket; }
    `);
    const outcome = () => page.evaluate(() => ({
      // stompjs prints the frames too.
      printed: window.printed.filter(([it]) => it === 'Order update:'),
      shown: window.shown,
      transport: window.socket.transport,
    }));
    await s.until('both updates', async () => {
      const { printed, shown } = await outcome();
      return printed.length > 0 && shown.length > 0;
    });
    const { printed, shown, transport } = await outcome();
    assert.deepEqual(printed[0], ['Order update:', { orderId: 42, status: 'shipped' }]);
    assert.deepEqual(shown, [{ orderId: 42, status: 'followed' }]);
    assert.equal(transport, 'websocket');
  });
}

for (const transport of ['websocket', 'xhr-streaming', 'xhr-polling', 'eventsource']) {
  scenario(`SockJS over ${transport}: 200 messages in both directions`, async (s) => {
    const page = await open(s, server, SOCKJS, STOMP['@stomp/stompjs']);
    await page.evaluate((transport, topic) => {
      window.got = { down: [], up: [] };
      const client = new StompJs.Client({
        webSocketFactory: () => new SockJS('/ws', null, { transports: [transport] }),
        onConnect: () => {
          client.subscribe(`${topic}/down`, (message) => window.got.down.push(message.body));
          client.subscribe(`${topic}/up`, (message) => window.got.up.push(message.body));
          client.watchForReceipt('begun', () => (window.got.isReady = true));
          client.publish({ destination: `${topic}/none`, body: '', headers: { receipt: 'begun' } });
        },
        onStompError: (frame) => (window.got.error = frame.headers.message),
      });
      window.client = client;
      client.activate();
    }, transport, s.topic);
    await s.until('the subscriptions', async () => (await got(page)).isReady);
    await page.evaluate((topic) => {
      for (let number = 1; number <= 200; number++) window.client.publish({ destination: `${topic}/up`, body: `${number}` });
    }, s.topic);
    await publishNumbers(server, `${s.topic}/down`, 1, 200);
    await s.until('all messages', async () => {
      const { up, down, error } = await got(page);
      assert.equal(error, undefined);
      return up.length >= 200 && down.length >= 200;
    });
    const { up, down } = await got(page);
    checkSequence(up, 1, 200);
    checkSequence(down, 1, 200);
    await page.evaluate(() => window.client.deactivate());
  });
}

function openEvents(page, address) {
  return page.evaluate((address) => {
    window.got = { data: [], ids: [], gaps: 0, opened: 0, errors: 0 };
    const source = new EventSource(address, { withCredentials: true });
    window.source = source;
    source.onopen = () => (window.got.opened += 1);
    source.onerror = () => (window.got.errors += 1);
    source.onmessage = (event) => window.got.data.push(event.data) && window.got.ids.push(event.lastEventId);
    source.addEventListener('gap', () => (window.got.gaps += 1));
  }, address);
}

scenario('EventSource: reconnects with Last-Event-ID after cuts, nothing lost or doubled', async (s) => {
  const proxy = await startProxy(server.port);
  s.defer(proxy.end);
  const page = await open(s, proxy);
  await openEvents(page, `/events?topic=${encodeURIComponent(s.topic)}`);
  await s.until('the stream', async () => (await got(page)).opened === 1);
  await sleep(100);
  const cursors = [];
  for (let first = 1; first <= 300; first += 10) {
    // The first cut is before it has got anything but an id.
    if (first % 100 === 1) proxy.cut();
    cursors.push(...(await publishNumbers(server, s.topic, first, first + 9)));
    await sleep(30);
  }
  await s.until('all events', async () => (await got(page)).data.at(-1) === '300');
  const { data, ids, gaps } = await got(page);
  checkSequence(data, 1, 300);
  assert.deepEqual(ids, cursors);
  assert.equal(gaps, 0);
});

scenario('HTTP/2: twenty event streams of a page, and STOMP over a WebSocket beside them', async (s) => {
  const page = await open(s, secure, STOMP['@stomp/stompjs']);
  await page.evaluate((topic) => {
    window.got = { events: [], messages: [], opened: 0 };
    for (let index = 0; index < 20; index++) {
      const source = new EventSource(`/events?topic=${encodeURIComponent(topic)}`);
      const data = [];
      window.got.events.push(data);
      source.onopen = () => (window.got.opened += 1);
      source.onmessage = (event) => data.push(event.data);
    }
    const client = new StompJs.Client({
      brokerURL: `wss://${location.host}/ws`,
      onConnect: () => {
        client.watchForReceipt('begun', () => (window.got.isReady = true));
        client.subscribe(topic, (message) => window.got.messages.push(message.body), { receipt: 'begun' });
      },
    });
    client.activate();
  }, s.topic);
  // With HTTP/1.1, there would be six.
  await s.until('all streams', async () => (await got(page)).opened === 20 && (await got(page)).isReady);
  await publishNumbers(secure, s.topic, 1, 100);
  await s.until('all events', async () => {
    const { events, messages } = await got(page);
    return [...events, messages].every((it) => it.length === 100);
  });
  const { events, messages } = await got(page);
  for (const numbers of [...events, messages]) checkSequence(numbers, 1, 100);
  const protocol = await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol);
  assert.equal(protocol, 'h2');
});

scenario('a page of another origin: EventSource, fetch with a preflight, and SockJS', async (s) => {
  // This name is another origin, which the server allows.
  const page = await open(s, { url: `http://localhost:${server.port}` }, SOCKJS);
  await openEvents(page, `${server.url}/events?topic=${encodeURIComponent(s.topic)}`);
  await s.until('the stream', async () => (await got(page)).opened === 1);
  const cursor = await page.evaluate(async (url, destination) => {
    const answer = await fetch(`${url}/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ destination, body: '1' }),
    });
    return (await answer.json()).cursor;
  }, server.url, s.topic);
  await s.until('the event', async () => (await got(page)).data.length === 1);
  assert.deepEqual((await got(page)).ids, [cursor]);
  for (const transport of ['websocket', 'xhr-streaming', 'xhr-polling', 'eventsource']) {
    const used = await page.evaluate((url, transport) => new Promise((resolve) => {
      const socket = new SockJS(`${url}/ws`, null, { transports: [transport] });
      socket.onopen = () => resolve(socket.transport) || socket.close();
      socket.onclose = (event) => resolve(`closed with ${event.code} ${event.reason}`);
    }), server.url, transport);
    assert.equal(used, transport);
  }
});

scenario('a page of an origin that is not allowed gets nothing', async (s) => {
  const page = await open(s, { url: `http://localhost:${orders.port}` });
  const url = orders.url;
  await openEvents(page, `${url}/events?topic=${encodeURIComponent(s.topic)}`);
  await s.until('the refusal', async () => (await got(page)).errors > 0);
  assert.equal(await page.evaluate(() => window.source.readyState), 2);
  const outcomes = await page.evaluate((url) => Promise.all([
    fetch(`${url}/poll?topic=/topic/a&wait=0`).then(() => 'read', (error) => error.name),
    new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('refused');
    }),
  ]), url);
  assert.deepEqual(outcomes, ['TypeError', 'refused']);
});

await runScenarios();
