// Two nodes over Redis: what is lost when one of the three is.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { EventSource } from 'eventsource';
import SockJS from 'sockjs-client';
import { publish, publishNumbers } from './http.mjs';
import { Program, directory, freePort, startServer } from './programs.mjs';
import { startProxy } from './proxy.mjs';
import { checkSequence, runScenarios, scenario, sleep } from './scenarios.mjs';
import { activate, bodies, connect, receipt, subscribe } from './stomp.mjs';

/// So that nobody waits for long.
const SOON = ['events.retry=200 ms', 'stomp.send-heart-beat=1 s'];
/// Redis has what it has answered, also after it was killed. A node that is killed soon counts as dead.
const REDIS = ['durable=true', 'ping=500 ms', 'deadline=1500 ms', 'absence=3 s'].map((it) => `broker.redis.${it}`);

/// Starts a Redis that writes everything down at once, and two nodes over it.
async function startNodes(name) {
  const to = directory(`${name}-redis`);
  const port = await freePort();
  const cluster = { redis: await startRedis(name, port, to), to, port };
  cluster.restartRedis = async () => (cluster.redis = await startRedis(name, port, to));
  const settings = [...SOON, ...REDIS].flatMap((it) => ['--set', it]);
  const flags = ['--broker', `redis://127.0.0.1:${port}`, ...settings];
  cluster.nodes = await Promise.all(['a', 'b'].map((node) => startServer({ name: `${name}-${node}`, flags })));
  await Promise.all(cluster.nodes.map((node) => status(node, 'ready')));
  return cluster;
}

async function startRedis(name, port, to) {
  const options = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', to, '--save', ''];
  const safe = ['--appendonly', 'yes', '--appendfsync', 'always'];
  const program = Program.start(`${name}-redis`, 'redis-server', [...options, ...safe]);
  await program.says(/Ready to accept connections/);
  return program;
}

/// Waits until a node says that it is in this state.
async function status(node, wanted) {
  for (let tries = 0; ; tries++) {
    const answer = await (await fetch(`${node.url}/readyz`)).json();
    if (answer.status === wanted) return;
    if (tries > 1500) throw new Error(`${node.name} is ${answer.status} and not ${wanted}`);
    await sleep(10);
  }
}

/// Follows a topic with a client of STOMP, which comes back with its cursor.
function followByStomp(s, options) {
  const follower = { numbers: [], gaps: 0, isReady: false };
  let since, connections = 0;
  activate(s, {
    reconnectDelay: 20,
    ...options,
    onConnect() {
      connections += 1;
      const wanted = { receipt: `begin-${connections}` };
      this.watchForReceipt(wanted.receipt, (frame) => {
        since ??= frame.headers.cursor;
        follower.isReady = true;
      });
      this.subscribe(s.topic, (message) => {
        since = message.headers['message-id'];
        if (message.headers['gap-to']) follower.gaps += 1;
        else follower.numbers.push(message.body);
      }, { gaps: 'true', ...(since ? { since } : {}), ...wanted });
    },
  });
  return follower;
}

function followByEvents(s, base) {
  const source = new EventSource(`${base.url}/events?topic=${encodeURIComponent(s.topic)}`);
  s.defer(() => source.close());
  const follower = { numbers: [], gaps: 0, isReady: false };
  source.onopen = () => (follower.isReady = true);
  source.onmessage = (event) => follower.numbers.push(event.data);
  source.addEventListener('gap', () => (follower.gaps += 1));
  return follower;
}

function followByPolls(s, base) {
  const follower = { numbers: [], gaps: 0, isReady: false };
  let cursor, isOver = false;
  s.defer(() => (isOver = true));
  const topic = encodeURIComponent(s.topic);
  (async () => {
    while (!isOver) {
      const from = cursor ? `since=${cursor}&wait=5` : 'wait=0';
      try {
        const answer = await (await fetch(`${base.url}/poll?topic=${topic}&${from}`)).json();
        if (!answer.cursor) throw new Error(JSON.stringify(answer));
        for (const event of answer.events) {
          if (event.gap) follower.gaps += 1;
          else follower.numbers.push(event.data);
        }
        cursor = answer.cursor;
        follower.isReady = true;
      } catch {
        // The node has gone: the same again, elsewhere.
        await sleep(20);
      }
    }
  })();
  return follower;
}

