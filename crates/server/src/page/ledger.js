
// Whether each message came exactly once.

/** Of how many publishers a ledger knows the last number. */
const remembered = 1000;

/** The longest name of a publisher that is remembered. */
const longestName = 64;

/**
 * Counts the messages of one pane. Whoever publishes numbers its messages from 1 on, so a number that is
 * left out is a message that is missing, and one that does not go up is there twice.
 */
class Ledger {
  received = 0;
  /** Those that this page has published. */
  own = 0;
  missing = 0;
  doubles = 0;
  #last = new Map();

  note({ from, number }, isOwn) {
    this.received += 1;
    if (typeof from !== "string" || from.length > longestName || !Number.isSafeInteger(number)) return;
    // What others had published before is perhaps not kept any more.
    const last = this.#last.get(from) ?? (isOwn ? 0 : number - 1);
    if (number <= last) {
      this.doubles += 1;
      return;
    }
    this.missing += number - last - 1;
    this.#last.delete(from);
    this.#last.set(from, number);
    // Anybody can publish under any number of names. Who was silent for longest is forgotten.
    if (this.#last.size > remembered) this.#last.delete(this.#last.keys().next().value);
    if (isOwn) this.own += 1;
  }

  /** Returns what came of it, if the page has published so many, and the server has told so many gaps. */
  verdict(published, gaps) {
    if (this.missing || this.doubles) {
      return { kind: "bad", text: `${count(this.missing)} missing, ${count(this.doubles)} double` };
    }
    if (this.own < published) {
      return { kind: "wait", text: `${count(this.own)} of ${count(published)} so far` };
    }
    if (this.received === 0) return { kind: "none", text: "nothing yet" };
    // It is not silent about what may be lost, so neither is the page.
    if (gaps) return { kind: "told", text: `each once, ${gaps === 1 ? "a gap" : `${gaps} gaps`} told` };
    const text = this.received === 1 ? "1 message, once" : `all ${count(this.received)}, each once`;
    return { kind: "good", text };
  }
}

const count = (number) => number.toLocaleString("en");
