import { ClamdError } from "../clamd/clamd-error.ts";
import { type Channel, openChannel } from "../ipc/channel.ts";
import { type AccessState, checkChildRequest, checkKeeperAnswer } from "../ipc/messages.ts";
import type { MailTexts } from "../ipc/notice-messages.ts";
import type { PolicyAnswer } from "../ipc/policy-messages.ts";
import type { LogFields, LogLevel } from "../log/event.ts";
import { receiveUnder, sendDescriptors } from "../os/descriptor-passing.ts";
import { closeDescriptor, duplicate, OsError } from "../os/libc.ts";
import type { SpoolFile } from "../scan/spool-edge.ts";
import { spoolFileOn } from "../scan/spool-file.ts";
import { WaitingLines } from "./waiting-lines.ts";

/** Files kept at hand, since a message cannot wait for one; emptied ones are used again up to the second number. */
const SPARE_FILES = 4;
const MOST_SPARE_FILES = 16;
/** A request without an answer: the keeper has been killed, or hangs and will be. */
const ANSWER_PATIENCE = 10_000;

/** Milliseconds that the keeper may take for a name: its own bound, and some. */
const NAME_PATIENCE = 7_000;

/** Milliseconds that sendmail may take to say where a recipient leads. */
const BLACK_HOLE_PATIENCE = 15_000;

/** What the way for descriptors says when nobody is at its other end; the second when something lay there unread. */
const GONE: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET"]);

/** Somebody who waits for a descriptor or a word. */
interface Waiting<T> {
  readonly id: number;
  /** What is asked for: a new keeper is asked again. */
  readonly request: object;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
  /** Goes with the request; its own. */
  readonly descriptor?: number;
}

/** A child's end of the link to the keeper: what the jail keeps it from doing, the keeper does for it. */
export class KeeperLink {
  readonly #waiting = new Map<number, Waiting<number>>();
  readonly #unnamed = new Map<number, Waiting<string>>();
  readonly #unexpanded = new Map<number, Waiting<boolean>>();
  readonly #spare: number[] = [];
  readonly #lines = new WaitingLines();
  #channel: Channel | null = null;
  #passingFd = -1;
  #lastId = 0;
  #ordered = 0;
  #servedAt = performance.now();
  #accessWanted = false;
  #textsWanted = false;
  /** Takes the texts of files whenever they come. */
  onTexts: (texts: MailTexts) => void = () => {};
  /** Takes the access tables whenever they come. */
  onAccess: (access: AccessState) => void = () => {};
  /** Takes the whitelist, portion by portion, whenever it comes. */
  onWhitelist: (portion: Extract<PolicyAnswer, { type: "whitelist" }>) => void = () => {};

