"use strict";

// What the server sends are texts of JSON, each with a `type`. What the page sends are the plain
// texts of messages.

const LONGEST = 4096; // bytes, as the server limits them
const KEPT = 500; // messages that stay on the page
const $ = (id) => document.getElementById(id);
const bytes = (text) => new TextEncoder().encode(text).length;

let session = null; // who is where, while the page is in a room
let socket = null;
let lastId = 0; // the last message that has arrived
let failures = 0; // attempts in a row that did not open a connection
let retryTimer = 0;
let previous = null; // the last message on the page, to group those of one author
let members = [];

// Entering

fetch("about").then((response) => response.json()).then((about) => {
  $("passphrase-label").hidden = !about.passphrase;
  $("passphrase").required = about.passphrase;
  $("rooms").replaceChildren(...about.rooms.map((room) => new Option(room)));
}).catch(() => {});

const parameters = new URLSearchParams(location.hash.slice(1));
$("room").value = parameters.get("room") ?? "lobby";
$("name").value = parameters.get("name") ?? "";

$("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const refusal = await enter({
    name: named($("name")),
    room: named($("room")),
    passphrase: $("passphrase").value,
  });
  $("refusal").textContent = refusal ?? "";
});

// Asks first, since a browser does not tell a page why a WebSocket was refused. Returns the reason of
// a refusal.
async function enter(candidate) {
  try {
    const response = await fetch(`may-enter?${query(candidate)}`, { headers: authorization(candidate) });
    if (!response.ok) return response.text();
  } catch {
    return "The server can't be reached.";
  }
  session = candidate;
  lastId = 0;
  previous = null;
  $("messages").replaceChildren();
  $("title").textContent = session.room;
  document.title = `${session.room} · Chat`;
  location.hash = new URLSearchParams({ room: session.room, name: session.name });
  $("entrance").hidden = true;
  $("chat").hidden = false;
  connect();
  $("text").focus();
}

// As the server reads it.
const named = ({ value }) => value.trim().replace(/\s+/g, " ");
const query = ({ room, name }) => new URLSearchParams({ room, name });
const encoded = (passphrase) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(passphrase)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const authorization = ({ passphrase }) =>
  passphrase ? { Authorization: `Bearer ${encoded(passphrase)}` } : {};

$("leave").addEventListener("click", () => {
  session = null;
  clearTimeout(retryTimer);
  socket?.close(1000, "left");
  socket = null;
  $("chat").hidden = true;
  $("entrance").hidden = false;
  $("refusal").textContent = "";
  document.title = "Chat";
  $("name").focus();
});

// The connection

function connect() {
  clearTimeout(retryTimer);
  $("banner").hidden = true;
  show("waiting", "Connecting…");
  const url = new URL(`enter?${query(session)}&since=${lastId}`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.hash = "";
  // A page can't set header fields, so the passphrase goes where it can: among the subprotocols.
  const protocols = ["chat.v1"];
  if (session.passphrase) protocols.push(`passphrase.${encoded(session.passphrase)}`);
  const attempt = new WebSocket(url, protocols);
  socket = attempt;
  attempt.addEventListener("message", (event) => {
    if (socket === attempt) receive(JSON.parse(event.data));
  });
  attempt.addEventListener("close", (event) => {
    if (socket === attempt) lost(event);
  });
}

function lost({ code, reason }) {
  socket = null;
  updateComposer();
  if (!session) return;
  show("lost", "Not connected");
  const isFinal = code === 1008 || code === 1003 || code === 4009;
  const wait = isFinal ? Infinity : backoff(failures++);
  $("banner").hidden = false;
  if (isFinal) {
    $("banner-text").textContent = `You were disconnected: ${reason || code}.`;
    return;
  }
  const why = code === 1001 ? "The server is restarting." : code === 1013 ? "The server is busy." : "The connection is lost.";
  const until = Date.now() + wait;
  const count = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    if (left <= 0) return connect();
    $("banner-text").textContent = `${why} Trying again in ${left} s.`;
    retryTimer = setTimeout(count, 250);
  };
  count();
}

