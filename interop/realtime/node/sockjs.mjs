// sockjs-client, each of its transports, with @stomp/stompjs in its sessions.

import assert from 'node:assert/strict';
import SockJS from 'sockjs-client';
import { publish, publishNumbers } from './http.mjs';
import { startServer } from './programs.mjs';
import { startProxy } from './proxy.mjs';
import { checkSequence, runScenarios, scenario, sleep } from './scenarios.mjs';
import { activate, bodies, connect, receipt, subscribe } from './stomp.mjs';

// So that it is soon seen what happens without one.
const server = await startServer({ flags: ['--set', 'stomp.send-heart-beat=2 s'] });

for (const transport of ['websocket', 'xhr-streaming', 'xhr-polling', 'eventsource']) {
  const over = (url, used) => () => {
    const socket = new SockJS(`${url}/ws`, null, { transports: [transport] });
    socket.addEventListener('open', () => used?.push(socket.transport));
    return socket;
  };

  scenario(`${transport}: subscribes, sends and disconnects`, async (s) => {
    const used = [];
    const client = await connect(s, { webSocketFactory: over(server.url, used) });
    assert.deepEqual(used, [transport]);
    const subscription = await subscribe(client, s.topic);
    const body = 'quotes " and \\ and \u{1f980} and \u200c\u2028\ufff0';
    await receipt(client, (headers) => client.publish({ destination: s.topic, body, headers }));
    await s.length(subscription.messages, 1);
    assert.equal(subscription.messages[0].body, body);
    // It waits for the receipt and the end of the session.
    let receiptOfDisconnect;
    client.onDisconnect = (frame) => (receiptOfDisconnect = frame);
    await client.deactivate();
    assert.equal(receiptOfDisconnect.command, 'RECEIPT');
  });

  scenario(`${transport}: 2,000 messages in both directions at once`, async (s) => {
    const client = await connect(s, { webSocketFactory: over(server.url) });
    const down = await subscribe(client, `${s.topic}/down`);
    const up = await subscribe(client, `${s.topic}/up`);
    for (let first = 1; first <= 1000; first += 50) {
      const publishing = publishNumbers(server, `${s.topic}/down`, first, first + 49);
      for (let number = first; number < first + 50; number++) {
        client.publish({ destination: `${s.topic}/up`, body: `${number}` });
      }
      await publishing;
    }
    await s.length(down.messages, 1000);
    await s.length(up.messages, 1000);
    checkSequence(bodies(down), 1, 1000);
    checkSequence(bodies(up), 1, 1000);
  });

  scenario(`${transport}: responses end after 128 KiB, and messages go on`, async (s) => {
    const client = await connect(s, { webSocketFactory: over(server.url) });
    const subscription = await subscribe(client, s.topic);
    for (let number = 1; number <= 10; number++) {
      await publish(server, s.topic, `${number}`.padEnd(60000, ' '));
    }
    await s.length(subscription.messages, 10);
    checkSequence(bodies(subscription), 1, 10);
    assert.ok(bodies(subscription).every((body) => body.length === 60000));
  });

  scenario(`${transport}: resumes in a new session after a cut`, async (s) => {
    const proxy = await startProxy(server.port);
    s.defer(proxy.end);
    const numbers = [];
    let since, connections = 0;
    const client = activate(s, {
      webSocketFactory: over(proxy.url),
      reconnectDelay: 20,
      // In Node, sockjs-client does not notice the end of every response that was begun. Heart-beats do.
      heartbeatIncoming: 2000,
      onConnect: () => {
        connections += 1;
        const wanted = { receipt: `begin-${connections}` };
        client.watchForReceipt(wanted.receipt, (frame) => (since ??= frame.headers.cursor));
        client.subscribe(s.topic, (message) => {
          since = message.headers['message-id'];
          numbers.push(message.body);
        }, since ? { since, ...wanted } : wanted);
      },
    });
    await s.until('the first subscription', () => since);
    for (let first = 1; first <= 200; first += 10) {
      await publishNumbers(server, s.topic, first, first + 9);
      if (first === 71 || first === 141) proxy.cut();
      await sleep(20);
    }
    await s.last(numbers, 200);
    checkSequence(numbers, 1, 200);
    assert.ok(connections >= 2, `${connections} connections`);
  });

  scenario(`${transport}: heart-beats of STOMP`, async (s) => {
    let closed = 0;
    const client = await connect(s, {
      webSocketFactory: over(server.url),
      heartbeatIncoming: 2000,
      heartbeatOutgoing: 2000,
      onWebSocketClose: () => (closed += 1),
    });
    const subscription = await subscribe(client, s.topic);
    await sleep(4500);
    assert.equal(closed, 0, 'the session has ended');
    await publish(server, s.topic, 'still here');
    await s.length(subscription.messages, 1);
  });
}

await runScenarios();
