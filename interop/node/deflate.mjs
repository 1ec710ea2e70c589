// Compression code shared by the client and the server that use Node's ws. The API of ws only tells
// the name of the extension, so this module looks at its internals.

// Returns the options of ws for parameters named as in the header and separated by `&`. `unset` has
// the options of absent parameters: a client has to forbid `client_max_window_bits`.
export function deflateOptions(query, unset = {}) {
  const parameters = new URLSearchParams(query);
  const options = { threshold: 0, ...unset };
  if (parameters.has("server_no_context_takeover")) options.serverNoContextTakeover = true;
  if (parameters.has("client_no_context_takeover")) options.clientNoContextTakeover = true;
  if (parameters.has("server_max_window_bits")) {
    options.serverMaxWindowBits = Number(parameters.get("server_max_window_bits"));
  }
  if (parameters.has("client_max_window_bits")) {
    options.clientMaxWindowBits = Number(parameters.get("client_max_window_bits")) || true;
  }
  return options;
}

export function describe(socket) {
  return describeParameters(deflateOf(socket)?.params);
}

// Describes the agreed parameters in the words that all programs of these tests use.
export function describeParameters(parameters) {
  if (!parameters) return "none";
  const end = (name) => {
    const bits = parameters[`${name}_max_window_bits`] ?? 15;
    return `${name} ${bits} ${parameters[`${name}_no_context_takeover`] ? "reset" : "kept"}`;
  };
  return `${end("server")}, ${end("client")}`;
}

// Counts the messages that arrive compressed. Returns a function that returns their number.
export function countCompressed(socket) {
  let count = 0;
  const deflate = deflateOf(socket);
  if (deflate) {
    const decompress = deflate.decompress;
    deflate.decompress = function (data, fin, callback) {
      count += fin ? 1 : 0;
      return decompress.call(this, data, fin, callback);
    };
  }
  return () => count;
}

function deflateOf(socket) {
  return socket._extensions["permessage-deflate"];
}
