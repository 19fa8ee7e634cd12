import { randomBytes } from "node:crypto";
import { Resolver } from "node:dns/promises";
import { hostname } from "node:os";
import type { OutageEvent } from "../clamd/outage.ts";
import type { Settings } from "../config/settings.ts";
import type { MailTexts } from "../ipc/notice-messages.ts";
import type { Log } from "../log/log.ts";
import type { Stamp } from "../notify/compose.ts";
import { composeScannerMail } from "../notify/scanner-mail.ts";
import { sendBroadcast } from "../os/broadcast-socket.ts";
import { checkSpf } from "../spf/evaluate.ts";
import type { AnsweredNotice } from "./child-desk.ts";
import { DurableFiles } from "./durable-files.ts";
import { handleIncident } from "./incident-desk.ts";
import { WatchedTexts } from "./mail-texts.ts";
import { PostOffice } from "./post-office.ts";
import { Quarantine } from "./quarantine.ts";
import { readLatin1, stampOf } from "./system-access.ts";
import { resolveTxt } from "./txt-resolver.ts";

/** Files are looked at, and mail is sent, at this interval. Milliseconds. */
const TICK = 1000;
/** What was left unfinished in the quarantine directory is taken away at this interval. Milliseconds. */
const CLEANING = 3_600_000;
/** The mail about lost scanners is sent at most so often (CB 5.5). Milliseconds. */
const OUTAGE_INTERVAL = 15 * 60_000;

/** Who is told of changes. */
export interface NoticeAudience {
  readonly log: Log;
  /** Files that children need the texts of have changed. */
  readonly onTexts: (texts: MailTexts) => void;
}

/** Everything that the keeper does about infected mail and about mail of ours. */
export class NoticeService {
  readonly #audience: NoticeAudience;
  readonly #office: PostOffice;
  readonly #texts: WatchedTexts;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #broadcastFd: number | null;
  readonly #quarantineFiles = new DurableFiles();
  #cleanedAt = Number.NEGATIVE_INFINITY;
  #settings: Settings;
  #downAt: number;
  #downTold: boolean;
  #unheard = false;

  /**
   * @param broadcastFd a socket for broadcasts, or null
   * @param outage whether no scanner was left when the keeper before this one ended: it has told of that
   */
  constructor(settings: Settings, broadcastFd: number | null, outage: boolean, audience: NoticeAudience) {
    this.#downTold = outage;
    this.#downAt = outage ? Date.now() : Number.NEGATIVE_INFINITY;
    this.#settings = settings;
    this.#audience = audience;
    this.#broadcastFd = broadcastFd;
    const { log } = audience;
    this.#office = new PostOffice({ settings: () => this.#settings, log, stamp: () => this.#stamp() });
    this.#texts = new WatchedTexts(filesOf(settings), { read: readText, stamp: stampOf }, log);
    this.#timer = setInterval(() => this.#tick(), TICK);
  }

  /** What children need of files. */
  get texts(): MailTexts {
    const { texts } = this.#texts;
    return { ...texts, wantsHeaders: texts.wantsHeaders || this.#settings.notices.headers };
  }

  renew(settings: Settings): void {
    this.#settings = settings;
    this.#texts.renew(filesOf(settings));
    this.#audience.onTexts(this.texts);
  }

  /**
   * Does what a child asks for.
   * @param message descriptor of the message, which the caller closes, or null
   * @throws Error when it cannot be done
   */
  async answer(request: AnsweredNotice, message: number | null): Promise<string> {
    if (request.type === "own") return this.#office.honours(request) ? "yes" : "no";
    if (request.type === "spf") {
      if (this.#settings.infected.reportFalsePositives === null) return "none";
      return this.#checkSpf(request.address, request.sender, request.helo);
    }
    const { infected, notices } = this.#settings;
    return handleIncident(request.order, message, {
      rules: notices,
      template: this.#texts.template,
      templateWantsHeaders: this.#texts.wantsHeaders,
      reportTo: { phish: infected.reportPhish, falsePositive: infected.reportFalsePositives },
      quarantine: this.#quarantine,
      mailer: this.#office.mailer,
      broadcast: (text) => this.broadcast(text),
      stamp: () => this.#stamp(),
      log: this.#audience.log,
    });
  }

  /** Tells everybody on the network; one line when that begins to fail. */
  broadcast(text: string): void {
    const { broadcast } = this.#settings;
    if (broadcast === null || this.#broadcastFd === null) return;
    try {
      sendBroadcast(this.#broadcastFd, broadcast.port, text);
      this.#unheard = false;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!this.#unheard) this.#audience.log("warning", `--broadcast: ${reason}`);
      this.#unheard = true;
    }
  }

  /** No scanner is left, or one is again: the postmaster gets a mail, even with --quiet (CB 1.25, 5.5). */
  onOutage(event: OutageEvent): void {
    const now = Date.now();
    if (event.kind === "began") {
      this.broadcast("Check clamd server - it may be down\n");
      // A scanner that comes and goes makes no flood.
      if (now - this.#downAt < OUTAGE_INTERVAL && now >= this.#downAt) return;
      this.#downAt = now;
      this.#downTold = true;
      const details = event.servers.map(({ name, state }) => `${name}: ${state}`);
      this.#tell({ back: false, details, unscanned: this.#settings.acceptOnError });
    } else if (this.#downTold) {
      this.#downTold = false;
      this.#tell({ back: true, details: [event.server], unscanned: false });
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#office.stop();
  }

  get #quarantine(): Quarantine | null {
    const { quarantineDirectory } = this.#settings.infected;
    if (quarantineDirectory === null) return null;
    return new Quarantine(quarantineDirectory, () => new Date(), this.#quarantineFiles);
  }

  #tell(news: Parameters<typeof composeScannerMail>[0]): void {
    const { postmaster } = this.#settings.notices;
    const mail = composeScannerMail(news, postmaster, this.#stamp());
    const title = news.back ? "mail about a scanner that is back" : "mail about lost scanners";
    this.#office.add({ ...mail, recipients: [postmaster], title }).catch((error: unknown) => {
      this.#audience.log("error", `${title}: ${error instanceof Error ? error.message : error}`);
    });
  }

  #checkSpf(address: string, sender: string, helo: string): Promise<string> {
    const dns = new Resolver({ timeout: 5000, tries: 2 });
    return checkSpf({ address, sender, helo }, async (name, type) => {
      if (type === "TXT") return resolveTxt(name, dns.getServers());
      const answer: unknown = await dns.resolve(name, type);
      return Array.isArray(answer) ? answer : [];
    });
  }

  #tick(): void {
    if (this.#texts.look()) this.#audience.onTexts(this.texts);
    this.#office.tick();
    if (performance.now() - this.#cleanedAt < CLEANING) return;
    this.#cleanedAt = performance.now();
    void this.#quarantine?.clean();
  }

  #stamp(): Stamp {
    return { time: Date.now(), token: randomBytes(9).toString("hex"), host: hostname() };
  }
}

function filesOf({ notices, signature }: Settings) {
  return { template: notices.templateFile, templateHeaders: notices.templateHeaders, signature };
}

/** @throws Error when there is no such file, too */
function readText(path: string): string {
  const text = readLatin1(path);
  if (text === null) throw new Error("there is no such file");
  return text;
}
