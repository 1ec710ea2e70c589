
// The order: whoever presses its buttons publishes, over a connection that no pane has.

const steps = ["placed", "paid", "packed", "shipped", "delivered"];

/** Publishes updates of orders, and connects again by itself. */
class Publisher {
  /** How many messages about the order the server has confirmed, and how many more wait for that. */
  confirmed = 0;
  waiting = 0;
  #order = null;
  #connection = null;
  #name = "";
  #number = 0;
  #names = new Set();
  #backoff = new Backoff();
  #events;

  /** `events` has `confirmed()`, for a note to the user, and `changed(isConnected)`. */
  constructor(events) {
    this.#events = events;
    this.#connect();
  }

  get isConnected() {
    return this.#connection !== null;
  }

  /** Begins with another order. */
  begin(order) {
    this.#order = order;
    this.confirmed = 0;
    this.waiting = 0;
    this.#names.clear();
    this.#rename();
  }

  /** Returns whether a message is one of this publisher's. */
  isOwn(name) {
    return this.#names.has(name);
  }

  /** Tells of a new status. Resolves once it has its place, which takes as long as the broker is away. */
  update(status) {
    return this.#send(`/app/orders/${this.#order}`, { status });
  }

  /** Tells where the order is. */
  tellPosition(status, position) {
    return this.#send(`/app/orders/${this.#order}/position`, { status, position });
  }

  async #send(destination, news) {
    if (!this.#connection) throw new Error("the connection is lost");
    this.#number += 1;
    const name = this.#name;
    const message = { order: this.#order, ...news, from: name, number: this.#number, sent: now() };
    const headers = { "content-type": "application/json" };
    this.waiting += 1;
    try {
      await this.#connection.send(destination, JSON.stringify(message), headers);
      // The receipt of a message about an earlier order is of no use any more.
      if (this.isOwn(name)) this.confirmed += 1;
    } finally {
      if (this.isOwn(name)) this.waiting -= 1;
    }
  }

  /** What was sent over a lost connection has perhaps arrived, so its numbers are not used again. */
  #rename() {
    this.#name = crypto.getRandomValues(new Uint32Array(1))[0].toString(36);
    this.#names.add(this.#name);
    this.#number = 0;
  }

  #connect() {
    const connection = new StompConnection(openWebSocket(), {}, {
      connected: () => {
        this.#backoff.opened();
        this.#rename();
        this.#connection = connection;
        const tell = (_, body) => this.#events.confirmed(body);
        // If that is refused, the connection has ended.
        connection.subscribe("/user/queue/order-updates", {}, tell).catch(() => {});
        this.#events.changed(true);
      },
      closed: (reason) => {
        this.#connection = null;
        this.#events.changed(false, reason);
        setTimeout(() => this.#connect(), this.#backoff.next());
      },
    });
  }
}

/** The form, the steps, and the panes of one order. */
class Orders {
  #order = "";
  #status = null;
  #newest = null;
  #publisher;
  #panes;
  #isSending = false;

