
// STOMP 1.2 over a WebSocket, or over anything that has its events and methods.

const escapes = { "\\": "\\\\", "\r": "\\r", "\n": "\\n", ":": "\\c" };
const unescapes = { "\\\\": "\\", "\\r": "\r", "\\n": "\n", "\\c": ":" };
const escaped = (text) => String(text).replace(/[\\\r\n:]/g, (character) => escapes[character]);
const unescaped = (text) => text.replace(/\\[\\rnc]/g, (escape) => unescapes[escape]);

/** Returns a frame as text. A body must not have U+0000, which ends a frame. */
function encodeFrame(command, headers, body = "") {
  // The headers of CONNECT are the only ones that have no escapes.
  const encode = command === "CONNECT" ? String : escaped;
  const lines = Object.entries(headers).map(([name, value]) => `${encode(name)}:${encode(value)}\n`);
  return `${command}\n${lines.join("")}\n${body}\0`;
}

/** Returns what a text has as a frame, or `null` if it is a heart-beat. */
function decodeFrame(text) {
  const start = text.search(/[^\r\n]/);
  if (start < 0) return null;
  const end = text.indexOf("\n\n", start);
  const [command, ...lines] = text.slice(start, end).split("\n");
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = unescaped(line.slice(0, colon));
    // Of repeated headers, the first counts.
    headers[name] ??= unescaped(line.slice(colon + 1));
  }
  // The server sends each frame as a message of its own, so the last U+0000 is the end of the frame.
  return { command, headers, body: text.slice(end + 2, text.lastIndexOf("\0")) };
}

/**
 * One connection. It does not connect again: make another one.
 *
 * `events` has the functions `connected(headers)` and `closed(reason)`.
 */
class StompConnection {
  #socket;
  #events;
  #subscriptions = new Map();
  #receipts = new Map();
  #lastId = 0;
  #patience = null;
  #beats = null;
  #isConnected = false;
  /** How long either end may be silent, in milliseconds, if it has to send signs of life. */
  #silence = { here: Infinity, there: Infinity };
  #heard = performance.now();
  #sent = performance.now();

  constructor(socket, headers, events) {
    this.#socket = socket;
    this.#events = events;
    const connect = { "accept-version": "1.2", host: location.hostname, "heart-beat": "10000,10000" };
    // A network that drops everything would leave it waiting for ever.
    this.#patience = setTimeout(() => this.abandon("the server does not answer"), 15000);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(encodeFrame("CONNECT", { ...connect, ...headers }));
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ reason }) => this.abandon(reason || "the connection is lost");
  }

  /** Subscribes to a destination. Resolves to the receipt, whose `cursor` says where it begins. */
  subscribe(destination, headers, listener) {
    const id = String((this.#lastId += 1));
    this.#subscriptions.set(id, listener);
    return this.#request("SUBSCRIBE", { ...headers, id, destination });
  }

  /** Sends a message. Resolves to the receipt once the server has handled it. */
  send(destination, body, headers = {}) {
    return this.#request("SEND", { ...headers, destination }, body.replaceAll("\0", ""));
  }

  /** Ends the connection without a word, as a network that is gone would. */
  abandon(reason) {
    if (!this.#socket) return;
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#patience);
    clearInterval(this.#beats);
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    for (const { reject } of this.#receipts.values()) reject(new Error(reason));
    this.#receipts.clear();
    this.#events.closed(reason);
  }

  #request(command, headers, body) {
    return new Promise((resolve, reject) => {
      if (!this.#socket || !this.#isConnected) return reject(new Error("there is no connection"));
      const receipt = String((this.#lastId += 1));
      this.#receipts.set(receipt, { resolve, reject });
      this.#write(encodeFrame(command, { ...headers, receipt }, body));
    });
  }

  #write(text) {
    this.#sent = performance.now();
    this.#socket.send(text);
  }

  #receive(data) {
    this.#heard = performance.now();
    // In a tab that nobody sees, timers go off too seldom. What comes from the server still wakes it.
    this.#beat();
    const text = typeof data === "string" ? data : new TextDecoder().decode(data);
    const frame = decodeFrame(text);
    if (!frame) return;
    const { command, headers, body } = frame;
    if (command === "MESSAGE") {
      this.#subscriptions.get(headers.subscription)?.(headers, body);
    } else if (command === "RECEIPT") {
      this.#receipts.get(headers["receipt-id"])?.resolve(headers);
      this.#receipts.delete(headers["receipt-id"]);
    } else if (command === "CONNECTED") {
      clearTimeout(this.#patience);
      this.#isConnected = true;
      this.#agree(headers["heart-beat"]);
      this.#events.connected(headers);
    } else if (command === "ERROR") {
      this.abandon(headers.message);
    }
  }

  /** Notes what both ends have to send (STOMP 1.2, Heart-beating): each wants at least one in ten seconds. */
  #agree(offered = "0,0") {
    const [theirs, wanted] = offered.split(",").map(Number);
    if (wanted) this.#silence.here = Math.max(wanted, 10000) / 2;
    if (theirs) this.#silence.there = 3 * Math.max(theirs, 10000);
    this.#beats = setInterval(() => {
      if (performance.now() - this.#heard > this.#silence.there) this.abandon("the server is silent");
      else this.#beat();
    }, 5000);
  }

  /** Sends a sign of life if it is time. */
  #beat() {
    if (performance.now() - this.#sent >= this.#silence.here) this.#write("\n");
  }
}
