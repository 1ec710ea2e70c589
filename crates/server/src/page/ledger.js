
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
  /** How often the server has told that messages are lost for good. */
  gaps = 0;
  /** The last numbers of the names that this page publishes by, and of others. */
  #own = new Map();
  #others = new Map();
  /** Whose next number can leave others out, since a gap was told. */
  #mayJump = new Set();

  note({ from, number }, isOwn) {
    this.received += 1;
    if (typeof from !== "string" || from.length > longestName || !Number.isSafeInteger(number)) return;
    const numbers = isOwn ? this.#own : this.#others;
    // What others had published before is perhaps not kept any more, nor is what was before a gap.
    const first = isOwn && !this.gaps ? 0 : number - 1;
    const last = numbers.get(from) ?? first;
    if (number <= last) {
      this.doubles += 1;
      return;
    }
    if (!this.#mayJump.delete(from)) this.missing += number - last - 1;
    numbers.delete(from);
    numbers.set(from, number);
    if (isOwn) this.own += 1;
    // Anybody can publish under any number of names. Who was silent for longest is forgotten.
    if (this.#others.size > remembered) this.#others.delete(this.#others.keys().next().value);
  }

  /** The server says that messages are lost, and not how many are from whom. */
  noteGap() {
    this.gaps += 1;
    this.#mayJump = new Set([...this.#own.keys(), ...this.#others.keys()]);
  }

  /** Returns what came of it, if the page has published so many. */
  verdict(published) {
    if (this.missing || this.doubles) {
      return { kind: "bad", text: `${count(this.missing)} missing, ${count(this.doubles)} double` };
    }
    // What is lost never comes. The server is not silent about that, so neither is the page.
    if (this.gaps) {
      const all = this.own < published ? `${count(this.own)} of ${count(published)}` : "each once";
      return { kind: "told", text: `${all}, ${this.gaps === 1 ? "a gap" : `${count(this.gaps)} gaps`} told` };
    }
    if (this.own < published) {
      return { kind: "wait", text: `${count(this.own)} of ${count(published)} so far` };
    }
    if (this.received === 0) return { kind: "none", text: "nothing yet" };
    const text = this.received === 1 ? "1 message, once" : `all ${count(this.received)}, each once`;
    return { kind: "good", text };
  }
}

const count = (number) => number.toLocaleString("en");
