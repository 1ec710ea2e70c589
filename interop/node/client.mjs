// The client that uses Node's ws. Runs each scenario against a server that behaves as ../README.md
// describes, and prints a line for each.
//
//     NODE_PATH=.../node_modules node client.mjs URL
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";
import { countCompressed, deflateOptions, describe, describeParameters } from "./deflate.mjs";

// Finds ws through NODE_PATH, which `import` ignores.
const { WebSocket } = createRequire(import.meta.url)("ws");

const url = process.argv[2];
const TIMEOUT = 10_000;
const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
const FRAGMENTS = ["one ", "zwölf ", "три"];
const UNICODE = "z\u{0}ß水🍌 e\u{301} \u{10ffff}";

// --- scenarios ---------------------------------------------------------------------------------

const scenarios = {};
for (const size of SIZES) {
  scenarios[`text of ${size} bytes`] = () => echo(open(), letters(size));
  scenarios[`binary of ${size} bytes`] = () => echo(open(), pattern(size));
}

Object.assign(scenarios, {
  "unicode text": () => echo(open(), UNICODE),
  "unicode text larger than a fragment": () => echo(open(), UNICODE.repeat(10_000)),

  "fragmented text sent": async () => {
    const peer = await open().opened;
    FRAGMENTS.forEach((piece, index) => peer.socket.send(piece, { fin: index === FRAGMENTS.length - 1 }));
    same("echo", FRAGMENTS.join(""), await peer.receive());
  },

  "fragmented binary sent, a ping between": async () => {
    const peer = await open().opened;
    const data = pattern(100_000);
    peer.socket.send(data.subarray(0, 1), { fin: false });
    peer.socket.send("", { fin: false });
    peer.socket.ping("between");
    peer.socket.send(data.subarray(1), { fin: true });
    same("pong", { pong: "between" }, await peer.receive());
    same("echo", data, await peer.receive());
  },

  "fragmented text received": async () => {
    const peer = await open().opened;
    peer.socket.send("fragment me");
    same("message", FRAGMENTS.join(""), await peer.receive());
  },

  "ping answered": () => ping(""),
  "ping of 125 bytes answered": () => ping(letters(125)),

  "ping received": async () => {
    const peer = await open().opened;
    peer.socket.send("ping me");
    same("ping", { ping: "are you there?" }, await peer.receive());
    same("what the server says", "pong: are you there?", await peer.receive());
  },

  "100 messages pipelined": async () => {
    const peer = await open().opened;
    const messages = Array.from({ length: 100 }, (_, index) => pattern(index * 37));
    messages.forEach((message) => peer.socket.send(message));
    for (const message of messages) {
      same("echo", message, await peer.receive());
    }
  },

  "close sent": () => closeSent("4001 clean bis später", 4001, "bis später"),
  "close without a reason sent": () => closeSent("1000 clean", 1000),
  "close without a code sent": () => closeSent("1005 clean"),

  "close sent behind messages": async () => {
    const peer = await open().opened;
    const data = pattern(300_000);
    peer.socket.send(data);
    peer.socket.send("the last");
    peer.socket.close(4001, "bis später");
    same("echo", data, await peer.receive());
    same("echo", "the last", await peer.receive());
    same("clean", true, (await peer.closed).wasClean);
  },

  "close received": async () => {
    const peer = await open("/?close-received").opened;
    peer.socket.send("close me");
    const { code, reason, wasClean } = await peer.closed;
    same("end", { code: 4000, reason: "as you asked", wasClean: true }, { code, reason, wasClean });
    // Whether the answering endpoint repeats the reason along with the code is up to it.
    same("what the server learnt", "4000 clean", (await endAtServer("/?close-received")).slice(0, 10));
  },

  "connection dropped": async () => {
    const peer = open("/?dropped");
    await echo(peer, "before the end");
    peer.socket.terminate();
    same("what the server learnt", "1006 unclean", await endAtServer("/?dropped"));
  },

  "subprotocol chosen": () => subprotocol(["chat.v1", "chat.v2"], "chat.v2"),
  "only subprotocol chosen": () => subprotocol(["other", "chat.v1"], "chat.v1"),
  "no subprotocol offered": () => subprotocol([], ""),

  // ws treats this as a failure, which RFC 6455 does not require.
  "no subprotocol chosen": async () => {
    const failed = open("/", { subprotocols: ["other"] }).opened;
    const outcome = await failed.then(() => "a connection", (error) => error.message);
    same("outcome", "Server sent no subprotocol", outcome);
  },

  "cookies and own headers": async () => {
    const headers = { Cookie: "session=42", "X-Interop": "from the client" };
    const peer = await open("/", { headers }).opened;
    same("Set-Cookie", ["interop=1; Path=/; HttpOnly"], peer.response.headers["set-cookie"]);
    same("X-Interop", "sansocket", peer.response.headers["x-interop"]);
    peer.socket.send("what headers");
    same("what the server saw", "session=42\nfrom the client", await peer.receive());
  },

  refused: async () => {
    const socket = new WebSocket(`${url}/forbidden`, { perMessageDeflate: false });
    const response = await new Promise((resolve, reject) => {
      socket.on("unexpected-response", (_, response) => resolve(response));
      socket.on("open", () => reject(new Error("expected a refusal, got a connection")));
      socket.on("error", reject);
    });
    same("status", 403, response.statusCode);
    same("X-Interop", "forbidden", response.headers["x-interop"]);
    same("body", "not for you\n", Buffer.concat(await response.toArray()).toString());
  },

  "deflate declined": () => withoutCompression(open("/", { compression: { threshold: 0 } })),
  "deflate not offered": () => withoutCompression(open("/deflate")),
});

