
// The panes: what a feed does, and what came by it.

/** How many messages a pane shows, and how many latencies its median is of. */
const shown = 4;
const measured = 100;

/** How long a connection that was cut stays away, in milliseconds. */
const away = 3000;

const states = {
  connecting: "Connecting",
  open: "Connected",
  waiting: "Waiting to reconnect",
  cut: "Cut, back in 3 seconds",
  paused: "Paused",
};

class Pane {
  feed = null;
  ledger = new Ledger();
  #transport;
  #parts;
  #events;
  #messages = [];
  #latencies = [];
  #latency = null;
  #caughtUp = 0;
  #status = "";
  #isDirty = true;

  /** `events` has `message(message, cursor)`, and `isOwn(name)`: whether this page publishes by this name. */
  constructor(transport, template, events) {
    this.#transport = transport;
    this.#events = events;
    const root = template.content.cloneNode(true);
    const part = (name) => root.querySelector(`[data-part=${name}]`);
    const names = [...root.querySelectorAll("[data-part]")].map((it) => it.dataset.part);
    this.#parts = Object.fromEntries(names.map((name) => [name, part(name)]));
    const { pane, name, endpoint, cut } = this.#parts;
    pane.id = `pane-${transport.id}`;
    name.id = `pane-${transport.id}-name`;
    pane.setAttribute("aria-labelledby", name.id);
    name.textContent = transport.name;
    endpoint.textContent = transport.endpoint;
    cut.setAttribute("aria-label", `Cut ${transport.name}`);
    cut.addEventListener("click", () => {
      this.cut();
      announce(`${transport.name} is cut, and comes back in 3 seconds.`);
    });
    this.element = pane;
  }

  /** Forgets what was before, and shows this topic from its beginning. */
  follow(topic) {
    const isPaused = this.feed?.state === "paused";
    this.feed?.pause();
    this.ledger = new Ledger();
    this.#messages = [];
    this.#latencies = [];
    this.#latency = null;
    this.#caughtUp = 0;
    this.#status = "";
    this.#isDirty = true;
    // What an earlier feed still tells is of another topic.
    const current = (act) => (...values) => feed === this.feed && act(...values);
    const feed = this.#transport.feed(topic, {
      message: current((text, cursor) => this.#receive(text, cursor)),
      gap: current(() => this.#miss()),
      changed: current(() => this.#changed()),
    });
    this.feed = feed;
    // Another tab has the connections until the user wants them here.
    if (!isPaused) feed.start();
  }

  cut() {
    this.feed.cut(away);
  }

  #changed() {
    if (this.feed.state === "connecting") this.#caughtUp = 0;
    this.#isDirty = true;
  }

  #miss() {
    this.ledger.noteGap();
    this.#isDirty = true;
  }

  #receive(text, cursor) {
    const message = parseMessage(text);
    const isOwn = this.#events.isOwn(message.from);
    this.ledger.note(message, isOwn);
    // The clocks of other publishers are not this one.
    if (isOwn && Number.isFinite(message.sent)) this.#measure(message.sent);
    this.#status = message.status ?? this.#status;
    this.#messages.push(describe(message, text));
    if (this.#messages.length > shown) this.#messages.shift();
    this.#isDirty = true;
    this.#events.message(message, cursor);
  }

  #measure(sent) {
    // It came late because there was no connection.
    if (sent < this.feed.openedAt) {
      this.#caughtUp += 1;
      return;
    }
    this.#latency = now() - sent;
    this.#latencies.push(this.#latency);
    if (this.#latencies.length > measured) this.#latencies.shift();
  }

  /** Draws what has changed. It is called a few times a second, however much comes. */
  render(published) {
    const verdict = this.ledger.verdict(published);
    const { check } = this.#parts;
    if (!this.#isDirty && check.dataset.published === String(published)) return;
    this.#isDirty = false;
    const { pane, state, status, cursor, latency, median, messages } = this.#parts;
    const { caught, gaps, reconnects, last } = this.#parts;
    const { feed } = this;
    pane.dataset.state = feed.state;
    setText(state, feed.reason ? `${states[feed.state]}: ${feed.reason}` : states[feed.state]);
    setText(status, this.#status || "No news");
    setText(cursor, feed.cursor ?? "–");
    setText(latency, inMilliseconds(this.#latency));
    setText(median, inMilliseconds(this.#median()));
    setText(messages, count(this.ledger.received));
    setText(caught, count(this.#caughtUp));
    setText(gaps, count(this.ledger.gaps));
    setText(reconnects, count(feed.reconnects));
    check.dataset.kind = verdict.kind;
    check.dataset.published = String(published);
    setText(check, verdict.text);
    const lines = this.#messages.toReversed().map((text) => element("li", {}, text));
    last.replaceChildren(...lines);
  }

  #median() {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  }
}

const inMilliseconds = (time) => (time === null ? "–" : `${time.toFixed(1)} ms`);

/** Returns the message that a text is. One of another publisher can be anything, such as a status alone. */
function parseMessage(text) {
  if (steps.includes(text)) return { status: text };
  try {
    const { status, position, from, number, sent } = JSON.parse(text) ?? {};
    return { status: typeof status === "string" ? shorten(status) : undefined, position, from, number, sent };
  } catch {
    return {};
  }
}

/** Returns as much of a text as a pane has room for, or so many characters of it. */
const shorten = (text, length = 200) => (text.length > length ? `${text.slice(0, length)}…` : text);

/** Returns how a message reads in a line. */
function describe({ number, status, position }, text) {
  if (!Number.isInteger(number) || !status) return shorten(text);
  return `${number}: ${Number.isInteger(position) ? `${status}, position ${position}` : status}`;
}

/** Sets a text unless it is there already, so that screen readers and selections are left alone. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
