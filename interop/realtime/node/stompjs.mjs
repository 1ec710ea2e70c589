// @stomp/stompjs over WebSocket.

import assert from 'node:assert/strict';
import { TickerStrategy, Versions } from '@stomp/stompjs';
import { metric, publish, publishNumbers } from './http.mjs';
import { startServer } from './programs.mjs';
import { startProxy } from './proxy.mjs';
import { checkSequence, runScenarios, scenario, sleep } from './scenarios.mjs';
import { activate, bodies, connect, receipt, subscribe } from './stomp.mjs';

// So that it is soon seen what happens without one.
const beats = ['send', 'want'].flatMap((side) => ['--set', `stomp.${side}-heart-beat=1 s`]);
const server = await startServer({ flags: beats });
const brokerURL = server.websocket;

for (const [name, versions, agreed] of [
  ['any version', Versions.default, '1.2'],
  ['STOMP 1.1', new Versions(['1.1']), '1.1'],
  ['STOMP 1.0', new Versions(['1.0']), '1.0'],
]) {
  scenario(`subscribes and sends in ${name}`, async (s) => {
    const client = await connect(s, { brokerURL, stompVersions: versions });
    assert.equal(client.connectedVersion, agreed);
    const subscription = await subscribe(client, s.topic);
    const body = 'a: b\\n\n\u{1f980} \u0000 after NUL';
    // The client escapes in 1.2 alone.
    const header = agreed === '1.2' ? 'one: two\\, three\nfour' : 'one';
    client.publish({ destination: s.topic, body, headers: { header } });
    await s.length(subscription.messages, 1);
    assert.equal(subscription.messages[0].body, body);
    assert.equal(subscription.messages[0].headers.header, header);
  });
}

scenario('subscribes and sends on the raw WebSocket of SockJS', async (s) => {
  const client = await connect(s, { brokerURL: `${brokerURL}/websocket` });
  const subscription = await subscribe(client, s.topic);
  await publishNumbers(server, s.topic, 1, 10);
  await s.length(subscription.messages, 10);
  checkSequence(bodies(subscription), 1, 10);
});

scenario('receipts of every frame', async (s) => {
  const client = await connect(s, { brokerURL });
  const destination = s.topic;
  const subscription = await subscribe(client, destination, { ack: 'client-individual' });
  assert.match(subscription.cursor, /^[0-9a-f]+-[0-9]+$/);
  const sent = await receipt(client, (headers) => client.publish({ destination, body: '1', headers }));
  assert.match(sent.headers.cursor, /^[0-9a-f]+-[0-9]+$/);
  await s.length(subscription.messages, 1);
  assert.equal(subscription.messages[0].headers['message-id'], sent.headers.cursor);
  await receipt(client, (headers) => subscription.messages[0].ack(headers));
  await receipt(client, (headers) => subscription.unsubscribe(headers));
  await receipt(client, (headers) => client.publish({ destination, body: '2', headers }));
  // deactivate waits for the receipt of DISCONNECT.
  let receiptOfDisconnect;
  client.onDisconnect = (frame) => (receiptOfDisconnect = frame);
  await client.deactivate();
  assert.equal(receiptOfDisconnect.command, 'RECEIPT');
  assert.equal(subscription.messages.length, 1);
});

scenario('ack: client is cumulative', async (s) => {
  const client = await connect(s, { brokerURL });
  const headers = { ack: 'client', 'prefetch-count': '10' };
  const subscription = await subscribe(client, s.topic, headers);
  await publishNumbers(server, s.topic, 1, 25);
  await s.length(subscription.messages, 10);
  await sleep(100);
  assert.equal(subscription.messages.length, 10, 'more than the window');
  await receipt(client, (it) => subscription.messages[9].ack(it));
  await s.length(subscription.messages, 20);
  await receipt(client, (it) => subscription.messages[19].ack(it));
  await s.length(subscription.messages, 25);
  checkSequence(bodies(subscription), 1, 25);
});

