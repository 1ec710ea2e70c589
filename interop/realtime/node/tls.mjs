// TLS of the server's own, over HTTP/1.1 and HTTP/2.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import http2 from 'node:http2';
import { EventSource } from 'eventsource';
import SockJS from 'sockjs-client';
import { publishNumbers } from './http.mjs';
import { TLS, startServer } from './programs.mjs';
import { checkSequence, runScenarios, scenario } from './scenarios.mjs';
import { bodies, connect, subscribe } from './stomp.mjs';

const server = await startServer({ flags: TLS });
const authority = `${process.env.REALTIME_TLS}/authority.pem`;

function curl(...args) {
  const all = ['-sS', '--noproxy', '*', '--max-time', '15', '--cacert', authority, ...args];
  return new Promise((resolve, reject) => {
    execFile('curl', all, (error, output) => (error ? reject(error) : resolve(output)));
  });
}

scenario('@stomp/stompjs over wss', async (s) => {
  const client = await connect(s, { brokerURL: server.websocket });
  const subscription = await subscribe(client, s.topic);
  await publishNumbers(server, s.topic, 1, 300);
  await s.length(subscription.messages, 300);
  checkSequence(bodies(subscription), 1, 300);
});

for (const transport of ['websocket', 'xhr-streaming', 'xhr-polling', 'eventsource']) {
  scenario(`SockJS over ${transport}`, async (s) => {
    const webSocketFactory = () => new SockJS(`${server.url}/ws`, null, { transports: [transport] });
    const client = await connect(s, { webSocketFactory });
    const subscription = await subscribe(client, s.topic);
    await publishNumbers(server, s.topic, 1, 100);
    await s.length(subscription.messages, 100);
    checkSequence(bodies(subscription), 1, 100);
  });
}

scenario('eventsource', async (s) => {
  const source = new EventSource(`${server.url}/events?topic=${encodeURIComponent(s.topic)}`);
  s.defer(() => source.close());
  const numbers = [];
  source.onmessage = (event) => numbers.push(event.data);
  await s.until('the stream', () => source.readyState === EventSource.OPEN);
  await publishNumbers(server, s.topic, 1, 100);
  await s.length(numbers, 100);
  checkSequence(numbers, 1, 100);
});

for (const [version, flag] of [['1.1', '--http1.1'], ['2', '--http2']]) {
  scenario(`curl over HTTP/${version}`, async (s) => {
    const topic = encodeURIComponent(s.topic);
    const { cursor } = JSON.parse(await curl(flag, `${server.url}/poll?topic=${topic}&wait=0`));
    const waiting = curl(flag, '-w', '\n%{http_version}', `${server.url}/poll?topic=${topic}&since=${cursor}&wait=10`);
    await curl(flag, '-d', 'hello', `${server.url}/publish?destination=${topic}`);
    const [body, spoken] = (await waiting).split('\n');
    assert.equal(spoken, version);
    assert.deepEqual(JSON.parse(body).events.map((event) => event.data), ['hello']);
  });
}

scenario("20 event streams on one connection of Node's http2", async (s) => {
  const session = http2.connect(server.url);
  s.defer(() => session.destroy());
  const streams = Array.from({ length: 20 }, (_, index) => {
    const stream = session.request({ ':path': `/events?topic=${encodeURIComponent(`${s.topic}/${index}`)}` });
    stream.text = '';
    stream.setEncoding('utf8').on('data', (text) => (stream.text += text));
    return stream;
  });
  await s.until('all streams', () => streams.every((stream) => stream.text.includes('id: ')));
  await Promise.all(streams.map((_, index) => publishNumbers(server, `${s.topic}/${index}`, 1, 50)));
  const data = (stream) => [...stream.text.matchAll(/^data: (.*)$/gm)].map(([, it]) => it);
  for (const stream of streams) {
    await s.until('all events', () => data(stream).length === 50);
    checkSequence(data(stream), 1, 50);
  }
});

await runScenarios();
