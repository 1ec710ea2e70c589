// The client that uses undici's WebSocket, which is the one in Node and has the API of browsers. Runs
// each scenario against a server that behaves as ../README.md describes, and prints a line for each.
//
//     NODE_PATH=.../node_modules node undici.mjs URL
import { createRequire } from "node:module";
import { runScenarios } from "../browser/scenarios.mjs";

// Finds undici through NODE_PATH, which `import` ignores. Node 18 has no WebSocket of its own.
globalThis.WebSocket = createRequire(import.meta.url)("undici").WebSocket;

const lines = await runScenarios(process.argv[2]);
lines.forEach((line) => console.log(line));
process.exit(lines.some((line) => line.startsWith("not ok ")) ? 1 : 0);