scenario('ack: client-individual, nack, and delivery to another consumer', async (s) => {
  const queue = s.topic.replace('/topic/', '/queue/');
  const first = await connect(s, { brokerURL });
  const ours = await subscribe(first, queue, { ack: 'client-individual', 'prefetch-count': '10' });
  await Promise.all(
    [1, 2, 3].map((body) => receipt(first, (headers) => first.publish({ destination: queue, body: `${body}`, headers }))),
  );
  await s.length(ours.messages, 3);
  checkSequence(bodies(ours), 1, 3);
  await receipt(first, (headers) => ours.messages[1].ack(headers));
  // The other one gets what is rejected, and then what is not acknowledged when the first goes.
  const second = await connect(s, { brokerURL });
  const others = await subscribe(second, queue, { ack: 'client-individual', 'prefetch-count': '10' });
  ours.messages[0].nack();
  await s.until('a second delivery', () => ours.messages.length + others.messages.length === 4);
  await first.deactivate();
  await s.until('all deliveries', () => new Set(bodies(others)).size === 2);
  assert.deepEqual(bodies(others).sort(), ['1', '3']);
  assert.ok(others.messages.every((message) => message.headers.redelivered === 'true'));
  for (const message of others.messages) await receipt(second, (headers) => message.ack(headers));
});

scenario('transactions', async (s) => {
  const client = await connect(s, { brokerURL });
  const subscription = await subscribe(client, s.topic);
  const send = (body, transaction) => {
    client.publish({ destination: s.topic, body, headers: transaction ? { transaction: transaction.id } : {} });
  };
  const aborted = client.begin();
  const committed = client.begin();
  send('never', aborted);
  send('2', committed);
  send('3', committed);
  send('1');
  await s.length(subscription.messages, 1);
  aborted.abort();
  committed.commit();
  send('4');
  await s.length(subscription.messages, 4);
  checkSequence(bodies(subscription), 1, 4);
});

scenario('heart-beats keep a quiet connection, and tell a server that is gone', async (s) => {
  const proxy = await startProxy(server.port);
  s.defer(proxy.end);
  let closed = 0;
  const client = await connect(s, {
    brokerURL: proxy.websocket,
    heartbeatIncoming: 1000,
    heartbeatOutgoing: 1000,
    heartbeatStrategy: TickerStrategy.Interval,
    discardWebsocketOnCommFailure: true,
    onWebSocketClose: () => (closed += 1),
  });
  const subscription = await subscribe(client, s.topic);
  // Longer than the client waits for a beat.
  await sleep(2500);
  assert.equal(closed, 0, 'the connection has ended');
  await publish(server, s.topic, 'still here');
  await s.length(subscription.messages, 1);
  proxy.hold();
  await s.until('the client to notice', () => closed === 1);
  // Beside others, the client itself could be too late.
}, { alone: true });

scenario('reconnects, resubscribes and resumes after a cut', async (s) => {
  const proxy = await startProxy(server.port);
  s.defer(proxy.end);
  const numbers = [];
  let since;
  let connections = 0;
  const client = activate(s, {
    brokerURL: proxy.websocket,
    reconnectDelay: 20,
    onConnect: () => {
      connections += 1;
      const headers = since ? { since } : {};
      const wanted = { receipt: `begin-${connections}` };
      client.watchForReceipt(wanted.receipt, (frame) => (since ??= frame.headers.cursor));
      client.subscribe(s.topic, (message) => {
        since = message.headers['message-id'];
        numbers.push(message.body);
      }, { ...headers, ...wanted });
    },
  });
  await s.until('the first subscription', () => since);
  const total = 400;
  for (let first = 1; first <= total; first += 20) {
    const sending = publishNumbers(server, s.topic, first, first + 19);
    if (first % 100 === 41) proxy.cut();
    await sending;
    await sleep(15);
  }
  await s.last(numbers, total);
  checkSequence(numbers, 1, total);
  assert.equal(connections, 5);
});

scenario('since: what was missed, once, in order; start: what a topic keeps', async (s) => {
  const cursors = await publishNumbers(server, s.topic, 1, 50);
  const client = await connect(s, { brokerURL });
  const resumed = await subscribe(client, s.topic, { since: cursors[19] });
  const whole = await subscribe(client, s.topic, { start: 'beginning' });
  await publishNumbers(server, s.topic, 51, 60);
  await s.length(resumed.messages, 40);
  await s.length(whole.messages, 60);
  checkSequence(bodies(resumed), 21, 60);
  checkSequence(bodies(whole), 1, 60);
});

