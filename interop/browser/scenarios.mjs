// The scenarios of clients with the API of browsers, undici's and Chromium's, against a server that
// behaves as ../README.md describes. No module and no other global of Node's is used here.

const TIMEOUT = 10_000;
const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
const FRAGMENTS = ["one ", "zwölf ", "три"];
const UNICODE = "z\u{0}ß水🍌 e\u{301} \u{10ffff}";

// What the API can't express, by the beginning of the names of scenarios, and why.
const SKIPPED = {
  "fragmented text sent": "the API of browsers sends whole messages",
  "fragmented binary sent, a ping between": "the API of browsers sends whole messages",
  "ping answered": "the API of browsers has no pings",
  "ping of 125 bytes answered": "the API of browsers has no pings",
  "connection dropped": "the API of browsers can't drop a connection",
  "cookies and own headers": "the API of browsers shows no response",
  refused: "the API of browsers shows no response",
  "deflate not offered": "undici and Chromium always offer compression",
  "deflate: fragmented, a ping between": "the API of browsers sends whole messages",
};

let url;

// Runs all scenarios. Returns what is to be printed, a line for each.
export async function runScenarios(base) {
  url = base;
  const lines = [];
  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      await within(scenario);
      lines.push(`ok ${name}`);
    } catch (error) {
      lines.push(`not ok ${name}: ${error.message}`);
    }
    peers.splice(0).forEach((peer) => peer.socket.close());
  }
  for (const [name, why] of Object.entries(SKIPPED)) lines.push(`skip ${name}: ${why}`);
  return lines;
}

// --- scenarios ---------------------------------------------------------------------------------

const scenarios = {};
for (const size of SIZES) {
  scenarios[`text of ${size} bytes`] = () => echo(open(), letters(size));
  scenarios[`binary of ${size} bytes`] = () => echo(open(), pattern(size));
}

