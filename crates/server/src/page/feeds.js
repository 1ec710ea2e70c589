
// A topic on four transports. Each feed connects again by itself, and goes on after its cursor.

/** Returns the address of an endpoint beside this page, wherever a proxy has put both. */
function address(endpoint, parameters = {}) {
  const url = new URL(endpoint, new URL(".", location.href));
  for (const [name, value] of Object.entries(parameters)) url.searchParams.append(name, value);
  return url.href;
}

/** Opens a WebSocket to the server of this page. */
function openWebSocket() {
  return new WebSocket(address("ws").replace(/^http/, "ws"), ["v12.stomp"]);
}

/** Returns the time in milliseconds since 1970, with the fractions that a browser has. */
const now = () => performance.timeOrigin + performance.now();

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** How long a connection has to last, in milliseconds, for its end to count as a first failure. */
const lasting = 5000;

/** When to connect again. */
class Backoff {
  #failures = 0;
  #openedAt = null;

  opened() {
    this.#openedAt = performance.now();
  }

  /**
   * Returns how long to wait after a failure, in milliseconds. It is in part random, so that clients don't
   * come back all at once.
   */
  next() {
    // A server that accepts and then refuses would otherwise be asked at the shortest pauses for ever.
    const hasLasted = this.#openedAt !== null && performance.now() - this.#openedAt >= lasting;
    if (hasLasted) this.#failures = 0;
    this.#openedAt = null;
    const wait = Math.min(30000, 500 * 2 ** this.#failures);
    this.#failures += 1;
    return wait * (0.5 + Math.random() / 2);
  }
}

/**
 * What all transports share: the cursor, and when to connect again.
 *
 * `events` has the functions `message(text, cursor)`, `gap()` and `changed()`.
 */
class Feed {
  /** "connecting", "open", "waiting" to connect again, "cut", or "paused". */
  state = "paused";
  /** Why it is not open. */
  reason = "";
  /** Where it goes on: after the last message that it got. */
  cursor = null;
  /** How often it has connected again. */
  reconnects = 0;
  /** When it was opened last. */
  openedAt = 0;
  #events;
  #backoff = new Backoff();
  #timer = null;

  constructor(topic, events) {
    this.topic = topic;
    this.#events = events;
  }

  start() {
    clearTimeout(this.#timer);
    this.#become("connecting");
    this.connect();
  }

  /** Ends the connection until `start`. */
  pause() {
    clearTimeout(this.#timer);
    this.#become("paused");
    this.disconnect();
  }

  /** Drops the connection without a word, and connects again after this time. */
  cut(milliseconds) {
    if (this.state === "paused") return;
    this.#become("cut");
    this.disconnect();
    this.#startAgain(milliseconds);
  }

  opened() {
    this.#backoff.opened();
    this.openedAt = now();
    this.#become("open");
  }

  /** The connection has ended, and nobody here wanted that. */
  lost(reason) {
    if (this.state !== "connecting" && this.state !== "open") return;
    this.#become("waiting", reason);
    this.disconnect();
    this.#startAgain(this.#backoff.next());
  }

  /** The transport connects again by itself. */
  reconnecting() {
    this.reconnects += 1;
    this.#become("connecting", "the connection is lost");
  }

  received(text, cursor) {
    this.cursor = cursor ?? this.cursor;
    this.#events.message(text, cursor);
  }

  /** Messages are lost for good: what the topic keeps begins after them. */
  missed(cursor) {
    this.cursor = cursor;
    this.#events.gap();
  }

  /** The server could not be reached until now. What needs no more than that to go on does nothing. */
  reachable() {}

  /** Where a connection begins. */
  get beginning() {
    return this.cursor ?? "beginning";
  }

  #startAgain(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.reconnects += 1;
      this.start();
    }, milliseconds);
  }

  #become(state, reason = "") {
    this.state = state;
    this.reason = reason;
    this.#events.changed();
  }
}

/** STOMP, over what `open` returns. */
class StompFeed extends Feed {
  #connection = null;

  constructor(topic, events, open) {
    super(topic, events);
    this.open = open;
  }

