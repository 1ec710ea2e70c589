// What a script asks the server over plain HTTP.

/// Publishes a text, and returns the cursor.
export async function publish(server, topic, body) {
  const query = new URLSearchParams({ destination: topic });
  const answer = await fetch(`${server.url}/publish?${query}`, { method: 'POST', body: String(body) });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`publishing: ${answer.status} ${text}`);
  return JSON.parse(text).cursor;
}

/// Publishes the numbers from `first` to `last` in one request, and returns their cursors. After Redis was away,
/// it can be that it has a message and does not say where: `afterOutages`.
export async function publishNumbers(server, topic, first, last, { afterOutages = false } = {}) {
  const messages = [];
  for (let number = first; number <= last; number++) messages.push({ destination: topic, body: String(number) });
  const answer = await fetch(`${server.url}/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(messages),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`publishing: ${answer.status} ${text}`);
  const answers = JSON.parse(text);
  if (answers.some((it) => it.status || !(it.cursor || afterOutages))) throw new Error(`publishing: ${text}`);
  return answers.map((it) => it.cursor);
}

/// Returns the figure of a metric, or the sum of those of all its labels.
export async function metric(server, name) {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const found = [...text.matchAll(new RegExp(`^sansocket_${name}(?:\\{.*\\})? (.*)$`, 'gm'))];
  if (found.length === 0) throw new Error(`there is no metric ${name}`);
  return found.reduce((sum, [, value]) => sum + Number(value), 0);
}