/// Follows a topic in all ways.
async function follow(s, base) {
  const over = (transport) => () => new SockJS(`${base.url}/ws`, null, { transports: [transport] });
  const followers = {
    stompjs: followByStomp(s, { brokerURL: base.websocket }),
    'sockjs-client over WebSocket': followByStomp(s, { webSocketFactory: over('websocket') }),
    // In Node, it does not notice the end of a response that was begun. Heart-beats do.
    'sockjs-client over xhr-streaming': followByStomp(s, {
      webSocketFactory: over('xhr-streaming'), heartbeatIncoming: 1000,
    }),
    eventsource: followByEvents(s, base),
    polls: followByPolls(s, base),
  };
  await s.until('all followers', () => Object.values(followers).every((it) => it.isReady));
  return followers;
}

/// Waits until all followers have these numbers, each once and in order.
async function check(s, followers, last, gaps = 0) {
  for (const [name, follower] of Object.entries(followers)) {
    await s.last(follower.numbers, last, name);
    try {
      checkSequence(follower.numbers, 1, last);
    } catch (error) {
      throw new Error(`${name}: ${error.message}`);
    }
    assert.equal(follower.gaps, gaps, `gaps of ${name}`);
  }
}

scenario('both nodes: what is published on either arrives on both, in one order', async (s) => {
  const { nodes } = await startNodes('both');
  const followers = await Promise.all(nodes.map((node) => follow(s, node)));
  for (let first = 1; first <= 200; first += 5) {
    const cursors = await publishNumbers(nodes[first % 2], s.topic, first, first + 4);
    assert.equal(new Set(cursors).size, 5);
  }
  for (const all of followers) await check(s, all, 200);
  // At once, so that the order is Redis's. All have the same.
  await Promise.all(nodes.map((node, index) => publishNumbers(node, s.topic, 1000 * (index + 1), 1000 * (index + 1) + 99)));
  const all = followers.flatMap((of) => Object.values(of));
  for (const { numbers } of all) await s.length(numbers, 400);
  for (const { numbers } of all) assert.deepEqual(numbers, all[0].numbers);
}, { seconds: 40 });

scenario('a cursor of one node resumes on the other', async (s) => {
  const { nodes } = await startNodes('cursor');
  const cursors = await publishNumbers(nodes[0], s.topic, 1, 20);
  const client = await connect(s, { brokerURL: nodes[1].websocket });
  const resumed = await subscribe(client, s.topic, { since: cursors[9] });
  await s.length(resumed.messages, 10);
  checkSequence(bodies(resumed), 11, 20);
  assert.deepEqual(resumed.messages.map((it) => it.headers['message-id']), cursors.slice(10));
  const poll = await fetch(`${nodes[1].url}/poll?topic=${encodeURIComponent(s.topic)}&since=${cursors[4]}&wait=0`);
  checkSequence((await poll.json()).events.map((event) => event.data), 6, 20);
}, { seconds: 40 });

scenario('a node is killed: its clients resume on the other, nothing lost or doubled', async (s) => {
  const { nodes } = await startNodes('killed');
  const proxy = await startProxy(nodes[0].port);
  s.defer(proxy.end);
  const moved = await follow(s, proxy);
  const stayed = await follow(s, nodes[1]);
  const total = 600;
  for (let first = 1; first <= total; first += 10) {
    const publisher = first < 200 ? nodes[(first % 20) % 2] : nodes[1];
    const publishing = publishNumbers(publisher, s.topic, first, first + 9);
    if (first === 201) {
      nodes[0].kill('SIGKILL');
      proxy.port = nodes[1].port;
      proxy.cut();
    }
    await publishing;
    await sleep(10);
  }
  await check(s, stayed, total);
  await check(s, moved, total);
}, { seconds: 40 });

scenario('Redis is killed and started: publishes wait, and nothing is lost', async (s) => {
  const cluster = await startNodes('redis-killed');
  const { nodes } = cluster;
  const followers = await Promise.all(nodes.map((node) => follow(s, node)));
  await publishNumbers(nodes[0], s.topic, 1, 100);
  for (const all of followers) await check(s, all, 100);
  await cluster.redis.kill('SIGKILL');
  await Promise.all(nodes.map((node) => status(node, 'degraded')));
  // The nodes live, and nobody gets what has no place yet.
  const waiting = publishNumbers(nodes[0], s.topic, 101, 150);
  assert.equal((await fetch(`${nodes[1].url}/healthz`)).status, 200);
  await sleep(300);
  for (const all of followers) await check(s, all, 100);
  // Replay goes on: what is here is here.
  const replayed = await fetch(`${nodes[0].url}/poll?topic=${encodeURIComponent(s.topic)}&start=beginning&wait=0`);
  assert.equal(replayed.status, 200);
  await replayed.text();
  await cluster.restartRedis();
  assert.equal((await waiting).length, 50);
  await Promise.all(nodes.map((node) => status(node, 'ready')));
  await publishNumbers(nodes[1], s.topic, 151, 200);
  for (const all of followers) await check(s, all, 200);
}, { seconds: 40 });