// --- scenarios of compression ------------------------------------------------------------------

const ALONE = "server_no_context_takeover&client_no_context_takeover";
const BARE = "client_max_window_bits";

// What the client wants, what the server wants, and the expected response.
const agreements = [
  ["", "", ""],
  [BARE, "", ""],
  ["server_no_context_takeover", "", "server_no_context_takeover"],
  ["client_no_context_takeover", "", "client_no_context_takeover"],
  [ALONE, "", ALONE],
  // The response confirms the largest window of the server, but need not confirm the client's.
  ["server_max_window_bits=15", "", "server_max_window_bits=15"],
  ["client_max_window_bits=15", "", ""],
  [BARE, "server_no_context_takeover", "server_no_context_takeover"],
  [BARE, "client_no_context_takeover", "client_no_context_takeover"],
  [BARE, ALONE, ALONE],
  [BARE, "server_max_window_bits=9", "server_max_window_bits=9"],
  [BARE, "client_max_window_bits=10", "client_max_window_bits=10"],
  // The client did not offer client_max_window_bits.
  ["", "client_max_window_bits=10", ""],
  ["server_max_window_bits=12", "server_max_window_bits=10", "server_max_window_bits=10"],
  ["client_max_window_bits=12", "client_max_window_bits=10", "client_max_window_bits=10"],
  ["server_max_window_bits=10", "server_max_window_bits=12", "server_max_window_bits=10"],
];
for (let bits = 8; bits < 15; bits++) {
  for (const name of ["server_max_window_bits", "client_max_window_bits"]) {
    agreements.push([`${name}=${bits}`, "", `${name}=${bits}`]);
  }
}
const all = `${ALONE}&server_max_window_bits=9&client_max_window_bits=10`;
agreements.push([all, "", all]);

for (const [offer, answer, agreed] of agreements) {
  scenarios[`deflate offer [${offer}] answer [${answer}]`] = () => negotiated(offer, answer, agreed);
}

