// curl: event streams, polls and publishing, as scripts use them.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { directory, startServer } from './programs.mjs';
import { checkSequence, runScenarios, scenario } from './scenarios.mjs';

const server = await startServer();
const JSON_BODY = ['-H', 'content-type: application/json'];

/// Runs curl, and returns the status, the fields and the body of the response.
function curl(path, ...args) {
  const all = ['-sS', '-i', '--noproxy', '*', '--max-time', '15', ...args, `${server.url}${path}`];
  return new Promise((resolve, reject) => {
    execFile('curl', all, { encoding: 'utf8', maxBuffer: 64 << 20 }, (error, output) => {
      if (error) return reject(error);
      const [head, ...rest] = output.replace(/^HTTP\/1.1 100.*\r\n\r\n/, '').split('\r\n\r\n');
      const [status, ...lines] = head.split('\r\n');
      const fields = Object.fromEntries(lines.map((line) => line.toLowerCase().split(/: ?(.*)/s)));
      const body = rest.join('\r\n\r\n');
      resolve({ status: Number(status.split(' ')[1]), fields, body, json: () => JSON.parse(body) });
    });
  });
}

/// Runs curl -N, which writes what arrives at once. Its lines are in `lines`.
function stream(scenario, path, ...args) {
  const process = spawn('curl', ['-sSN', '--noproxy', '*', ...args, `${server.url}${path}`]);
  scenario.defer(() => process.kill());
  const stream = { lines: [], process };
  let rest = '';
  process.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    stream.lines.push(...lines);
  });
  stream.data = () => stream.lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(6));
  return stream;
}

/// Writes a file for a body that is too long for an argument.
function file(name, content) {
  const written = path.join(directory('bodies'), name);
  writeFileSync(written, content);
  return written;
}

const query = (topic) => `topic=${encodeURIComponent(topic)}`;
const publish = (topic, ...args) => curl(`/publish?destination=${encodeURIComponent(topic)}`, ...args);

scenario('curl -N: events as they come', async (s) => {
  const events = stream(s, `/events?${query(s.topic)}`);
  await s.until('the first id', () => events.lines.some((line) => line.startsWith('id: ')));
  for (let number = 1; number <= 5; number++) {
    const { json } = await publish(s.topic, '-d', `${number}`);
    await s.until('the event', () => events.lines.includes(`id: ${json().cursor}`));
  }
  await s.until('all data', () => events.data().length === 5);
  checkSequence(events.data(), 1, 5);
});

scenario('curl -N: Last-Event-ID and since', async (s) => {
  const cursors = [];
  for (let number = 1; number <= 6; number++) cursors.push((await publish(s.topic, '-d', `${number}`)).json().cursor);
  const resumed = stream(s, `/events?${query(s.topic)}`, '-H', `Last-Event-ID: ${cursors[2]}`);
  const since = stream(s, `/events?${query(s.topic)}&since=${cursors[2]}`);
  for (const events of [resumed, since]) {
    await s.until('the rest', () => events.data().length === 3);
    checkSequence(events.data(), 4, 6);
  }
});

scenario('fields of a stream, which proxies and browsers need', async (s) => {
  const answer = stream(s, `/events?${query(s.topic)}`, '-i');
  await s.until('the fields', () => answer.lines.includes('\r'));
  const head = answer.lines.slice(0, answer.lines.indexOf('\r')).map((line) => line.trim().toLowerCase());
  assert.ok(head.includes('content-type: text/event-stream'), `${head}`);
  assert.ok(head.includes('x-accel-buffering: no'), `${head}`);
  assert.ok(head.some((line) => /^cache-control: .*no-cache/.test(line)), `${head}`);
});

scenario('long polling follows a topic by its cursor', async (s) => {
  let cursor = (await curl(`/poll?${query(s.topic)}&wait=0`)).json().cursor;
  const numbers = [];
  const publishing = (async () => {
    for (let number = 1; number <= 20; number++) await publish(s.topic, '-d', `${number}`);
  })();
  while (numbers.length < 20) {
    const { json, fields } = await curl(`/poll?${query(s.topic)}&since=${cursor}&wait=5`);
    assert.equal(fields['cache-control'], 'no-store');
    const answer = json();
    numbers.push(...answer.events.map((event) => event.data));
    cursor = answer.cursor;
  }
  await publishing;
  checkSequence(numbers, 1, 20);
});

scenario('a poll waits for the next event, and short polling for none', async (s) => {
  const { json } = await curl(`/poll?${query(s.topic)}&wait=0`);
  assert.deepEqual(json().events, []);
  const waiting = curl(`/poll?${query(s.topic)}&since=${json().cursor}&wait=10`);
  let isDone = false;
  waiting.then(() => (isDone = true));
  await publish(`${s.topic}/another`, '-d', 'not this');
  assert.equal(isDone, false);
  await publish(s.topic, '-d', 'this');
  assert.deepEqual((await waiting).json().events.map((event) => event.data), ['this']);
  const late = await curl(`/poll?${query(s.topic)}&wait=1`);
  assert.deepEqual([late.status, late.json().events], [200, []]);
});

