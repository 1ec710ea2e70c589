// MQTT.js and paho through /mqtt, to mosquitto.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import mqtt from 'mqtt';
import WebSocket from 'ws';
import { Program, directory, freePort, startServer } from './programs.mjs';
import { startProxy } from './proxy.mjs';
import { checkSequence, runScenarios, scenario } from './scenarios.mjs';
import { runPython } from './python-programs.mjs';

/// It drops what is beyond its limits, which is not what is tested.
const NO_LIMITS = 'max_inflight_messages 0\nmax_queued_messages 0\n';

const broker = await startMosquitto();
const server = await startServer({ flags: ['--mqtt', `127.0.0.1:${broker.port}`] });
const url = server.url.replace('http', 'ws') + '/mqtt';

async function startMosquitto(port) {
  port ??= await freePort();
  const file = path.join(directory('mosquitto'), 'mosquitto.conf');
  writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n${NO_LIMITS}`);
  const program = Program.start('mosquitto', 'mosquitto', ['-c', file]);
  await program.listens(port);
  program.port = port;
  return program;
}

async function connect(s, address, options) {
  const client = await mqtt.connectAsync(address, { reconnectPeriod: 50, ...options });
  s.defer(() => client.endAsync(true));
  client.received = [];
  client.on('message', (topic, payload) => client.received.push(`${payload}`));
  return client;
}

for (const protocolVersion of [4, 5]) {
  scenario(`MQTT.js, version ${protocolVersion}: 300 messages of each quality of service`, async (s) => {
    const client = await connect(s, url, { protocolVersion });
    for (const qos of [0, 1, 2]) {
      const topic = `v${protocolVersion}/qos${qos}`;
      client.received.length = 0;
      await client.subscribeAsync(topic, { qos });
      const sent = [];
      for (let number = 1; number <= 300; number++) sent.push(client.publishAsync(topic, `${number}`, { qos }));
      await Promise.all(sent);
      await s.length(client.received, 300);
      checkSequence(client.received, 1, 300);
    }
  });
}

scenario('a message of 1 MiB, in packets that do not align with messages', async (s) => {
  const client = await connect(s, url);
  const payload = Buffer.alloc(1 << 20, 'mqtt ');
  let got;
  client.on('message', (_, it) => (got = it));
  await client.subscribeAsync('large');
  await client.publishAsync('large', payload);
  await s.until('the message', () => got);
  assert.ok(payload.equals(got));
});

scenario('a session goes on after a cut', async (s) => {
  const proxy = await startProxy(server.port);
  s.defer(proxy.end);
  const options = { clean: false, clientId: 'after-a-cut', protocolVersion: 4 };
  const client = await connect(s, proxy.url.replace('http', 'ws') + '/mqtt', options);
  await client.subscribeAsync('cut', { qos: 1 });
  const publisher = await connect(s, url);
  for (let number = 1; number <= 100; number++) {
    if (number === 50) proxy.cut();
    await publisher.publishAsync('cut', `${number}`, { qos: 1 });
  }
  await s.last(client.received, 100);
  // With this quality of service, some can come again.
  checkSequence([...new Set(client.received)], 1, 100);
});

scenario('no subprotocol, or another one: 400', async () => {
  for (const protocols of [[], ['chat']]) {
    const status = await new Promise((resolve) => {
      const socket = new WebSocket(url, protocols);
      socket.on('error', () => {});
      socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
      socket.on('open', () => resolve('open'));
    });
    assert.equal(status, 400);
  }
});

scenario('paho: publishes and gets', async () => {
  await runPython('mqtt.py', [`${server.port}`]);
});

scenario('the broker goes: clients learn it, and come back with it', async (s) => {
  const client = await connect(s, url);
  let closed = 0;
  client.on('close', () => (closed += 1));
  await broker.stop();
  await s.until('the end of the connection', () => closed > 0);
  const response = await fetch(`${server.url}/healthz`);
  assert.equal(response.status, 200);
  await startMosquitto(broker.port);
  await s.until('the client to come back', () => client.connected);
  await client.subscribeAsync('again');
  await client.publishAsync('again', '1');
  await s.length(client.received, 1);
}, { alone: true });

await runScenarios();