scenario('Redis is killed in mid-stream, as often as it comes', async (s) => {
  const cluster = await startNodes('redis-often');
  const { nodes } = cluster;
  const followers = await Promise.all(nodes.map((node) => follow(s, node)));
  let isOver = false;
  const killing = (async () => {
    for (let count = 0; count < 3; count++) {
      await sleep(300);
      await cluster.redis.kill('SIGKILL');
      await sleep(200);
      await cluster.restartRedis();
    }
    isOver = true;
  })();
  let published = 0;
  while (!isOver || published < 300) {
    await publishNumbers(nodes[0], s.topic, published + 1, published + 10, { afterOutages: true });
    published += 10;
    await sleep(5);
  }
  await killing;
  for (const all of followers) await check(s, all, published);
}, { seconds: 40 });

scenario('Redis comes back empty: everybody is told a gap', async (s) => {
  const cluster = await startNodes('redis-empty');
  const { nodes } = cluster;
  const followers = await Promise.all(nodes.map((node) => follow(s, node)));
  await publishNumbers(nodes[0], s.topic, 1, 10);
  for (const all of followers) await check(s, all, 10);
  await cluster.redis.kill('SIGKILL');
  await Promise.all(nodes.map((node) => status(node, 'degraded')));
  for (const file of ['appendonlydir', 'dump.rdb']) rmSync(path.join(cluster.to, file), { recursive: true, force: true });
  await cluster.restartRedis();
  await Promise.all(nodes.map((node) => status(node, 'ready')));
  await publishNumbers(nodes[1], s.topic, 11, 20);
  for (const all of followers) {
    for (const [name, follower] of Object.entries(all)) {
      await s.last(follower.numbers, 20, name);
      checkSequence(follower.numbers, 1, 20);
      assert.ok(follower.gaps >= 1, `${name} was told no gap`);
    }
  }
}, { seconds: 40 });

scenario('a queue with consumers on both nodes: each message once', async (s) => {
  const { nodes } = await startNodes('queue');
  const queue = s.topic.replace('/topic/', '/queue/');
  const consumers = [];
  for (const node of nodes) {
    const client = await connect(s, { brokerURL: node.websocket });
    const got = [];
    await receipt(client, (headers) => {
      client.subscribe(queue, (message) => got.push(message.body) && message.ack(), {
        ack: 'client-individual', 'prefetch-count': '5', ...headers,
      });
    });
    consumers.push(got);
  }
  for (let number = 1; number <= 200; number++) await publish(nodes[number % 2], queue, `${number}`);
  await s.until('all messages', () => consumers.flat().length >= 200, () => consumers.map((it) => it.length));
  await sleep(100);
  const all = consumers.flat().map(Number).sort((a, b) => a - b);
  checkSequence(all, 1, 200);
  assert.ok(consumers.every((it) => it.length > 0), `${consumers.map((it) => it.length)}`);
}, { seconds: 40 });

scenario('a consumer is killed with its node: what it has not acknowledged goes to the other', async (s) => {
  const { nodes } = await startNodes('consumer');
  const queue = s.topic.replace('/topic/', '/queue/');
  const consume = async (node, onMessage) => {
    const client = await connect(s, { brokerURL: node.websocket });
    await receipt(client, (headers) => {
      client.subscribe(queue, onMessage, { ack: 'client-individual', 'prefetch-count': '10', ...headers });
    });
  };
  const held = [];
  await consume(nodes[0], (message) => held.push(message.body));
  for (let number = 1; number <= 30; number++) await publish(nodes[1], queue, `${number}`);
  await s.length(held, 10);
  const got = [];
  await consume(nodes[1], (message) => got.push(message.body) && message.ack());
  await s.length(got, 20);
  checkSequence(held, 1, 10);
  checkSequence(got, 11, 30);
  await nodes[0].kill('SIGKILL');
  await s.length(got, 30);
  checkSequence([...got].sort((a, b) => a - b), 1, 30);
}, { seconds: 40 });

await runScenarios();