// Between 0 and 1, 2, 4, … 30 seconds: at random, so that pages don't come back all at once.
const backoff = (failures) => Math.random() * Math.min(30_000, 1000 * 2 ** Math.min(failures, 5));

$("retry").addEventListener("click", () => connect());
addEventListener("online", () => { if (session && !socket) connect(); });

function show(state, text) {
  $("status").className = state;
  $("status-text").textContent = text;
  updateComposer();
}

// What arrives

function receive(event) {
  const atEnd = isAtEnd();
  switch (event.type) {
    case "welcome":
      failures = 0;
      show("open", "Connected");
      if (lastId && event.missed) note(`${event.missed} older messages are no longer kept.`, "gap");
      event.history.forEach(message);
      setMembers(event.members);
      break;
    case "message":
      // Numbers have no gaps, unless the server dropped messages because this page was too slow.
      if (lastId && event.id > lastId + 1) {
        note(`${event.id - lastId - 1} messages were left out: your connection was too slow.`, "gap");
      }
      message(event);
      break;
    case "joined":
      setMembers([...members, event.name]);
      if (event.name !== session.name) note(`${event.name} has entered`);
      break;
    case "left":
      setMembers(members.filter((name) => name !== event.name));
      note(`${event.name} has left`);
      break;
  }
  if (atEnd) scrollToEnd();
  else $("newer").hidden = false;
}

function message({ id, from, text, at }) {
  lastId = id;
  const item = document.createElement("li");
  const own = from === session.name;
  const follows = previous?.from === from && at - previous.at < 300_000;
  item.className = `message${own ? " own" : ""}${follows ? " follows" : ""}`;
  item.dataset.id = id;
  const head = element("div", "head");
  const author = element("span", "from", from);
  author.style.color = colour(from);
  const time = element("time", "", new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = new Date(at).toISOString();
  head.append(author, time);
  item.append(head, element("div", "bubble", text));
  append(item);
  previous = { from, at };
}

function note(text, kind = "") {
  append(element("li", `note ${kind}`, text));
  previous = null;
}

function append(item) {
  const list = $("messages");
  list.append(item);
  while (list.children.length > KEPT) list.firstElementChild.remove();
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

// A colour for each name, readable on both grounds.
function colour(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 360;
  return `light-dark(hsl(${hash} 65% 34%), hsl(${hash} 65% 72%))`;
}

function setMembers(names) {
  members = [...new Set(names)].sort((one, other) => one.localeCompare(other));
  $("member-count").textContent = members.length;
  $("member-list").replaceChildren(...members.map((name) => {
    const item = element("li", name === session.name ? "self" : "", name);
    item.style.color = colour(name);
    return item;
  }));
}

$("toggle-members").addEventListener("click", () => {
  const shown = $("members").classList.toggle("shown");
  $("toggle-members").setAttribute("aria-expanded", shown);
});

const isAtEnd = () => $("scroller").scrollHeight - $("scroller").scrollTop - $("scroller").clientHeight < 60;
function scrollToEnd() {
  $("scroller").scrollTop = $("scroller").scrollHeight;
  $("newer").hidden = true;
}
$("newer").addEventListener("click", scrollToEnd);
$("scroller").addEventListener("scroll", () => { if (isAtEnd()) $("newer").hidden = true; });

// Writing

$("text").addEventListener("input", updateComposer);
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  }
});

function updateComposer() {
  const text = $("text").value;
  const length = bytes(text);
  $("length").textContent = length > LONGEST * 0.8 ? `${length} / ${LONGEST}` : "";
  $("length").className = length > LONGEST ? "over" : "";
  $("send").disabled = socket?.readyState !== WebSocket.OPEN || !text.trim() || length > LONGEST;
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("send").disabled) return;
  socket.send($("text").value.trim());
  $("text").value = "";
  updateComposer();
  scrollToEnd();
});
