// Behind nginx, with the configuration of crates/server/deploy.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { EventSource } from 'eventsource';
import SockJS from 'sockjs-client';
import { metric, publish, publishNumbers } from './http.mjs';
import { Program, directory, freePort, startServer } from './programs.mjs';
import { checkSequence, runScenarios, scenario, sleep } from './scenarios.mjs';
import { bodies, connect, receipt, subscribe } from './stomp.mjs';

const config = `
[trusted-proxies]
networks = ["127.0.0.1"]
[access]
anonymous = true
[access.anonymous-clients]
publish = ["/topic/**"]
[limits.address]
connections = 20
`;
/// The defaults of nginx, with buffering and without. The server's own request to leave buffering is ignored.
const DEFAULTS = ['on', 'off'].map((buffering) => `
  location /buffering-${buffering}/ {
    proxy_pass http://nodes/;
    proxy_buffering ${buffering};
    proxy_ignore_headers X-Accel-Buffering;
  }
`).join('');

const nodes = await Promise.all([1, 2].map((number) => startServer({ name: `node-${number}`, config })));
const proxy = await startNginx('nginx', (text) => text.replace('server {', `server {\n${DEFAULTS}`));
const unsticky = await startNginx('nginx-without-hash', (text) => text.replace(/hash .*;/, ''));
// One node, so that what is published on one connection arrives on another.
const single = await startNginx('nginx-to-one', (text) => text.replace(/server 127.0.0.1:\d+;/, ''));

/// Starts nginx with the configuration, in which ports, paths and limits of this machine are replaced.
async function startNginx(name, change) {
  const port = await freePort();
  const to = directory(name);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'scgi', 'uwsgi']
    .map((kind) => `${kind}_temp_path temporary_${kind};`).join(' ');
  let text = readFileSync(path.join(process.env.REALTIME_DEPLOY, 'nginx.conf'), 'utf8')
    .replace('127.0.0.1:8080', `127.0.0.1:${nodes[0].port}`)
    .replace('127.0.0.1:8081', `127.0.0.1:${nodes[1].port}`)
    .replace('listen 443 ssl http2', `listen 127.0.0.1:${port}`)
    .replaceAll(/ssl_certificate.*\n/g, '\n')
    .replace('65536', '2048').replace('32768', '900')
    .replace('http {', `http { access_log off; ${temporary}`);
  writeFileSync(path.join(to, 'nginx.conf'), change(text));
  const options = ['-p', to, '-e', 'stderr', '-g', 'daemon off; pid nginx.pid;', '-c', path.join(to, 'nginx.conf')];
  const program = Program.start(name, 'nginx', options);
  await program.listens(port);
  program.url = `http://127.0.0.1:${port}`;
  program.websocket = `ws://127.0.0.1:${port}/ws`;
  program.port = port;
  return program;
}