Object.assign(scenarios, {
  "unicode text": () => echo(open(), UNICODE),
  "unicode text larger than a fragment": () => echo(open(), UNICODE.repeat(10_000)),

  "Blob sent and received": async () => {
    const peer = await open().opened;
    peer.socket.binaryType = "blob";
    const data = pattern(100_000);
    peer.socket.send(new Blob([data.subarray(0, 10), data.subarray(10)]));
    const blob = await peer.receive();
    same("Blob", true, blob instanceof Blob);
    same("echo", data, new Uint8Array(await blob.arrayBuffer()));
  },

  "fragmented text received": () => fragments(open()),

  // What the server says shows that the ping was answered.
  "ping received": async () => {
    const peer = await open().opened;
    peer.socket.send("ping me");
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
    peer.socket.send(pattern(300_000));
    peer.socket.send("the last");
    peer.socket.close(4001, "bis später");
    // The API delivers no messages after that.
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

  "subprotocol chosen": () => subprotocol(["chat.v1", "chat.v2"], "chat.v2"),
  "only subprotocol chosen": () => subprotocol(["other", "chat.v1"], "chat.v1"),
  "no subprotocol offered": () => subprotocol([], ""),

  // The API of browsers treats this as a failure, which RFC 6455 does not require.
  "no subprotocol chosen": async () => {
    const outcome = await open("/", ["other"]).opened.then(() => "a connection", () => "a failure");
    same("outcome", "a failure", outcome);
    // undici 6 tells of no end after that.
    peers.pop();
  },

  "deflate declined": async () => {
    const peer = await open().opened;
    same("extensions", "", peer.socket.extensions);
    await compressionAtServer(peer, "none");
    await echo(peer, phrases(1000));
  },
});

// --- scenarios of compression ------------------------------------------------------------------

// These clients always offer `client_max_window_bits` alone. What the server wants, and what is agreed on.
const agreements = [
  ["", "server 15 kept, client 15 kept"],
  ["server_no_context_takeover", "server 15 reset, client 15 kept"],
  ["client_no_context_takeover", "server 15 kept, client 15 reset"],
  ["server_no_context_takeover&client_no_context_takeover", "server 15 reset, client 15 reset"],
  ["server_max_window_bits=9", "server 9 kept, client 15 kept"],
  ["client_max_window_bits=10", "server 15 kept, client 10 kept"],
];
for (const [answer, agreed] of agreements) {
  scenarios[`deflate offer [client_max_window_bits] answer [${answer}]`] = async () => {
    const peer = await open(`/deflate?${answer}`).opened;
    same("extension", "permessage-deflate", peer.socket.extensions.split(";")[0]);
    await compressionAtServer(peer, agreed);
    for (const message of [...windows(), noise(3000), phrases(1000)]) {
      await echo(peer, message);
    }
  };
}

for (const [name, parameters] of [
  ["deflate", ""],
  ["deflate of each message", "server_no_context_takeover&client_no_context_takeover"],
]) {
  const path = `/deflate?${parameters}`;
  for (const size of SIZES) {
    scenarios[`${name}: ${size} bytes`] = async () => {
      const peer = await open(path).opened;
      for (let time = 0; time < 2; time++) {
        await echo(peer, phrases(size));
        await echo(peer, noise(size));
      }
    };
  }

  scenarios[`${name}: fragmented received`] = async () => {
    const peer = open(path);
    for (let time = 0; time < 3; time++) {
      await fragments(peer);
    }
  };

  // The server compresses what gets smaller by it.
  scenarios[`${name}: plain between`] = async () => {
    const peer = await open(path).opened;
    for (let time = 0; time < 3; time++) {
      for (const message of [phrases(1000), noise(1000), UNICODE]) {
        await echo(peer, message);
      }
    }
  };

  scenarios[`${name}: 100 messages pipelined`] = async () => {
    const peer = await open(path).opened;
    const messages = Array.from({ length: 100 }, (_, index) => phrases(index * 37));
    messages.forEach((message) => peer.socket.send(message));
    for (const message of messages) {
      same("echo", message, await peer.receive());
    }
  };
}

// --- parts of scenarios ------------------------------------------------------------------------

async function fragments(peer) {
  await peer.opened;
  peer.socket.send("fragment me");
  same("message", FRAGMENTS.join(""), await peer.receive());
}

async function closeSent(expected, code, reason) {
  const target = `/?close-sent-${code}`;
  const peer = await open(target).opened;
  if (code === undefined) peer.socket.close();
  else peer.socket.close(code, reason);
  const end = await peer.closed;
  same("end", { code: code ?? 1005, wasClean: true }, { code: end.code, wasClean: end.wasClean });
  same("what the server learnt", expected, await endAtServer(target));
}

async function subprotocol(subprotocols, chosen) {
  const peer = await open("/", subprotocols).opened;
  same("subprotocol", chosen, peer.socket.protocol);
  await echo(peer, "and it works");
}

async function compressionAtServer(peer, expected) {
  peer.socket.send("what compression");
  same("what the server agreed on", expected, await peer.receive());
}

// --- building blocks ---------------------------------------------------------------------------

// A connection that allows waiting for messages.
class Peer {
  #messages = [];
  #waiting = [];

  constructor(socket) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      this.#messages.push(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
      this.#waiting.shift()?.();
    });
    this.opened = new Promise((resolve, reject) => {
      socket.addEventListener("open", () => resolve(this));
      socket.addEventListener("error", ({ message }) => reject(new Error(message ?? "an error")));
    });
    // Only some scenarios wait for this promise.
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  }

  // Returns the next message. Fails if the connection ends first.
  async receive() {
    while (this.#messages.length === 0) {
      const message = new Promise((resolve) => this.#waiting.push(resolve));
      const end = await Promise.race([message, this.closed]);
      if (end && this.#messages.length === 0) {
        throw new Error(`expected a message, got the end: ${end.code} ${end.reason}`);
      }
    }
    return this.#messages.shift();
  }
}

const peers = [];

function open(path = "/", subprotocols = []) {
  const peer = new Peer(new WebSocket(url + path, subprotocols));
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
  return Array.from(pattern(size), (byte) => String.fromCharCode(97 + (byte % 26))).join("");
}

// Returns incompressible bytes.
function noise(size) {
  let state = size;
  return bytes(size, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 16;
  });
}

function bytes(size, byteAt) {
  return Uint8Array.from({ length: size }, (_, index) => byteAt(index) & 0xff);
}

function hex(data) {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
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
  return sizes.flatMap((size) => Array(2).fill(hex(noise(size / 2))));
}

function same(what, expected, got) {
  if (!isSame(got, expected)) {
    throw new Error(`${what}: expected ${brief(expected)}, got ${brief(got)}`);
  }
}

function isSame(one, other) {
  if (one instanceof Uint8Array && other instanceof Uint8Array) {
    return one.length === other.length && one.every((byte, index) => byte === other[index]);
  }
  // All else is short, and the order of keys is ours.
  return JSON.stringify(one) === JSON.stringify(other);
}

function brief(value) {
  const text = value instanceof Uint8Array ? `binary ${hex(value.subarray(0, 40))}` : JSON.stringify(value);
  return `${text.slice(0, 60)} of length ${value?.length}`;
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
