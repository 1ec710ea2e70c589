// What a client can get wrong: origins, credentials, permissions, two receivers of a session.

import assert from 'node:assert/strict';
import { EventSource } from 'eventsource';
import SockJS from 'sockjs-client';
import WebSocket from 'ws';
import { startServer } from './programs.mjs';
import { runScenarios, scenario } from './scenarios.mjs';
import { activate, connect, receipt, subscribe } from './stomp.mjs';

const open = await startServer({ flags: ['--origin', 'https://*.example.com'] });
const closed = await startServer({
  name: 'server-with-tokens',
  config: `
[access]
anonymous = false
sources = ["bearer", "login", "query:access_token"]

[[access.token]]
user = "ann"
token = "token-of-ann-0123456789abcdef0123456789"
subscribe = ["/topic/**"]
publish = ["/topic/**"]

[[access.token]]
user = "ben"
token = "token-of-ben-0123456789abcdef0123456789"
subscribe = ["/topic/public/**"]
publish = []

[[access.password]]
user = "ann"
password = "the password of ann 0123456789"
subscribe = ["/topic/**"]
publish = ["/topic/**"]
`,
});
const token = (user) => `token-of-${user}-0123456789abcdef0123456789`;
const bearer = (user) => ({ authorization: `Bearer ${token(user)}` });

// --- origins -----------------------------------------------------------------

/// Returns the status of an upgrade, which is 101 if it succeeds.
function upgrade(url, origin) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { origin });
    socket.on('error', () => {});
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
    socket.on('open', () => resolve(101) || socket.terminate());
  });
}

for (const [origin, isAllowed] of [
  ['https://shop.example.com', true],
  ['https://example.org', false],
  ['http://shop.example.com', false],
  ['https://example.com.evil.test', false],
  ['null', false],
]) {
  scenario(`a page of ${origin} may${isAllowed ? '' : ' not'} use it`, async (s) => {
    const socket = open.websocket;
    for (const url of [socket, `${socket}/websocket`, `${socket}/000/${origin.length}/websocket`]) {
      assert.equal(await upgrade(url, origin), isAllowed ? 101 : 403, url);
    }
    const headers = { origin };
    const topic = encodeURIComponent(s.topic);
    for (const [path, init] of [
      [`/poll?topic=${topic}&wait=0`, {}],
      [`/presence?topic=${topic}`, {}],
      [`/publish?destination=${topic}`, { method: 'POST', body: 'x' }],
      ['/ws/info', {}],
    ]) {
      const answer = await fetch(`${open.url}${path}`, { ...init, headers });
      await answer.text();
      // A page of another origin can't read what does not name its origin.
      assert.equal(answer.headers.get('access-control-allow-origin'), isAllowed ? origin : null, path);
      if (path !== '/ws/info') assert.equal(answer.status === 403, !isAllowed, path);
    }
  });
}

scenario('a page asks before it sends Last-Event-ID or a token', async () => {
  for (const [path, method] of [['/events?topic=/topic/a', 'GET'], ['/publish', 'POST']]) {
    const answer = await fetch(`${open.url}${path}`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://shop.example.com',
        'access-control-request-method': method,
        'access-control-request-headers': 'authorization,last-event-id',
      },
    });
    assert.ok(answer.ok, `${path} ${answer.status}`);
    assert.equal(answer.headers.get('access-control-allow-headers'), 'authorization,last-event-id');
  }
});

// --- credentials -------------------------------------------------------------

const password = 'the password of ann 0123456789';
const over = {
  websocket: { brokerURL: closed.websocket },
  'SockJS over HTTP': {
    webSocketFactory: () => new SockJS(`${closed.url}/ws`, null, { transports: ['xhr-streaming'] }),
  },
};

for (const [what, connectHeaders] of [
  ['nothing', {}],
  ['a wrong token', { Authorization: 'Bearer of-nobody' }],
  ['a wrong password', { login: 'ann', passcode: 'a guess' }],
  ["somebody else's password", { login: 'ben', passcode: password }],
  ['two different credentials', { login: 'ann', passcode: password, Authorization: `Bearer ${token('ben')}` }],
]) {
  for (const [transport, options] of Object.entries(over)) {
    scenario(`${transport}: CONNECT with ${what}: an ERROR that gives nothing away`, async (s) => {
      let error, close;
      const client = activate(s, {
        ...options,
        connectHeaders,
        onStompError: (frame) => (error = frame),
        onWebSocketClose: (event) => (close = event),
      });
      await s.until('the end', () => close);
      assert.ok(!client.connected);
      assert.ok(error, `${close.code} ${close.reason}`);
      const said = `${error.headers.message} ${error.body}`;
      for (const secret of ['of-nobody', 'a guess', password, token('ben')]) assert.ok(!said.includes(secret), said);
    });
  }
}