/// Requests something from an address of this machine.
function request(base, target, { address = '127.0.0.1', method = 'GET', body, headers } = {}) {
  return new Promise((resolve, reject) => {
    const options = { method, headers, localAddress: address, agent: false };
    const sent = http.request(`${base.url}${target}`, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, text }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

scenario('@stomp/stompjs over WebSocket', async (s) => {
  const client = await connect(s, { brokerURL: single.websocket });
  const subscription = await subscribe(client, s.topic);
  await publishNumbers(single, s.topic, 1, 300);
  await s.length(subscription.messages, 300);
  checkSequence(bodies(subscription), 1, 300);
});

for (const transport of ['websocket', 'xhr-streaming', 'xhr-polling', 'eventsource']) {
  scenario(`SockJS over ${transport}, four sessions on two nodes`, async (s) => {
    const webSocketFactory = () => new SockJS(`${proxy.url}/ws`, null, { transports: [transport] });
    await Promise.all([1, 2, 3, 4].map(async (number) => {
      const client = await connect(s, { webSocketFactory });
      const subscription = await subscribe(client, `${s.topic}/${number}`);
      for (let sent = 1; sent <= 50; sent++) {
        await receipt(client, (headers) => client.publish({ destination: `${s.topic}/${number}`, body: `${sent}`, headers }));
      }
      await s.length(subscription.messages, 50);
      checkSequence(bodies(subscription), 1, 50);
    }));
  });
}

scenario('sessions of SockJS need the same node', async (s) => {
  const statuses = async (to, session) => {
    const opened = await request(to, `/ws/000/${session}/xhr`, { method: 'POST' });
    assert.equal(opened.text, 'o\n');
    const sent = [];
    for (let number = 0; number < 4; number++) {
      sent.push((await request(to, `/ws/000/${session}/xhr_send`, { method: 'POST', body: '["\\n"]' })).status);
    }
    return sent;
  };
  for (const session of ['one', 'two', 'three', 'four']) {
    assert.deepEqual(await statuses(proxy, session), [204, 204, 204, 204]);
  }
  const without = await statuses(unsticky, 'five');
  assert.ok(without.includes(404), `${without}`);
});

scenario('events arrive at once, and with buffering only when a buffer is full', async (s) => {
  const documented = await open(s, `${single.url}/events`);
  const unbuffered = await open(s, `${proxy.url}/buffering-off/events`);
  const held = [];
  const buffered = new EventSource(`${proxy.url}/buffering-on/events?topic=${encodeURIComponent(s.topic)}`);
  s.defer(() => buffered.close());
  buffered.onmessage = (event) => held.push(event.data);
  await s.until('the third stream', async () => {
    const subscriptions = await Promise.all(nodes.map((node) => metric(node, 'subscriptions')));
    return subscriptions.reduce((a, b) => a + b) >= 3;
  });
  const publishTo = (body) => Promise.all(nodes.map((node) => publish(node, s.topic, body)));
  await publishTo('1');
  await s.length(documented.data, 1);
  await s.length(unbuffered.data, 1);
  await sleep(1000);
  assert.deepEqual(held, [], 'buffering does not matter');
  for (let count = 0; count < 20; count++) await publishTo('x'.repeat(10000));
  await s.until('what nginx has held', () => held[0] === '1');
}, { alone: true });

async function open(s, address) {
  const source = new EventSource(`${address}?topic=${encodeURIComponent(s.topic)}`);
  s.defer(() => source.close());
  const stream = { data: [], isOpen: false };
  source.onopen = () => (stream.isOpen = true);
  source.onmessage = (event) => stream.data.push(event.data);
  await s.until('the stream to open', () => stream.isOpen);
  return stream;
}

scenario('polls, and a body of 3 MiB', async (s) => {
  const topic = encodeURIComponent(s.topic);
  const { cursor } = JSON.parse((await request(single, `/poll?topic=${topic}&wait=0`)).text);
  const waiting = request(single, `/poll?topic=${topic}&since=${cursor}&wait=10`);
  const messages = ['a', 'b', 'c'].map((letter) => ({ destination: s.topic, body: letter.repeat(1 << 20) }));
  const options = { method: 'POST', body: JSON.stringify(messages), headers: { 'content-type': 'application/json' } };
  const published = await request(single, '/publish', options);
  assert.equal(published.status, 200, published.text);
  const answer = JSON.parse((await waiting).text);
  assert.equal(answer.events[0].data[0], 'a');
});

scenario('metrics are for this machine alone', async () => {
  assert.equal((await request(single, '/metrics')).status, 200);
  assert.equal((await request(single, '/metrics', { address: '127.0.0.2' })).status, 403);
  for (const path of ['/healthz', '/readyz']) {
    assert.equal((await request(single, path, { address: '127.0.0.2' })).status, 200);
  }
});

scenario('the limits of an address are those of the client, not of nginx', async (s) => {
  const open = [];
  s.defer(() => open.forEach((stream) => stream.destroy()));
  const stream = (address, headers) => new Promise((resolve, reject) => {
    const target = `${single.url}/events?topic=${encodeURIComponent(s.topic)}`;
    const sent = http.get(target, { localAddress: address, agent: false, headers }, (response) => {
      open.push(response);
      // A stream that is refused for now is one that ends at once.
      response.once('data', (chunk) => resolve(`${chunk}`.includes('id: ') ? 'open' : 'refused'));
      response.once('end', () => resolve('refused'));
      response.on('error', () => {});
    });
    sent.on('error', reject);
  });
  for (let count = 0; count < 20; count++) assert.equal(await stream('127.0.0.2'), 'open');
  assert.equal(await stream('127.0.0.2'), 'refused');
  // It can't pass for another one.
  assert.equal(await stream('127.0.0.2', { 'x-forwarded-for': '127.0.0.9' }), 'refused');
  assert.equal(await stream('127.0.0.3'), 'open');
});

scenario('a node stops: requests go to the other', async () => {
  await nodes[1].stop();
  for (let number = 0; number < 10; number++) {
    assert.equal((await request(proxy, '/healthz')).status, 200);
  }
}, { alone: true });

await runScenarios();