  connect() {
    const connection = new StompConnection(this.open(), {}, {
      connected: () => this.#subscribe(connection),
      closed: (reason) => this.#connection === connection && this.lost(reason),
    });
    this.#connection = connection;
  }

  async #subscribe(connection) {
    const start = this.cursor ? { since: this.cursor } : { start: "beginning", gaps: "true" };
    const listen = (headers, body) => {
      if ("gap-to" in headers) this.missed(headers["gap-to"]);
      else this.received(body, headers["message-id"]);
    };
    try {
      this.opened();
      const receipt = await connection.subscribe(this.topic, start, listen);
      // If no message has come by the next time, it begins at this place again.
      this.cursor ??= receipt.cursor;
    } catch {
      // Its connection has ended, which `closed` tells.
    }
  }

  disconnect() {
    const connection = this.#connection;
    this.#connection = null;
    connection?.abandon("it is not wanted any more");
  }
}

/** Server-Sent Events, with the browser's own client. */
class EventSourceFeed extends Feed {
  #source = null;

  /** Scripts don't see the comments of a silent stream, so nothing else tells that the network has dropped it. */
  reachable(since) {
    if (this.state === "open" && this.openedAt < since) this.lost("the server was away");
  }

  connect() {
    const parameters = { topic: this.topic, since: this.beginning, form: "json" };
    const source = new EventSource(address("events", parameters));
    source.onopen = () => this.opened();
    source.onmessage = ({ data }) => {
      const { data: text, cursor } = JSON.parse(data);
      this.received(text ?? "", cursor);
    };
    source.addEventListener("gap", ({ data }) => this.missed(JSON.parse(data).to));
    source.onerror = () => {
      // It connects again by itself, with the ID of the last event, unless the server has refused it.
      if (source.readyState === EventSource.CLOSED) this.lost("the server has refused it");
      else this.reconnecting();
    };
    this.#source = source;
  }

  disconnect() {
    this.#source?.close();
    this.#source = null;
  }
}

/** Long polling: a request waits for the next message, and another one follows. */
class PollFeed extends Feed {
  #end = null;

  async connect() {
    const end = (this.#end = new AbortController());
    const { signal } = end;
    let patience = null;
    // The first answer comes at once, and tells that the server is there.
    let wait = 0;
    try {
      for (;;) {
        const asked = performance.now();
        const url = address("poll", { topic: this.topic, since: this.beginning, wait });
        // A network that drops everything would leave it waiting for ever.
        const tooLate = () => end.abort(new Error("the server does not answer"));
        patience = setTimeout(tooLate, (wait + 15) * 1000);
        const response = await fetch(url, { cache: "no-store", signal });
        if (!response.ok) throw new Error(`status ${response.status}`);
        const { events, cursor } = await response.json();
        clearTimeout(patience);
        if (this.#end !== end) return;
        if (wait === 0) this.opened();
        for (const event of events) {
          if (event.gap) this.missed(event.gap.to);
          else this.received(event.data ?? "", event.cursor);
        }
        this.cursor = cursor;
        wait = 25;
        // While there is much to tell, a request fetches many messages instead of one.
        await pause(Math.max(0, 50 - (performance.now() - asked)));
      }
    } catch (error) {
      // If it was disconnected, nobody waits for it.
      if (this.#end === end) this.lost(error.message);
    } finally {
      clearTimeout(patience);
    }
  }

  disconnect() {
    this.#end?.abort();
    this.#end = null;
  }
}

/** The transports, in the order of the page. */
const transports = [
  {
    id: "websocket",
    name: "STOMP over WebSocket",
    endpoint: "/ws",
    feed: (topic, events) => new StompFeed(topic, events, openWebSocket),
  },
  {
    id: "events",
    name: "Server-Sent Events",
    endpoint: "/events",
    feed: (topic, events) => new EventSourceFeed(topic, events),
  },
  {
    id: "poll",
    name: "Long polling",
    endpoint: "/poll",
    feed: (topic, events) => new PollFeed(topic, events),
  },
  {
    id: "sockjs",
    name: "STOMP over SockJS",
    endpoint: "/ws/…/xhr_streaming",
    feed: (topic, events) => new StompFeed(topic, events, () => new SockJsSocket(address("ws"))),
  },
];
