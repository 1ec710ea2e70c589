// The server that uses Node's ws. ../README.md describes its answers.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createRequire } from "node:module";
import { countCompressed, describe, deflateOptions } from "./deflate.mjs";

// Finds ws through NODE_PATH, which `import` ignores.
const { WebSocketServer } = createRequire(import.meta.url)("ws");

const FRAGMENTS = ["one ", "zwölf ", "три"];
const ends = new Map();

const options = {
  noServer: true,
  handleProtocols: (offered) => ["chat.v2", "chat.v1"].find((name) => offered.has(name)) ?? false,
  verifyClient: ({ req }, done) => {
    if (req.url === "/forbidden") {
      done(false, 403, "not for you\n", { "X-Interop": "forbidden" });
    } else {
      done(true);
    }
  },
};

// With INTEROP_TLS, the directory of the certificates, the server uses TLS.
const directory = process.env.INTEROP_TLS;
const read = (name) => readFileSync(`${directory}/${name}`);
const server = directory
  ? createSecureServer({ cert: read("chain.pem"), key: read("key.pem") })
  : createServer();
server.listen(0, "127.0.0.1", () => {
  console.log(`listening on ${directory ? "wss" : "ws"}://127.0.0.1:${server.address().port}`);
});

// The path determines the compression, so each connection has its own server of ws.
server.on("upgrade", (request, socket, head) => {
  const { pathname, search } = new URL(request.url, "http://localhost");
  const perMessageDeflate = pathname === "/deflate" && deflateOptions(search.slice(1));
  const one = new WebSocketServer({ ...options, perMessageDeflate });
  one.on("headers", (headers) => {
    headers.push("Set-Cookie: interop=1; Path=/; HttpOnly", "X-Interop: ws");
  });
  one.handleUpgrade(request, socket, head, connected);
});

function connected(socket, request) {
  const compressed = countCompressed(socket);
  socket.on("message", (data, isBinary) => answer(socket, request, data, isBinary, compressed));
  socket.on("pong", (payload) => socket.send(`pong: ${payload}`));
  socket.on("error", (error) => console.log(`${request.url}: ${error}`));
  // The event in the form of the browsers' API tells whether the end was clean.
  socket.addEventListener("close", ({ code, reason, wasClean }) => {
    const end = `${code} ${wasClean ? "clean" : "unclean"} ${reason}`.trimEnd();
    console.log(`${request.url}: ${end}`);
    ends.set(request.url, end);
  });
}

async function answer(socket, request, data, isBinary, compressed) {
  const text = isBinary ? undefined : data.toString();
  if (text === "close me") {
    socket.close(4000, "as you asked");
  } else if (text === "ping me") {
    socket.ping("are you there?");
  } else if (text === "fragment me") {
    FRAGMENTS.forEach((piece, index) => socket.send(piece, { fin: index === FRAGMENTS.length - 1 }));
  } else if (text === "what headers") {
    socket.send(`${request.headers.cookie ?? ""}\n${request.headers["x-interop"] ?? ""}`);
  } else if (text === "what compression") {
    socket.send(describe(socket));
  } else if (text === "how many") {
    socket.send(String(compressed()));
  } else if (text?.startsWith("closed ")) {
    socket.send(await endOf(text.slice("closed ".length)));
  } else {
    socket.send(data, { binary: isBinary });
  }
}

// Waits until the end is known, since one endpoint learns of it before the other.
async function endOf(target) {
  for (let tries = 0; tries < 100 && !ends.has(target); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const end = ends.get(target) ?? "not closed";
  ends.delete(target);
  return end;
}
