/** What a piece of input leads to. */
export interface StubAnswer {
  readonly answer: string;
  /** Whether the connexion is to be closed. */
  readonly over: boolean;
}

const VERSION = "ClamAV 1.4.3/27000/Tue Jun  4 09:10:11 2024";
const NEWLINE = 10;

/** The part of clamd's protocol that filters use, without any scanning: reads past the mail and says OK. */
export class StubSession {
  /** Bytes of a stream's piece that are still to come. */
  #left = 0;
  #state: "command" | "length" | "piece" | "descriptor" = "command";
  #text = "";
  #length: number[] = [];
  #numbered = false;
  #number = 0;
  #over = false;

  /** Takes what has come and says what is answered. */
  take(bytes: Uint8Array): StubAnswer {
    let answer = "";
    for (let at = 0; at < bytes.length && !this.#over; ) {
      if (this.#state === "piece") {
        const taken = Math.min(this.#left, bytes.length - at);
        at += taken;
        this.#left -= taken;
        if (this.#left === 0) this.#state = "length";
      } else answer += this.#byte(bytes[at++] ?? 0);
    }
    return { answer, over: this.#over };
  }

  #byte(byte: number): string {
    if (this.#state === "length") return this.#lengthByte(byte);
    if (this.#state === "descriptor") return this.#scanned("fd[10]: OK");
    const nul = this.#text.startsWith("z");
    if (byte !== (nul ? 0 : NEWLINE)) {
      this.#text += String.fromCharCode(byte);
      return "";
    }
    return this.#command(this.#text.replace(/^[zn]/, ""));
  }

  #command(name: string): string {
    if (name === "IDSESSION") {
      this.#numbered = true;
      this.#text = "";
      return "";
    }
    this.#number++;
    if (name === "INSTREAM" || name === "FILDES") {
      this.#state = name === "INSTREAM" ? "length" : "descriptor";
      return "";
    }
    if (name === "PING") return this.#scanned("PONG");
    if (name === "VERSION") return this.#scanned(VERSION);
    this.#over = true;
    return "";
  }

  #lengthByte(byte: number): string {
    this.#length.push(byte);
    if (this.#length.length < 4) return "";
    this.#left = this.#length.reduce((sum, each) => sum * 256 + each, 0);
    this.#length = [];
    if (this.#left > 0) {
      this.#state = "piece";
      return "";
    }
    return this.#scanned("stream: OK");
  }

  #scanned(what: string): string {
    const end = this.#text.startsWith("z") ? "\0" : "\n";
    this.#state = "command";
    this.#text = "";
    this.#over = !this.#numbered;
    return `${this.#numbered ? `${this.#number}: ` : ""}${what}${end}`;
  }
}