for (const [name, parameters] of [["deflate", BARE], ["deflate of each message", ALONE]]) {
  for (const size of SIZES) {
    scenarios[`${name}: ${size} bytes`] = async () => {
      const peer = await compressing(parameters).opened;
      for (let time = 0; time < 2; time++) {
        await echo(peer, phrases(size));
        await echo(peer, noise(size));
      }
    };
  }

  scenarios[`${name}: fragmented, a ping between`] = async () => {
    const peer = await compressing(parameters).opened;
    const text = phrases(100_000);
    for (let time = 0; time < 2; time++) {
      peer.socket.send(text.slice(0, 1), { fin: false });
      peer.socket.send("", { fin: false });
      peer.socket.ping("between");
      peer.socket.send(text.slice(1, 50_000), { fin: false });
      peer.socket.send(text.slice(50_000), { fin: false });
      peer.socket.send("", { fin: true });
      same("pong", { pong: "between" }, await peer.receive());
      same("echo", text, await peer.receive());
    }
    same("messages that came compressed", 2, peer.compressed());
  };

  scenarios[`${name}: fragmented received`] = async () => {
    const peer = await compressing(parameters).opened;
    for (let time = 0; time < 3; time++) {
      peer.socket.send("fragment me");
      same("message", FRAGMENTS.join(""), await peer.receive());
    }
    same("messages that came compressed", 3, peer.compressed());
  };

  scenarios[`${name}: plain between`] = async () => {
    const peer = await compressing(parameters).opened;
    for (const compress of [true, false, true, true, false, false, true]) {
      for (const message of [phrases(1000), noise(1000), UNICODE]) {
        peer.socket.send(message, { compress });
        same("echo", message, await peer.receive());
      }
    }
    // Neither noise nor short messages.
    same("messages that came compressed", 7, peer.compressed());
  };

  scenarios[`${name}: 100 messages pipelined`] = async () => {
    const peer = await compressing(parameters).opened;
    const messages = Array.from({ length: 100 }, (_, index) => phrases(index * 37));
    messages.forEach((message) => peer.socket.send(message));
    for (const message of messages) {
      same("echo", message, await peer.receive());
    }
  };
}

async function negotiated(offer, answer, agreed) {
  const peer = await compressing(offer, answer).opened;
  const sorted = (text) => text.split(/[;&] */).filter(Boolean).sort();
  const header = peer.response.headers["sec-websocket-extensions"] ?? "";
  same("response", sorted(`permessage-deflate&${agreed}`), sorted(header));
  // ws keeps to the window that it offered for itself, whether the response confirms it or not.
  const parameters = Object.fromEntries(new URLSearchParams(agreed));
  for (const name of Object.keys(parameters)) parameters[name] ||= true;
  const expected = describeParameters(parameters);
  same("what the client agreed on", expected, describe(peer.socket));
  peer.socket.send("what compression");
  same("what the server agreed on", expected, await peer.receive());

  const messages = windows();
  for (const message of messages) {
    await echo(peer, message);
  }
  await echo(peer, noise(3000));
  await echo(peer, phrases(1000));
  same("messages that came compressed", messages.length + 1, peer.compressed());
}

async function withoutCompression(peer) {
  await peer.opened;
  same("extensions", "", peer.socket.extensions);
  peer.socket.send("what compression");
  same("what the server agreed on", "none", await peer.receive());
  await echo(peer, phrases(1000));
  await echo(peer, noise(1000));
}

function compressing(offer, answer = "") {
  const compression = deflateOptions(offer, { clientMaxWindowBits: false });
  return open(`/deflate?${answer}`, { compression });
}

// --- parts of scenarios ------------------------------------------------------------------------

async function ping(payload) {
  const peer = await open().opened;
  peer.socket.ping(payload);
  same("pong", { pong: payload }, await peer.receive());
}

async function closeSent(expected, code, reason) {
  const target = `/?close-sent-${code}`;
  const peer = await open(target).opened;
  peer.socket.close(code, reason);
  const end = await peer.closed;
  same("end", { code: code ?? 1005, wasClean: true }, { code: end.code, wasClean: end.wasClean });
  same("what the server learnt", expected, await endAtServer(target));
}

async function subprotocol(subprotocols, chosen) {
  const peer = await open("/", { subprotocols }).opened;
  same("subprotocol", chosen, peer.socket.protocol);
  await echo(peer, "and it works");
}

// --- building blocks ---------------------------------------------------------------------------

// A connection that allows waiting for messages, pings and pongs.
class Peer {
  #events = [];
  #waiting = [];