  constructor(template, container) {
    this.#publisher = new Publisher({
      confirmed: () => setText($("confirmation"), "Told to you alone, by your own queue: the server has it."),
      changed: (isConnected, reason) => {
        const problem = `Not connected, so nothing can be published: ${reason}`;
        setText($("problem"), isConnected ? "" : problem);
        this.#draw();
      },
    });
    const events = {
      isOwn: (name) => this.#publisher.isOwn(name),
      message: (message, cursor) => this.#hear(message, cursor),
    };
    this.#panes = transports.map((transport) => new Pane(transport, template, events));
    container.append(...this.#panes.map((pane) => pane.element));
    $("order-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#place();
    });
    $("advance").addEventListener("click", () => this.#advance());
    $("send-many").addEventListener("click", () => this.#sendMany(1000));
    $("cut-all").addEventListener("click", () => this.#cutAll());
    window.addEventListener("hashchange", () => this.#followHash());
    this.#followHash();
  }

  get order() {
    return this.#order;
  }

  get panes() {
    return this.#panes;
  }

  /** Returns how many messages about this order the page has published, or is about to. */
  get published() {
    const { confirmed, waiting } = this.#publisher;
    return Math.max(confirmed + waiting, ...this.#panes.map(({ ledger }) => ledger.own));
  }

  /** Returns a cursor of any pane, or `null`. */
  get cursor() {
    return this.#panes.map(({ feed }) => feed.cursor).find((cursor) => cursor) ?? null;
  }

  render() {
    const { published } = this;
    for (const pane of this.#panes) pane.render(published);
  }

  #followHash() {
    const named = /^#order=([A-Za-z0-9-]{1,32})$/.exec(location.hash);
    const order = named?.[1] ?? newOrderNumber();
    if (order !== this.#order) this.#follow(order);
  }

  #follow(order) {
    this.#order = order;
    this.#status = this.#newest = null;
    setText($("progress-text"), "");
    this.#publisher.begin(order);
    for (const pane of this.#panes) pane.follow(`/topic/orders/${order}`);
    $("link").href = `#order=${order}`;
    for (const place of document.querySelectorAll("[data-order]")) setText(place, order);
    setText($("confirmation"), "");
    this.#draw();
    document.dispatchEvent(new CustomEvent("order", { detail: order }));
  }

  async #place() {
    if (this.#status) {
      const order = newOrderNumber();
      this.#follow(order);
      history.replaceState(null, "", `#order=${order}`);
    }
    await this.#publish("placed");
  }

  async #advance() {
    const next = steps[steps.indexOf(this.#status) + 1];
    if (next) await this.#publish(next);
  }

  async #publish(status) {
    try {
      await this.#publisher.update(status);
      announce(`Order ${this.#order} is ${status}.`);
    } catch (error) {
      setText($("problem"), `Perhaps not published: ${error.message}`);
    }
  }

  /** Publishes many messages, a part at a time, so that neither the limits nor the browser mind. */
  async #sendMany(total) {
    const order = this.#order;
    const progress = $("progress");
    this.#isSending = true;
    this.#draw();
    progress.max = total;
    progress.value = 0;
    setText($("progress-text"), "");
    let sent = 0;
    try {
      while (sent < total) {
        const started = performance.now();
        const numbers = Array.from({ length: 50 }, (_, index) => sent + index + 1);
        const status = this.#status ?? "placed";
        await Promise.all(numbers.map((number) => this.#publisher.tellPosition(status, number)));
        // Whoever follows another order meanwhile wants to hear of that one.
        if (order !== this.#order) break;
        sent += 50;
        progress.value = sent;
        setText($("progress-text"), `${count(sent)} of ${count(total)} published`);
        await pause(Math.max(0, 100 - (performance.now() - started)));
      }
      if (sent === total) announce(`${count(total)} messages are published.`);
    } catch (error) {
      setText($("progress-text"), `${count(sent)} of ${count(total)} published, perhaps more: ${error.message}`);
    }
    this.#isSending = false;
    this.#draw();
  }

  #cutAll() {
    for (const pane of this.#panes) pane.cut();
    announce("All connections are cut, and come back in 3 seconds.");
  }

  /** Takes the status from the pane that hears of it first. */
  #hear({ status }, cursor) {
    const [epoch, position] = (cursor ?? "").split("-");
    const isNewer = this.#newest?.epoch !== epoch || Number(position) > this.#newest.position;
    if (!isNewer || !steps.includes(status)) return;
    this.#newest = { epoch, position: Number(position) };
    if (status === this.#status) return;
    this.#status = status;
    this.#draw();
  }

  #draw() {
    const index = steps.indexOf(this.#status);
    for (const [place, step] of [...$("steps").children].entries()) {
      step.dataset.done = String(place <= index);
      if (place === index) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    }
    const { isConnected } = this.#publisher;
    const next = steps[index + 1];
    setText($("place"), index < 0 ? "Place the order" : "Place another order");
    setText($("advance"), next ? `Mark as ${index < 0 ? "paid" : next}` : "Delivered");
    $("place").disabled = !isConnected || this.#isSending;
    $("advance").disabled = !isConnected || index < 0 || !next;
    $("send-many").disabled = !isConnected || this.#isSending;
    $("progress-box").hidden = !this.#isSending && $("progress-text").textContent === "";
  }
}

/** Five digits, which are random: visitors who begin at once have orders of their own. */
function newOrderNumber() {
  return String(10000 + (crypto.getRandomValues(new Uint32Array(1))[0] % 90000));
}
