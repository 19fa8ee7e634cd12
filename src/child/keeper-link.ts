import { ClamdError } from "../clamd/clamd-error.ts";
import { type Channel, openChannel } from "../ipc/channel.ts";
import { checkKeeperAnswer, type LogLine } from "../ipc/messages.ts";
import type { LogFields, LogLevel } from "../log/event.ts";
import { receiveDescriptors } from "../os/descriptor-passing.ts";
import { closeDescriptor } from "../os/libc.ts";
import type { SpoolFile } from "../scan/spool.ts";
import { spoolFileOn } from "../scan/spool-file.ts";

/** Files kept at hand, since a message cannot wait for one; emptied ones are used again up to the second number. */
const SPARE_FILES = 4;
const MOST_SPARE_FILES = 16;
/** Log lines kept while there is no keeper; later ones are counted. */
const KEPT_LINES = 1000;
/** Characters of one line. */
const LINE_LENGTH = 16_000;
/** A child that nobody has served for so long can do no work. Milliseconds. */
const ORPHAN_PATIENCE = 60_000;
/** A request without an answer: the keeper has been killed, or hangs and will be. */
const ANSWER_PATIENCE = 10_000;

interface Waiting {
  readonly resolve: (descriptor: number) => void;
  readonly reject: (error: Error) => void;
}

/** A child's end of the link to the keeper: what the jail keeps it from doing, the keeper does for it. */
export class KeeperLink {
  readonly #waiting = new Map<number, Waiting>();
  readonly #spare: number[] = [];
  #channel: Channel | null = null;
  #passingFd = -1;
  #lastId = 0;
  #ordered = 0;
  #lines: LogLine[] = [];
  #unsaid = 0;
  #flushing = false;
  #servedAt = performance.now();

  /** Takes a new link; the old one's keeper is gone. */
  async attach(channelFd: number, passingFd: number): Promise<void> {
    this.#detach();
    const channel = await openChannel(channelFd, {
      onMessage: (message) => this.#onAnswer(message),
      onEnd: () => {
        if (this.#channel === channel) this.#detach();
      },
    });
    this.#channel = channel;
    this.#passingFd = passingFd;
    this.#orderFiles();
    this.#flush();
  }

  /** Whether there is no hope of work: nobody is at the other end for too long. */
  get orphaned(): boolean {
    if (this.#channel !== null) this.#servedAt = performance.now();
    return performance.now() - this.#servedAt > ORPHAN_PATIENCE;
  }

  /**
   * A connexion to the server of that place in the settings' list.
   * @param deadline milliseconds
   * @throws ClamdError `CLAMD_CONNECT`
   */
  async connect(server: number, name: string, deadline: number): Promise<number> {
    try {
      return await this.#request({ type: "connect", server, deadline }, deadline + ANSWER_PATIENCE);
    } catch (error) {
      throw new ClamdError("CLAMD_CONNECT", `${name}: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** A spool file, at once; null when none is at hand. */
  takeFile(): SpoolFile | null {
    const fd = this.#spare.shift();
    this.#orderFiles();
    if (fd === undefined) return null;
    return spoolFileOn(fd, (emptied) => {
      if (emptied === null) return;
      if (this.#spare.length < MOST_SPARE_FILES) this.#spare.push(emptied);
      else closeDescriptor(emptied);
    });
  }

  /** Has the keeper write a line. Lines of one turn travel together. */
  log(level: LogLevel, text: string, fields?: LogFields): void {
    if (this.#lines.length >= KEPT_LINES) {
      this.#unsaid++;
      return;
    }
    const line = { level, text: text.slice(0, LINE_LENGTH) };
    this.#lines.push(fields === undefined ? line : { ...line, fields });
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#channel === null || this.#lines.length === 0) return;
    if (this.#unsaid > 0) {
      this.#lines.push({ level: "warning", text: `${this.#unsaid} log lines were lost` });
      this.#unsaid = 0;
    }
    // In portions, so that no message grows over the channel's bound.
    for (let at = 0; at < this.#lines.length; at += 10) {
      this.#channel?.send({ type: "log", lines: this.#lines.slice(at, at + 10) });
    }
    this.#lines = [];
  }

  #orderFiles(): void {
    if (this.#channel === null) return;
    while (this.#spare.length + this.#ordered < SPARE_FILES) {
      this.#ordered++;
      this.#request({ type: "spool" }, ANSWER_PATIENCE).then(
        (fd) => {
          this.#ordered--;
          this.#spare.push(fd);
        },
        (error: Error) => {
          this.#ordered--;
          this.log("error", `no spool file can be made: ${error.message}`);
        },
      );
    }
  }

  #request(request: object, patience: number): Promise<number> {
    if (this.#channel === null) return Promise.reject(new Error("the keeper is being replaced"));
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#waiting.set(id, { resolve, reject });
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      reject(new Error("the keeper does not answer"));
    }, patience);
    this.#channel.send({ ...request, id });
    return promise.finally(() => clearTimeout(timer));
  }

  #onAnswer(message: unknown): void {
    const answer = checkKeeperAnswer(message);
    if (answer === null) return;
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.type === "failed") {
      waiting?.reject(new Error(answer.reason));
      return;
    }
    const descriptor = this.#receive(answer.id);
    if (descriptor === null) waiting?.reject(new Error("a descriptor did not arrive"));
    else if (waiting === undefined) closeDescriptor(descriptor);
    else waiting.resolve(descriptor);
  }

  /** The descriptor was sent before the answer, so it is there. */
  #receive(id: number): number | null {
    try {
      const { number, descriptors } = receiveDescriptors(this.#passingFd);
      const [descriptor, ...others] = descriptors;
      for (const other of others) closeDescriptor(other);
      if (number === id && descriptor !== undefined) return descriptor;
      if (descriptor !== undefined) closeDescriptor(descriptor);
      return null;
    } catch {
      return null;
    }
  }

  #detach(): void {
    const channel = this.#channel;
    if (channel === null) return;
    this.#channel = null;
    channel.close();
    closeDescriptor(this.#passingFd);
    for (const waiting of this.#waiting.values()) waiting.reject(new Error("the keeper is gone"));
    this.#waiting.clear();
  }
}