for (const [what, connectHeaders] of [
  ['a token', { Authorization: `Bearer ${token('ann')}` }],
  ['a password', { login: 'ann', passcode: password }],
]) {
  for (const [transport, options] of Object.entries(over)) {
    scenario(`${transport}: CONNECT with ${what}`, async (s) => {
      const client = await connect(s, { ...options, connectHeaders });
      const subscription = await subscribe(client, s.topic);
      await receipt(client, (headers) => client.publish({ destination: s.topic, body: '1', headers }));
      await s.length(subscription.messages, 1);
    });
  }
}

scenario('a token in Authorization, for plain HTTP', async (s) => {
  const url = `${closed.url}/publish?destination=${encodeURIComponent(s.topic)}`;
  for (const [headers, status] of [
    [{}, 401], [{ authorization: 'Bearer wrong' }, 401], [bearer('ann'), 200], [bearer('ben'), 403],
  ]) {
    const answer = await fetch(url, { method: 'POST', body: 'x', headers });
    await answer.text();
    assert.equal(answer.status, status, JSON.stringify(headers));
    assert.equal(answer.headers.has('www-authenticate'), status === 401);
  }
});

scenario('EventSource with a token in the query, a wrong one, and a topic of others', async (s) => {
  const states = [];
  for (const [user, topic] of [['ann', s.topic], ['joe', s.topic], ['ben', s.topic], ['ben', `/topic/public/a`]]) {
    const query = new URLSearchParams({ topic, access_token: token(user) });
    const source = new EventSource(`${closed.url}/events?${query}`);
    s.defer(() => source.close());
    const state = await new Promise((resolve) => {
      source.onopen = () => resolve('open');
      source.onerror = (error) => resolve(error.code);
    });
    states.push(state);
    if (state !== 'open') assert.equal(source.readyState, EventSource.CLOSED);
  }
  assert.deepEqual(states, ['open', 401, 403, 'open']);
});

scenario('SUBSCRIBE and SEND without permission: an ERROR that names the destination', async (s) => {
  for (const act of [
    (client) => client.subscribe(s.topic, () => {}),
    (client) => client.subscribe('/topic/**', () => {}),
    (client) => client.publish({ destination: '/topic/public/a', body: 'x' }),
    (client) => client.publish({ destination: '/user/ann/queue/a', body: 'x' }),
  ]) {
    let error;
    const client = activate(s, {
      brokerURL: closed.websocket,
      connectHeaders: { Authorization: `Bearer ${token('ben')}` },
      onStompError: (frame) => (error = frame),
    });
    await s.until('CONNECTED', () => client.connected);
    act(client);
    await s.until('an ERROR', () => error);
    assert.match(error.headers.message, /\/(topic|user)\//);
  }
});

// --- SockJS ------------------------------------------------------------------

scenario('two receivers of a session: the second is told 2010, the first goes on', async (s) => {
  const url = `${open.url}/ws/000/two-receivers`;
  const post = async (what, body) => {
    const answer = await fetch(`${url}/${what}`, { method: 'POST', body });
    return [answer.status, await answer.text()];
  };
  assert.deepEqual(await post('xhr'), [200, 'o\n']);
  const first = post('xhr');
  // It is attached when the second one is refused.
  await s.until('the refusal', async () => {
    const [status, text] = await Promise.race([post('xhr'), first]);
    assert.equal(status, 200);
    return /^c\[2010,"Another connection still open"\]\n$/.test(text);
  });
  const connect = 'CONNECT\naccept-version:1.2\nhost:a\n\n\0';
  assert.deepEqual((await post('xhr_send', JSON.stringify([connect])))[0], 204);
  const [, text] = await first;
  assert.match(text, /^a\["CONNECTED\\n/);
});

scenario('a session that nobody has opened: 404, and a body that is no JSON: 500', async () => {
  const send = async (session, body) => {
    const answer = await fetch(`${open.url}/ws/000/${session}/xhr_send`, { method: 'POST', body });
    return [answer.status, (await answer.text()).trim()];
  };
  assert.equal((await send('nobody', '["x"]'))[0], 404);
  await (await fetch(`${open.url}/ws/000/somebody/xhr`, { method: 'POST' })).text();
  assert.deepEqual(await send('somebody', ''), [500, 'Payload expected.']);
  assert.deepEqual(await send('somebody', '["x'), [500, 'Broken JSON encoding.']);
});

scenario('a text that is no STOMP: an ERROR and the end, over SockJS', async (s) => {
  const socket = new SockJS(`${open.url}/ws`, null, { transports: ['xhr-polling'] });
  let close;
  const messages = [];
  socket.onopen = () => socket.send('HELLO\n\n\0');
  socket.onmessage = ({ data }) => messages.push(data);
  socket.onclose = (event) => (close = event);
  await s.until('the end', () => close);
  assert.match(messages.join(''), /^ERROR\n/);
});

await runScenarios();