  constructor(socket) {
    this.socket = socket;
    socket.on("upgrade", (response) => (this.response = response));
    socket.on("message", (data, isBinary) => this.#put(isBinary ? data : data.toString()));
    socket.on("ping", (payload) => this.#put({ ping: payload.toString() }));
    socket.on("pong", (payload) => this.#put({ pong: payload.toString() }));
    this.opened = new Promise((resolve, reject) => {
      socket.on("open", () => {
        this.compressed = countCompressed(socket);
        resolve(this);
      });
      socket.on("error", reject);
    });
    // Only some scenarios wait for this promise.
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  }

  #put(event) {
    this.#events.push(event);
    this.#waiting.shift()?.();
  }

  // Returns the next event. Fails if the connection ends first.
  async receive() {
    while (this.#events.length === 0) {
      const event = new Promise((resolve) => this.#waiting.push(resolve));
      const end = await Promise.race([event, this.closed]);
      if (end && this.#events.length === 0) {
        throw new Error(`expected an event, got the end: ${end.code} ${end.reason}`);
      }
    }
    return this.#events.shift();
  }
}

const peers = [];

function open(path = "/", { subprotocols = [], headers = {}, compression = false } = {}) {
  const options = { perMessageDeflate: compression, headers };
  const peer = new Peer(new WebSocket(url + path, subprotocols, options));
  peers.push(peer);
  return peer;
}

async function echo(peer, message) {
  await peer.opened;
  peer.socket.send(message);
  same("echo", message, await peer.receive());
}

// Asks, on another connection, how a connection ended for the server.
async function endAtServer(target) {
  const peer = await open().opened;
  peer.socket.send(`closed ${target}`);
  return peer.receive();
}

// Returns bytes that don't repeat at any distance by which a bug could shift them.
function pattern(size) {
  return bytes(size, (index) => index * 7 + Math.floor(index / 256) * 13);
}

function letters(size) {
  return pattern(size).map((byte) => 97 + (byte % 26)).toString("latin1");
}

// Returns incompressible bytes.
function noise(size) {
  let state = size;
  return bytes(size, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 16;
  });
}

// Buffer.from does not take a function, and silently creates zeros.
function bytes(size, byteAt) {
  const data = Buffer.alloc(size);
  for (let index = 0; index < size; index++) data[index] = byteAt(index) & 0xff;
  return data;
}

// Returns text that compresses well.
function phrases(size) {
  const phrase = "the quick brown fox jumps over the lazy dog, ";
  return phrase.repeat(Math.ceil(size / phrase.length)).slice(0, size);
}

// Returns messages in which everything occurs twice. The second occurrence compresses best by
// referring to the first, which a window smaller than the message rules out.
function windows() {
  const sizes = [120, 200, 240, 300, 500, 600, 1100, 2100, 4200, 8300, 17_000];
  return sizes.flatMap((size) => Array(2).fill(noise(size / 2).toString("hex")));
}

function same(what, expected, got) {
  if (!isDeepStrictEqual(got, expected)) {
    throw new Error(`${what}: expected ${brief(expected)}, got ${brief(got)}`);
  }
}

function brief(value) {
  const large = typeof value === "string" || Buffer.isBuffer(value);
  if (large && value.length > 60) {
    const type = typeof value === "string" ? "text" : "binary";
    return `${type} of length ${value.length}, ${JSON.stringify(value.slice(0, 40).toString())}`;
  }
  return Buffer.isBuffer(value) ? `binary ${value.toString("hex")}` : JSON.stringify(value);
}

async function closeAll() {
  for (const peer of peers.splice(0)) {
    peer.socket.close();
    await peer.closed;
  }
}

async function within(scenario) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${TIMEOUT / 1000} s`)), TIMEOUT);
  });
  await Promise.race([scenario().then(closeAll), late]).finally(() => clearTimeout(timer));
}

let allPassed = true;
for (const [name, scenario] of Object.entries(scenarios)) {
  try {
    await within(scenario);
    console.log(`ok ${name}`);
  } catch (error) {
    allPassed = false;
    console.log(`not ok ${name}: ${error.message}`);
  }
  peers.splice(0).forEach((peer) => peer.socket.terminate());
}
process.exit(allPassed ? 0 : 1);
