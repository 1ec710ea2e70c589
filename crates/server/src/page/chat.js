
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
  #backoff = new Backoff();
  #timer = null;
  /** Who is there, on all nodes. */
  #people = new Set();
  #withoutName = 0;

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
    this.#backoff.opened();
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
    this.#people.clear();
    this.#withoutName = 0;
    this.#drawPeople();
    if (this.#name === null) return;
    setText($("chat-state"), `Not connected: ${reason}`);
    this.#timer = setTimeout(() => this.#connect(), this.#backoff.next());
  }

  #hear(headers, body) {
    this.#cursor = headers["message-id"];
    if ("gap-to" in headers) return this.#tell("Messages before this are not kept any more.");
    const from = element("strong", {}, shorten(displayName(headers.from ?? null)));
    this.#append(element("li", {}, from, " ", element("span", {}, shorten(body, longest))));
  }

  /** A list replaces what is known, and events change it. */
  #see({ event, user, users }) {
    if (event === "members") {
      this.#people = new Set(users.filter((name) => name !== null));
      this.#withoutName = users.filter((name) => name === null).length;
    } else if (user === null) {
      this.#withoutName += event === "join" ? 1 : -1;
    } else {
      if (event === "join") this.#people.add(user);
      else this.#people.delete(user);
      const isSelf = displayName(user) === this.#name;
      if (!isSelf) this.#tell(`${displayName(user)} has ${event === "join" ? "joined" : "left"}.`);
    }
    this.#drawPeople();
  }

  #drawPeople() {
    const names = [...this.#people].map(displayName).sort();
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