scenario('a cursor of another run is a gap', async (s) => {
  await publish(s.topic, '-d', 'before');
  const { json } = await curl(`/poll?${query(s.topic)}&since=abcdef-3&wait=0`);
  assert.equal(json().events[0].gap.from, 'abcdef-3');
  const events = stream(s, `/events?${query(s.topic)}&since=abcdef-3`);
  await s.until('the gap', () => events.lines.includes('event: gap'));
});

scenario('publishes bytes of any type', async (s) => {
  const { json } = await curl(`/poll?${query(s.topic)}&wait=0`);
  await publish(s.topic, '-H', 'content-type: image/x', '--data-binary', '\x01\x02');
  await publish(s.topic, '-H', 'content-type: text/plain', '-d', 'text');
  const events = (await curl(`/poll?${query(s.topic)}&since=${json().cursor}&wait=0`)).json().events;
  assert.deepEqual(events.map((it) => [it.type, it.data]), [['image/x', '\x01\x02'], ['text/plain', 'text']]);
});

scenario('publishes JSON: one, a batch, headers, and a batch with one that is refused', async (s) => {
  const { json } = await curl(`/poll?${query(s.topic)}&wait=0`);
  const one = { destination: s.topic, body: 'one', 'content-type': 'text/x', headers: { colour: 'blue' } };
  const single = await curl('/publish', ...JSON_BODY, '-d', JSON.stringify(one));
  assert.match(single.json().cursor, /^[0-9a-f]+-[0-9]+$/);
  const batch = [
    { destination: s.topic, body: 'two' },
    { destination: '/elsewhere', body: 'never' },
    { destination: s.topic, base64: Buffer.from([0xff]).toString('base64') },
  ];
  const answers = (await curl('/publish', ...JSON_BODY, '-d', JSON.stringify(batch))).json();
  assert.deepEqual(answers.map((it) => it.status), [undefined, 400, undefined]);
  assert.ok(answers[1].detail.includes('/elsewhere'), answers[1].detail);
  const { events } = (await curl(`/poll?${query(s.topic)}&since=${json().cursor}&wait=0`)).json();
  assert.deepEqual(events.map((it) => it.data ?? it.base64), ['one', 'two', '/w==']);
  assert.deepEqual(events[0].headers, { colour: 'blue' });
  assert.deepEqual(events.slice(1).map((it) => it.cursor), [answers[0].cursor, answers[2].cursor]);
});

for (const [what, status, path, ...args] of [
  ['no topic', 400, '/events'],
  ['a topic that is none', 400, '/poll?topic=nothing'],
  ['a cursor that is none', 400, '/poll?topic=/topic/a&since=yesterday'],
  ['a longer wait than there is', 400, '/poll?topic=/topic/a&wait=soon'],
  ['publishing without a destination', 400, '/publish', '-d', 'x'],
  ['publishing JSON that is cut off', 400, '/publish', ...JSON_BODY, '-d', '{"destination":'],
  ['publishing to an application that has no handler', 404, '/publish?destination=/app/nobody', '-d', 'x'],
  ['reading what is to be published', 405, '/publish'],
  ['posting to a stream', 405, '/events?topic=/topic/a', '-d', 'x'],
  ['a path that is not there', 404, '/nothing'],
]) {
  scenario(`${what}: ${status}`, async () => {
    const answer = await curl(path, ...args);
    assert.equal(answer.status, status, answer.body);
    if (answer.fields['content-type'] === 'application/problem+json') {
      assert.equal(answer.json().status, status);
      assert.ok(answer.json().detail, answer.body);
    } else {
      assert.ok([404, 405].includes(status), `${answer.fields['content-type']} ${answer.body}`);
    }
  });
}

scenario('a body that is too large: 413', async (s) => {
  const body = { destination: s.topic, body: 'x'.repeat(5 << 20) };
  const answer = await curl('/publish', ...JSON_BODY, '--data-binary', `@${file('large.json', JSON.stringify(body))}`);
  assert.equal(answer.status, 413);
});

scenario('health and metrics', async (s) => {
  assert.equal((await curl('/healthz')).status, 200);
  assert.deepEqual((await curl('/readyz')).json(), { status: 'ready' });
  const { body } = await curl('/metrics');
  assert.match(body, /^sansocket_deliveries_total [0-9]+$/m);
});

scenario('a shutdown ends a stream with a time to come back, and answers polls', async (s) => {
  const events = stream(s, `/events?${query(s.topic)}`);
  await s.until('the first id', () => events.lines.some((line) => line.startsWith('id: ')));
  const waiting = curl(`/poll?${query(s.topic)}&wait=25`);
  await s.until('the poll', async () => /^sansocket_connections\{transport="poll"\} 1$/m.test((await curl('/metrics')).body));
  const ended = new Promise((resolve) => events.process.on('exit', resolve));
  assert.equal(await server.stop(), 0);
  assert.equal(await ended, 0, 'the response was cut off');
  const [, retry] = /^retry: (\d+)$/.exec(events.lines.findLast((line) => line.startsWith('retry: ')));
  assert.ok(retry >= 3000 && retry <= 33000, retry);
  assert.deepEqual((await waiting).json().events, []);
}, { alone: true });

await runScenarios();
