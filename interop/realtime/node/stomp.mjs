// Clients of @stomp/stompjs.

import { Client } from '@stomp/stompjs';
import WebSocket from 'ws';

// It expects that of browsers.
Object.assign(globalThis, { WebSocket });

/// Activates a client for a scenario, and waits until it is connected.
export async function connect(scenario, options) {
  const client = activate(scenario, options);
  await scenario.until('CONNECTED', () => client.connected);
  return client;
}

/// Activates a client for a scenario. What the server refuses fails the scenario, unless it expects that.
export function activate(scenario, options) {
  const client = new Client({
    reconnectDelay: 0,
    heartbeatIncoming: 0,
    heartbeatOutgoing: 0,
    onStompError: (frame) => scenario.fail(new Error(`ERROR: ${frame.headers.message} ${frame.body}`)),
    onUnhandledReceipt: () => {},
    ...options,
    onWebSocketClose: (event) => {
      options.onWebSocketClose?.(event);
      const problem = new Error(`closed with ${event.code} ${event.reason} before a receipt`);
      waiting.get(client).forEach((reject) => reject(problem));
    },
  });
  waiting.set(client, new Set());
  client.activate();
  scenario.defer(() => client.deactivate({ force: true }));
  return client;
}

let receipts = 0;
/// Those who wait for a receipt of a client.
const waiting = new WeakMap();

/// Does something with a receipt, and waits for that receipt.
export function receipt(client, act) {
  return new Promise((resolve, reject) => {
    receipts += 1;
    const id = `receipt-${receipts}`;
    waiting.get(client).add(reject);
    client.watchForReceipt(id, (frame) => {
      waiting.get(client).delete(reject);
      resolve(frame);
    });
    act({ receipt: id });
  });
}

/// Subscribes, and waits until the subscription has begun. Returns it with what arrives, as `messages`.
export async function subscribe(client, destination, headers = {}) {
  const messages = [];
  let subscription;
  const begun = await receipt(client, (wanted) => {
    const all = { ...headers, ...wanted };
    subscription = client.subscribe(destination, (message) => messages.push(message), all);
  });
  subscription.messages = messages;
  subscription.cursor = begun.headers.cursor;
  return subscription;
}

export function bodies(subscription) {
  return subscription.messages.map((message) => message.body);
}
