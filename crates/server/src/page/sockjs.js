
// SockJS 0.3.3 by requests of HTTP alone: for networks that let no WebSocket pass.

/** Has the events and methods of a WebSocket, as far as STOMP needs them. */
class SockJsSocket {
  /** Which transport receives: "xhr_streaming", or "xhr" if something on the way holds responses back. */
  static transport = "xhr_streaming";

  onopen = null;
  onmessage = null;
  onclose = null;
  #session;
  #outbox = [];
  #isSending = false;
  #isOpen = false;
  #end = new AbortController();

  constructor(prefix) {
    // A server part, which load balancers use, and a session that nobody else can guess.
    const random = crypto.getRandomValues(new Uint32Array(5));
    const server = String(random[0] % 1000).padStart(3, "0");
    const session = [...random.slice(1)].map((number) => number.toString(36)).join("");
    this.#session = `${prefix}/${server}/${session}`;
    this.#receiveAll();
  }

  send(text) {
    this.#outbox.push(text);
    this.#sendAll();
  }

  close() {
    this.#end.abort();
  }

  /** Has one request after another receive. */
  async #receiveAll() {
    const patience = setTimeout(() => {
      if (this.#isOpen) return;
      SockJsSocket.transport = "xhr";
      this.#fail("nothing comes by xhr_streaming");
    }, 5000);
    try {
      while (!this.#end.signal.aborted) {
        const response = await this.#post(SockJsSocket.transport, "");
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          const lines = (rest + value).split("\n");
          rest = lines.pop();
          for (const line of lines) this.#receive(line);
        }
      }
    } catch (error) {
      this.#fail(error.message);
    } finally {
      clearTimeout(patience);
    }
  }

  #receive(frame) {
    // What was on the way when the page has closed the session is for nobody.
    if (this.#end.signal.aborted) return;
    const value = frame.length > 1 && "ac".includes(frame[0]) ? JSON.parse(frame.slice(1)) : null;
    if (frame === "o") {
      // A request that has come to another node has begun a session there, which knows nothing of this one.
      if (this.#isOpen) return this.#fail("the session is lost");
      this.#isOpen = true;
      this.onopen?.();
    } else if (frame[0] === "a") {
      for (const data of value) this.onmessage?.({ data });
    } else if (frame[0] === "c") {
      this.#fail(value[1]);
    }
    // The rest is "h": a heart-beat, or 2,048 of them that get streams through buffers.
  }

  /** Sends all that waits with one request at a time, which keeps it in order. */
  async #sendAll() {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      while (this.#outbox.length) {
        await this.#post("xhr_send", JSON.stringify(this.#outbox.splice(0)));
      }
    } catch (error) {
      this.#fail(error.message);
    }
    this.#isSending = false;
  }

  async #post(transport, body) {
    const url = `${this.#session}/${transport}`;
    const request = { method: "POST", body, cache: "no-store", signal: this.#end.signal };
    const response = await fetch(url, request);
    if (!response.ok) throw new Error(`${transport}: status ${response.status}`);
    return response;
  }

  #fail(reason) {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.onclose?.({ reason });
  }
}
