// Clients in Python.

import { startServer } from './programs.mjs';
import { runPython } from './python-programs.mjs';
import { runScenarios, scenario } from './scenarios.mjs';

const server = await startServer();

for (const name of ['sends', 'acknowledges', 'transactions', 'resumes', 'error']) {
  scenario(`stomp.py: ${name}`, () => runPython('stomp_client.py', [`${server.port}`, name]));
}
for (const name of ['events', 'resumes']) {
  scenario(`sseclient-py: ${name}`, () => runPython('sse_client.py', [server.url, name]));
}
scenario('requests: follows a topic by polls', () => runPython('poll_client.py', [server.url]));

await runScenarios();
