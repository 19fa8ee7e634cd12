import { join } from "node:path";
import type { Log } from "../log/log.ts";
import type { Stamp } from "../notify/compose.ts";
import { composeDigest, nothingOmitted, type Omitted, omitting } from "../notify/digest.ts";
import type { NoticeRules } from "../notify/incident.ts";
import { checkHourlyCounts, HOUR, HourlyLimit } from "./hourly-limit.ts";
import type { OutboxMail } from "./outbox-entry.ts";
import { SmallFile } from "./small-file.ts";

/** Notices in an hour, and those of them to one address; the same for reports (decisions 6). */
export const NOTICE_BOUNDS = { total: 200, perRecipient: 60 };
export const REPORT_BOUNDS = { total: 60, perRecipient: 60 };

const DIGEST_FILE = "left-out.json";
/** What was counted in this hour: neither a death of the keeper's nor a new start begins another. */
const COUNTS_FILE = "hour.json";
/** The file of what was left out is written at most so often. Milliseconds. */
const SAVE_INTERVAL = 1000;

/** What a mailer needs of the world. */
export interface MailerEdge {
  /** The folder of this instance. */
  readonly folder: string;
  readonly rules: () => NoticeRules;
  readonly stamp: () => Stamp;
  /** Puts a mail on the disk. @throws Error */
  readonly add: (mail: OutboxMail) => Promise<void>;
  readonly log: Log;
}

/** A mail about an infected message. */
export interface Announcement {
  readonly kind: "notice" | "report";
  readonly queueId: string;
  readonly names: readonly string[];
  readonly recipients: readonly string[];
  /** Makes the mail for those who may get it. */
  readonly compose: (allowed: ReadonlySet<string>) => Omit<OutboxMail, "title" | "recipients">;
}

/** Hands mail about infected messages to the outbox, within hourly bounds; a digest tells of the rest. */
export class Mailer {
  readonly #edge: MailerEdge;
  readonly #limits: Readonly<Record<Announcement["kind"], HourlyLimit>>;
  readonly #countsFile: SmallFile;
  readonly #digestFile: SmallFile;
  #omitted: Omitted | null;
  #savedAt = 0;
  #unsaved = false;
  #countsUnsaved = false;
  #failing = false;

  constructor(edge: MailerEdge) {
    this.#edge = edge;
    this.#digestFile = new SmallFile(join(edge.folder, DIGEST_FILE));
    this.#omitted = checkOmitted(this.#digestFile.read());
    this.#countsFile = new SmallFile(join(edge.folder, COUNTS_FILE));
    const before = this.#countsFile.read();
    const { notice, report } = before === null ? {} : (before as Record<string, unknown>);
    this.#limits = {
      notice: new HourlyLimit(NOTICE_BOUNDS, checkHourlyCounts(notice)),
      report: new HourlyLimit(REPORT_BOUNDS, checkHourlyCounts(report)),
    };
  }

  /** Never throws: what cannot be told one by one is told in the digest. */
  async announce(announcement: Announcement): Promise<void> {
    const { kind, queueId, names, recipients, compose } = announcement;
    if (recipients.length === 0) return;
    const { time } = this.#edge.stamp();
    const allowed = this.#limits[kind].admit(recipients, time);
    const missed = recipients.length - allowed.size;
    if (missed > 0) this.#omit(names, queueId, allowed.size === 0 ? 0 : missed);
    if (allowed.size === 0) return;
    // Before the mail: who dies in between has counted one too many, not one too few.
    this.#saveCounts();
    try {
      const mail = compose(allowed);
      await this.#edge.add({ ...mail, recipients: [...allowed], title: `${kind} about ${queueId}` });
      if (this.#failing) this.#edge.log("info", "the outbox takes mail again");
      this.#failing = false;
    } catch (error) {
      // The verdict stands (decisions 6); one line tells of it until it works again.
      if (!this.#failing) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#edge.log("error", `outbox: the ${kind} about ${queueId} cannot be kept: ${reason}`);
      }
      this.#failing = true;
      this.#omit(names, queueId, 0);
    }
  }

  /** Sends the digest when its hour is over. To be called about once a second. */
  tick(): void {
    const stamp = this.#edge.stamp();
    const omitted = this.#omitted;
    if (this.#unsaved && this.#isSaveDue(stamp.time)) this.#save(stamp.time);
    if (this.#countsUnsaved) this.#saveCounts();
    if (omitted === null || (stamp.time - omitted.since < HOUR && stamp.time >= omitted.since)) return;
    this.#omitted = null;
    const rules = this.#edge.rules();
    const mail = composeDigest(omitted, rules, stamp);
    this.#edge.add({ ...mail, recipients: [rules.postmaster], title: "digest of notices" }).then(
      () => this.#save(stamp.time),
      // Later, with what has come meanwhile.
      () => {
        this.#omitted = merged({ ...omitted, since: stamp.time }, this.#omitted);
      },
    );
  }

  /** Writes down what is not written yet. */
  stop(): void {
    if (this.#unsaved) this.#save(this.#edge.stamp().time);
    if (this.#countsUnsaved) this.#saveCounts();
  }

  #omit(names: readonly string[], queueId: string, recipients: number): void {
    const { time } = this.#edge.stamp();
    this.#omitted = omitting(this.#omitted ?? nothingOmitted(time), names, queueId, recipients);
    if (this.#isSaveDue(time)) this.#save(time);
    else this.#unsaved = true;
  }

  /** A clock that was set back must not keep the count in memory alone until it is where it was. */
  #isSaveDue(time: number): boolean {
    return Math.abs(time - this.#savedAt) >= SAVE_INTERVAL;
  }

  #save(time: number): void {
    this.#savedAt = time;
    this.#unsaved = !this.#digestFile.write(this.#omitted);
  }

  #saveCounts(): void {
    const { notice, report } = this.#limits;
    this.#countsUnsaved = !this.#countsFile.write({ notice: notice.counted, report: report.counted });
  }
}

function merged(one: Omitted, other: Omitted | null): Omitted {
  if (other === null) return one;
  return { ...one, mails: one.mails + other.mails, recipients: one.recipients + other.recipients };
}

/** What an earlier process has left out, if it is sound; else null. */
function checkOmitted(value: unknown): Omitted | null {
  if (typeof value !== "object" || value === null) return null;
  const { since, mails, recipients, names, queueIds } = value as Record<string, unknown>;
  const sound = [since, mails, recipients].every((number) => Number.isFinite(number));
  return sound && Array.isArray(names) && Array.isArray(queueIds) ? (value as Omitted) : null;
}