scenario('since of another run: a gap, and no silence', async (s) => {
  const client = await connect(s, { brokerURL });
  const subscription = await subscribe(client, s.topic, { since: 'abcdef-7' });
  await publish(server, s.topic, 'after');
  await s.length(subscription.messages, 2);
  assert.equal(subscription.messages[0].headers['gap-from'], 'abcdef-7');
  assert.equal(subscription.messages[1].body, 'after');
});

scenario('ERROR names the frame, and the connection is closed cleanly', async (s) => {
  let error, close;
  const client = activate(s, {
    brokerURL,
    onStompError: (frame) => (error = frame),
    onWebSocketClose: (event) => (close = event),
  });
  await s.until('CONNECTED', () => client.connected);
  client.publish({ destination: '/elsewhere', body: '', headers: { receipt: 'the-one' } });
  await s.until('the end', () => close);
  assert.equal(error.headers['receipt-id'], 'the-one');
  assert.equal(error.headers.command, 'SEND');
  assert.ok(error.headers.message.includes('/elsewhere'), error.headers.message);
  assert.ok(close.wasClean, `${close.code} ${close.reason}`);
});

scenario('large messages, whole and split at 8 KiB', async (s) => {
  const body = Array.from({ length: 60000 }, (_, index) => `${index} é`).join('\n');
  const subscriber = await connect(s, { brokerURL });
  const subscription = await subscribe(subscriber, s.topic);
  for (const splitLargeFrames of [false, true]) {
    const client = await connect(s, { brokerURL, splitLargeFrames });
    await receipt(client, (headers) => client.publish({ destination: s.topic, body, headers }));
  }
  await s.length(subscription.messages, 2);
  assert.ok(bodies(subscription).every((it) => it === body));
});

scenario('binary bodies', async (s) => {
  const client = await connect(s, { brokerURL });
  const subscription = await subscribe(client, s.topic);
  const binaryBody = Uint8Array.from({ length: 70000 }, (_, index) => index % 256);
  client.publish({ destination: s.topic, binaryBody, headers: { 'content-type': 'application/octet-stream' } });
  await s.length(subscription.messages, 1);
  assert.deepEqual(Buffer.from(subscription.messages[0].binaryBody), Buffer.from(binaryBody));
  assert.equal(subscription.messages[0].headers['content-type'], 'application/octet-stream');
});

scenario('a thousand messages from ten clients to ten clients', async (s) => {
  const clients = await Promise.all(Array.from({ length: 10 }, () => connect(s, { brokerURL })));
  const subscriptions = await Promise.all(clients.map((client) => subscribe(client, s.topic)));
  for (let number = 0; number < 100; number++) {
    clients.forEach((client, index) => client.publish({ destination: s.topic, body: `${index} ${number}` }));
  }
  for (const { messages } of subscriptions) await s.length(messages, 1000);
  const order = bodies(subscriptions[0]);
  for (const subscription of subscriptions) assert.deepEqual(bodies(subscription), order);
  clients.forEach((_, index) => {
    const own = order.filter((body) => body.startsWith(`${index} `));
    checkSequence(own.map((body) => body.split(' ')[1]), 0, 99);
  });
});

scenario('all clients have gone from the server', async (s) => {
  for (const name of ['connections', 'subscriptions']) {
    await s.until(`no ${name}`, async () => (await metric(server, name)) === 0);
  }
}, { alone: true });

scenario('a shutdown says 1001 to clients, and ends with 0', async (s) => {
  const closes = [];
  const clients = [];
  for (let index = 0; index < 5; index++) {
    clients.push(await connect(s, { brokerURL, onStompError: () => {}, onWebSocketClose: (it) => closes.push(it.code) }));
  }
  server.process.kill('SIGTERM');
  await s.length(closes, 5);
  assert.deepEqual(closes, Array(5).fill(1001));
  assert.equal(await server.stop(), 0);
}, { alone: true });

await runScenarios();