  /** Takes a new link; the old one's keeper is gone. */
  async attach(channelFd: number, passingFd: number): Promise<void> {
    this.#detach();
    const channel = await openChannel(channelFd, {
      onMessage: (message) => this.#onAnswer(message),
      onEnd: () => {
        if (this.#channel === channel) this.#detach();
      },
    });
    // Another may have come while this one was opened.
    this.#detach();
    this.#channel = channel;
    this.#passingFd = passingFd;
    this.#sendAll(this.#waiting);
    this.#sendAll(this.#unnamed);
    this.#sendAll(this.#unexpanded);
    if (this.#accessWanted) channel.send({ type: "access" });
    if (this.#textsWanted) channel.send({ type: "texts" });
    this.#orderFiles();
    this.flush();
  }

  /** How long there has been nobody at the other end, since this was last asked at least. Milliseconds. */
  get unserved(): number {
    if (this.#channel !== null) this.#servedAt = performance.now();
    return performance.now() - this.#servedAt;
  }

  /**
   * A connexion to the server of that name in the settings.
   * @param patience milliseconds
   * @throws ClamdError `CLAMD_CONNECT`
   */
  async connect(server: string, patience: number): Promise<number> {
    // A whole number: the keeper closes the link to who sends it anything else.
    const deadline = Math.ceil(patience);
    try {
      return await this.#request({ type: "connect", server, deadline }, deadline + ANSWER_PATIENCE);
    } catch (error) {
      throw new ClamdError("CLAMD_CONNECT", `${server}: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Has the keeper look at the server of that name. */
  reportTrouble(server: string): void {
    this.#channel?.send({ type: "trouble", server });
  }

  /** Asks this keeper, and those that follow it, for the access tables: they come by `onAccess`. */
  wantAccess(): void {
    if (this.#accessWanted) return;
    this.#accessWanted = true;
    this.#channel?.send({ type: "access" });
  }

  /**
   * The verified name of an address.
   * @throws Error when the keeper cannot tell
   */
  nameOf(address: string): Promise<string> {
    return this.#ask(this.#unnamed, { type: "name", address }, NAME_PATIENCE);
  }

  /** Asks this keeper, and those that follow it, for the texts of files: they come by `onTexts`. */
  wantTexts(): void {
    if (this.#textsWanted) return;
    this.#textsWanted = true;
    this.#channel?.send({ type: "texts" });
  }

  /**
   * Asks the keeper something that it answers in a word.
   * @param patience milliseconds
   * @param message a descriptor that goes with it, which stays open here
   * @throws Error when the keeper cannot do it or does not answer
   */
  askWord(order: object, patience: number, message: number | null = null): Promise<string> {
    // A keeper that follows is given it once more, whatever has become of the message meanwhile.
    return this.#ask(this.#unnamed, order, patience, message === null ? undefined : duplicate(message));
  }

  /**
   * Whether mail to that address goes to /dev/null.
   * @throws Error when the keeper cannot tell
   */
  leadsToNull(address: string): Promise<boolean> {
    return this.#ask(this.#unexpanded, { type: "blackHole", address }, BLACK_HOLE_PATIENCE);
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
    if (this.#lines.add(level, text, fields)) setImmediate(() => this.flush());
  }

  /** Sends the lines that wait, if there is a keeper. */
  flush(): void {
    if (this.#channel === null) return;
    for (const lines of this.#lines.take()) this.#channel?.send({ type: "log", lines });
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

  #request(order: object, patience: number): Promise<number> {
    return this.#ask(this.#waiting, order, patience);
  }

  /** Asks the keeper; while there is none, and when it goes, whoever asked waits for the next. */
  #ask<T>(
    waiting: Map<number, Waiting<T>>,
    order: object,
    patience: number,
    descriptor?: number,
  ): Promise<T> {
    const id = ++this.#lastId;
    const request = { ...order, id };
    // The keeper closes the link to whoever asks for what it does not know, and the next would be asked once more.
    if (checkChildRequest(request) === null) {
      if (descriptor !== undefined) closeDescriptor(descriptor);
      return Promise.reject(new Error("the keeper is not asked: a text is too long"));
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const entry = { request, resolve, reject, ...(descriptor === undefined ? {} : { descriptor }), id };
    waiting.set(id, entry);
    const timer = setTimeout(() => {
      waiting.delete(id);
      reject(new Error("the keeper does not answer"));
    }, patience);
    this.#send(waiting, entry);
    return promise.finally(() => {
      clearTimeout(timer);
      if (descriptor !== undefined) closeDescriptor(descriptor);
    });
  }

  #sendAll<T>(asked: Map<number, Waiting<T>>): void {
    for (const waiting of asked.values()) this.#send(asked, waiting);
  }

  /**
   * Sends a request; what goes with it is there first. When the keeper is gone, the next is sent it. What fails for
   * another reason is forgotten at once: by the time of the next keeper its descriptor is another message's.
   */
  #send<T>(asked: Map<number, Waiting<T>>, { id, request, descriptor, reject }: Waiting<T>): void {
    if (this.#channel === null) return;
    try {
      if (descriptor !== undefined) sendDescriptors(this.#passingFd, id, [descriptor]);
      this.#channel.send(request);
    } catch (error) {
      if (error instanceof OsError && GONE.has(error.code)) {
        this.#detach();
        return;
      }
      asked.delete(id);
      reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onAnswer(message: unknown): void {
    const answer = checkKeeperAnswer(message);
    if (answer === null) return;
    if (answer.type === "access") {
      this.onAccess(answer.access);
      return;
    }
    if (answer.type === "texts") {
      this.onTexts(answer);
      return;
    }
    if (answer.type === "whitelist") {
      this.onWhitelist(answer);
      return;
    }
    if (answer.type === "blackHole") {
      this.#unexpanded.get(answer.id)?.resolve(answer.discards);
      this.#unexpanded.delete(answer.id);
      return;
    }
    const unnamed = this.#unnamed.get(answer.id);
    this.#unnamed.delete(answer.id);
    if (answer.type === "name" || answer.type === "told") {
      unnamed?.resolve(answer.type === "name" ? answer.name : answer.text);
      return;
    }
    if (answer.type === "failed") unnamed?.reject(new Error(answer.reason));
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.type === "failed") {
      waiting?.reject(new Error(answer.reason));
      return;
    }
    // It was sent before the answer, so it is there.
    const descriptor = receiveUnder(this.#passingFd, answer.id);
    if (descriptor === null) waiting?.reject(new Error("a descriptor did not arrive"));
    else if (waiting === undefined) closeDescriptor(descriptor);
    else waiting.resolve(descriptor);
  }

  #detach(): void {
    const channel = this.#channel;
    if (channel === null) return;
    this.#channel = null;
    channel.close();
    closeDescriptor(this.#passingFd);
  }
}
