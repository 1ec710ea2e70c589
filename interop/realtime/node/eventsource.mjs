// eventsource, which is the EventSource of browsers for Node.

import assert from 'node:assert/strict';
import { EventSource } from 'eventsource';
import { publish, publishNumbers } from './http.mjs';
import { startServer } from './programs.mjs';
import { startProxy } from './proxy.mjs';
import { checkSequence, runScenarios, scenario, sleep } from './scenarios.mjs';

// So that nobody waits for long.
const soon = ['--set', 'events.retry=200 ms', '--set', 'events.spread=500 ms', '--set', 'shutdown.spread=500 ms'];
const server = await startServer({ flags: soon });

/// Opens a stream of topics, and waits until it is open. Keeps its events, and what was requested.
async function open(scenario, base, parameters) {
  const requested = [];
  const source = new EventSource(`${base}/events?${new URLSearchParams(parameters)}`, {
    fetch: (url, init) => {
      requested.push(init.headers);
      return fetch(url, init);
    },
  });
  scenario.defer(() => source.close());
  const stream = { source, requested, events: [], data: [], gaps: [], binaries: [], opened: 0, errors: [] };
  source.onopen = () => (stream.opened += 1);
  source.onerror = (error) => stream.errors.push(error);
  source.onmessage = (event) => stream.events.push(event) && stream.data.push(event.data);
  source.addEventListener('gap', (event) => stream.gaps.push(event));
  source.addEventListener('binary', (event) => stream.binaries.push(event));
  await scenario.until('the stream to open', () => stream.opened > 0);
  return stream;
}

scenario('events with their ids, in order', async (s) => {
  const stream = await open(s, server.url, { topic: s.topic });
  const cursors = await publishNumbers(server, s.topic, 1, 500);
  await s.length(stream.data, 500);
  checkSequence(stream.data, 1, 500);
  assert.deepEqual(stream.events.map((event) => event.lastEventId), cursors);
});

scenario('texts of several lines, empty ones, and bytes', async (s) => {
  const stream = await open(s, server.url, { topic: s.topic });
  const texts = ['one\ntwo\n\nfour', '', ' begins with a space', 'data: no field', '\u{1f980}', '\ufeffbom'];
  for (const text of texts) await publish(server, s.topic, text);
  const bytes = Buffer.from([0xff, 0x00, 0x0a]);
  const target = `${server.url}/publish?destination=${encodeURIComponent(s.topic)}`;
  const answer = await fetch(target, { method: 'POST', body: bytes });
  assert.equal(answer.status, 200);
  await s.length(stream.binaries, 1);
  assert.deepEqual(stream.data, texts);
  assert.equal(stream.binaries[0].data, bytes.toString('base64'));
});

scenario('several topics, and a pattern, as JSON', async (s) => {
  const stream = await open(s, server.url, [['topic', `${s.topic}/a`], ['topic', `${s.topic}/b/*`], ['form', 'json']]);
  await publish(server, `${s.topic}/a`, 'one');
  await publish(server, `${s.topic}/b/c`, 'two');
  await publish(server, `${s.topic}/c`, 'another');
  await publish(server, `${s.topic}/a`, 'three');
  await s.length(stream.data, 3);
  const events = stream.data.map((text) => JSON.parse(text));
  assert.deepEqual(
    events.map((event) => [event.topic, event.data]),
    [[`${s.topic}/a`, 'one'], [`${s.topic}/b/c`, 'two'], [`${s.topic}/a`, 'three']],
  );
});

scenario('reconnects with Last-Event-ID after cuts, nothing lost or doubled', async (s) => {
  const proxy = await startProxy(server.port);
  s.defer(proxy.end);
  const stream = await open(s, proxy.url, { topic: s.topic });
  for (let first = 1; first <= 300; first += 10) {
    await publishNumbers(server, s.topic, first, first + 9);
    if (first === 101 || first === 201) {
      const opened = stream.opened;
      proxy.cut();
      // It goes on while the stream is away.
      await publishNumbers(server, `${s.topic}/other`, first, first + 9);
      if (first === 201) await s.until('the stream to open again', () => stream.opened > opened);
    }
    await sleep(10);
  }
  await s.last(stream.data, 300);
  checkSequence(stream.data, 1, 300);
  assert.deepEqual(stream.gaps, []);
  assert.ok(stream.opened >= 2, `${stream.opened} times open`);
  const resumed = stream.requested.slice(1).map((headers) => headers['Last-Event-ID']);
  assert.ok(resumed.every((id) => /^[0-9a-f]+-[0-9]+$/.test(id)), `${resumed}`);
});

scenario('since in the query, and start', async (s) => {
  const cursors = await publishNumbers(server, s.topic, 1, 10);
  const resumed = await open(s, server.url, { topic: s.topic, since: cursors[3] });
  await s.length(resumed.events, 6);
  checkSequence(resumed.data, 5, 10);
});

scenario('a stream that is refused is not tried again', async (s) => {
  const source = new EventSource(`${server.url}/events?topic=${encodeURIComponent('/elsewhere')}`);
  s.defer(() => source.close());
  let code;
  source.onerror = (error) => (code = error.code);
  await s.until('the refusal', () => code);
  assert.equal(code, 400);
  assert.equal(source.readyState, EventSource.CLOSED);
});

scenario('comes back after a restart by itself, and is told the gap', async (s) => {
  const stream = await open(s, server.url, { topic: s.topic });
  await publishNumbers(server, s.topic, 1, 3);
  await s.length(stream.data, 3);
  const id = stream.events.at(-1).lastEventId;
  assert.equal(await server.stop(), 0);
  const again = await startServer({ name: 'server-again', listen: `127.0.0.1:${server.port}`, flags: soon });
  await s.length(stream.gaps, 1);
  assert.equal(JSON.parse(stream.gaps[0].data).from, id);
  await publishNumbers(again, s.topic, 4, 6);
  await s.length(stream.data, 6);
  checkSequence(stream.data, 1, 6);
}, { alone: true });

await runScenarios();
