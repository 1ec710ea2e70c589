
// The chat: a topic, its history, and who is there.

const room = "lobby";

/** How many messages the page keeps. */
const kept = 200;

/** How much of a message it shows, in characters: what comes by the chat's own handler is no longer. */
const longest = 4096;

/** How many names it lists. */
const listed = 100;

class Chat {
  #name = null;
  #connection = null;
  #cursor = null;
  #failures = 0;
  #timer = null;
  #asking = null;
  /** Who is on the node of this page. */
  #here = [];
  #withoutName = 0;
  /** Who is on which other nodes, as far as they came or went since this page is here. */
  #elsewhere = new Map();

  constructor() {
    $("join-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#join($("name").value.trim());
    });
    $("say-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say($("text").value.trim());
    });
    $("leave").addEventListener("click", () => this.#leave());
  }

  #join(name) {
    if (!name) return;
    this.#name = name;
    $("join-form").hidden = true;
    $("chat-box").hidden = false;
    this.#connect();
    $("text").focus();
  }

  #leave() {
    this.#name = this.#cursor = null;
    clearTimeout(this.#timer);
    this.#connection?.abandon("the user has left");
    $("messages").replaceChildren();
    $("chat-box").hidden = true;
    $("join-form").hidden = false;
    $("name").focus();
  }

  async #say(text) {
    if (!text || !this.#connection) return;
    const field = $("text");
    field.value = "";
    try {
      await this.#connection.send(`/app/chat/${room}`, text, { "content-type": "text/plain" });
    } catch (error) {
      if (field.value === "") field.value = text;
      this.#tell(`Perhaps not sent: ${error.message}`);
    }
  }

  #connect() {
    setText($("chat-state"), "Connecting");
    const login = { login: this.#name, passcode: "" };
    const connection = new StompConnection(openWebSocket(), login, {
      connected: () => this.#connected(connection),
      closed: (reason) => this.#closed(reason),
    });
    this.#connection = connection;
  }

  #connected(connection) {
    this.#failures = 0;
    setText($("chat-state"), `Connected as ${this.#name}`);
    const start = this.#cursor ? { since: this.#cursor } : { start: "beginning", gaps: "true" };
    // If one is refused, the connection has ended, which `closed` tells.
    const ignore = () => {};
    const hear = (headers, body) => this.#hear(headers, body);
    connection.subscribe(`/topic/chat/${room}`, start, hear).catch(ignore);
    const see = (_, body) => this.#see(JSON.parse(body));
    connection.subscribe(`/presence/topic/chat/${room}`, {}, see).catch(ignore);
  }

  #closed(reason) {
    this.#connection = null;
    this.#here = [];
    this.#elsewhere.clear();
    this.#drawPeople();
    if (this.#name === null) return;
    setText($("chat-state"), `Not connected: ${reason}`);
    this.#timer = setTimeout(() => this.#connect(), backoff(this.#failures));
    this.#failures += 1;
  }

  #hear(headers, body) {
    this.#cursor = headers["message-id"];
    if ("gap-to" in headers) return this.#tell("Messages before this are not kept any more.");
    const from = element("strong", {}, shorten(displayName(headers.from ?? null)));
    this.#append(element("li", {}, from, " ", element("span", {}, shorten(body, longest))));
  }

  /** Who came and who went is told by events. Who is here, the node knows best. */
  #see({ event, user, node, users }) {
    if (event === "members") {
      this.#here = users.filter((name) => name !== null);
      this.#withoutName = users.length - this.#here.length;
      return this.#drawPeople();
    }
    if (user !== null) {
      const nodes = this.#elsewhere.get(user) ?? new Set();
      if (event === "join") nodes.add(node);
      else nodes.delete(node);
      this.#elsewhere.delete(user);
      if (nodes.size) this.#elsewhere.set(user, nodes);
      const isSelf = displayName(user) === this.#name;
      if (!isSelf) this.#tell(`${displayName(user)} has ${event === "join" ? "joined" : "left"}.`);
    }
    this.#askSoon();
  }

  /** Asks the node who is here, once for all who come and go within a moment. */
  #askSoon() {
    this.#asking ??= setTimeout(async () => {
      this.#asking = null;
      try {
        const response = await fetch(address("presence", { topic: `/topic/chat/${room}` }));
        if (!response.ok || !this.#connection) return;
        const present = await response.json();
        this.#here = present.users;
        this.#withoutName = present.anonymous;
        this.#drawPeople();
      } catch {
        // The connection to the node is lost, so it is asked when there is one again.
      }
    }, 200);
  }

  #drawPeople() {
    const names = [...new Set([...this.#here, ...this.#elsewhere.keys()])].map(displayName).sort();
    const people = names.slice(0, listed).map((name) => element("li", {}, name));
    if (names.length > listed) {
      people.push(element("li", { class: "quiet" }, `${count(names.length - listed)} more`));
    }
    if (this.#withoutName) {
      people.push(element("li", { class: "quiet" }, `${count(this.#withoutName)} without a name`));
    }
    $("people").replaceChildren(...people);
  }

  #tell(text) {
    this.#append(element("li", { class: "quiet" }, text));
  }

  #append(line) {
    const list = $("messages");
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(line);
    if (list.children.length > kept) list.firstChild.remove();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }
}

/** The server marks the names of those whom nobody authenticated. */
const displayName = (user) => user?.replace(/^guest:/, "") ?? "somebody";
