import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { SoakLab } from "./lab.ts";
import type { SoakSample } from "./samples.ts";
import { filesBelow } from "./tree.ts";

/** What must have become of infected messages besides their answers: their copies and the notices about them. */
export interface KeptMail {
  /** It was refused: its copy must be there, whole, and is taken away. @returns what is wrong, or null */
  refused(sample: SoakSample): string | null;
  /** It got no answer, or another: there may be a copy of it. */
  unanswered(sample: SoakSample): void;
  /** The keeper is killed: what it counted in the last seconds may not be on the disk. */
  keeperDies(): void;
  /** Seconds that the filter's clock was ahead of ours when it last kept a copy; null: none yet. */
  readonly clockError: number | null;
  /** Reads what the mail program was given, and takes it away. */
  readNotices(): void;
  /** Notices that were given to the mail program, and mails that the digests and the count of the rest tell of. */
  readonly told: number;
  readonly omitted: number;
  /** Looks at copies of messages that came to another end, and takes them away once they are old. @returns what is wrong */
  sweep(): readonly string[];
  /** What is wrong when all is over: the outbox is empty and nobody writes any more. */
  finish(): readonly string[];
}

/** What is left out is written down every second; a keeper that is stopped is killed some seconds later. */
const UNSAVED = 2_500;
const DYING = 9_000;
/** By then a message has its answer. Milliseconds. */
const SWEPT_AFTER = 30_000;
const UNFINISHED = ".unfinished-";

export function keptMail(lab: SoakLab): KeptMail {
  const notices = noticeLedger(lab);
  const maybe = new Map<string, string>();
  let clockError: number | null = null;
  return {
    refused: (sample) => {
      notices.owed(sample.recipient);
      const { wrong, keptAt } = takeCopy(lab.quarantine.path, sample);
      if (keptAt !== null) clockError = (keptAt - Date.now()) / 1000;
      return wrong;
    },
    unanswered: (sample) => {
      if (sample.expected.kind === "infected") maybe.set(sample.mail.queueId, digestOf(wholeOf(sample)));
    },
    get clockError() {
      return clockError;
    },
    keeperDies: notices.keeperDies,
    readNotices: notices.read,
    get told() {
      return notices.told;
    },
    get omitted() {
      return notices.omitted;
    },
    sweep: () => {
      const old = Date.now() - SWEPT_AFTER;
      const files = filesBelow(lab.quarantine.path).filter((path) => changedAt(path) < old);
      const whole = files.filter((path) => !basename(path).startsWith(UNFINISHED));
      const wrong = wrongLeftovers(whole, maybe);
      for (const path of whole) rmSync(path, { force: true });
      return wrong;
    },
    finish: () => {
      // What a keeper was writing when it was killed is taken away by a later one, after an hour.
      const left = filesBelow(lab.quarantine.path).filter((path) => !notices.diedAt(path));
      return [...notices.lost(), ...wrongLeftovers(left, maybe)];
    },
  };
}

/** Who must be told, and who was. */
function noticeLedger(lab: SoakLab) {
  const owed = new Map<string, number>();
  /** Told before we had the answer, or though nobody was answered. */
  const early = new Set<string>();
  const deaths: number[] = [];
  const near = (at: number): boolean => deaths.some((death) => at > death - UNSAVED && at < death + DYING);
  let told = 0;
  let digested = 0;
  const mails = join(dirname(lab.sendmail.path), "mails");
  const omitted = (): number => digested + leftOut(lab.outbox.path);
  const read = (): void => {
    for (const name of readdirSync(mails)) {
      if (name.endsWith(".part")) continue;
      const text = readFileSync(join(mails, name), "latin1");
      rmSync(join(mails, name));
      for (const recipient of text.slice(0, text.indexOf("\n\n")).split("\n").slice(4)) {
        if (owed.delete(recipient)) told++;
        else early.add(recipient);
      }
      digested += Number(/^ {4}(\d+) notices or reports that nobody got$/m.exec(text)?.[1] ?? 0);
    }
  };
  return {
    read,
    owed: (recipient: string): void => {
      if (early.delete(recipient)) told++;
      else owed.set(recipient, performance.now());
    },
    keeperDies: () => void deaths.push(performance.now()),
    /** Whether this is a part of a file, and its keeper was killed while it wrote it. */
    diedAt: (path: string): boolean =>
      basename(path).startsWith(UNFINISHED) && near(changedAt(path) - performance.timeOrigin),
    get told() {
      return told;
    },
    get omitted() {
      return omitted();
    },
    lost: (): string[] => {
      read();
      const missing = [...owed].filter(([, at]) => !near(at)).map(([recipient]) => recipient);
      const lost = missing.length - omitted();
      return lost > 0 ? [`${lost} notices were lost, of those to ${missing.slice(0, 5).join(", ")}`] : [];
    },
  };
}

/** When a file was changed last, by the clock of the machine; a file that is gone is not old. */
function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ctimeMs ?? Number.POSITIVE_INFINITY;
}

/** How many mails the program has counted that nobody was told of. */
function leftOut(folder: string): number {
  return filesBelow(folder)
    .filter((path) => basename(path) === "left-out.json")
    .reduce((sum, path) => {
      const omitted: unknown = JSON.parse(readFileSync(path, "utf8"));
      const mails = typeof omitted === "object" && omitted !== null && "mails" in omitted ? omitted.mails : 0;
      return sum + Number(mails);
    }, 0);
}

/** Looks at the copy of a refused message, and takes it away. */
function takeCopy(
  quarantine: string,
  sample: SoakSample,
): { readonly wrong: string | null; readonly keptAt: number | null } {
  const { mail, expected } = sample;
  if (expected.kind !== "infected") return { wrong: null, keptAt: null };
  const name = `${mail.queueId}.${expected.name}`;
  // A keeper that was killed leaves a copy or its description behind, and the next keeps another, with a number.
  const copies = filesBelow(quarantine).filter((path) => basename(path).replace(/\.\d{1,3}$/, "") === name);
  const [first, ...more] = copies.map((path) => lookAt(path, digestOf(wholeOf(sample))));
  for (const path of copies) {
    rmSync(path);
    rmSync(`${path}.json`, { force: true });
  }
  if (first === undefined) return { wrong: `${name} was refused, and no copy is kept`, keptAt: null };
  return more.find(({ wrong }) => wrong !== null) ?? first;
}

function lookAt(
  path: string,
  digest: string,
): { readonly wrong: string | null; readonly keptAt: number | null } {
  if (digestOf(readFileSync(path)) !== digest) return { wrong: `${path} is not what came`, keptAt: null };
  try {
    const about: unknown = JSON.parse(readFileSync(`${path}.json`, "utf8"));
    if (typeof about === "object" && about !== null && "names" in about && "time" in about)
      return { wrong: null, keptAt: Date.parse(String(about.time)) };
    return { wrong: `${path}.json tells no names`, keptAt: null };
  } catch (error) {
    return { wrong: `${path}.json: ${error instanceof Error ? error.message : error}`, keptAt: null };
  }
}

/** Copies of messages that came to another end: each must be whole all the same. */
function wrongLeftovers(paths: readonly string[], maybe: ReadonlyMap<string, string>): string[] {
  return paths.flatMap((path) => {
    const name = basename(path);
    if (name.endsWith(".json")) return [];
    if (name.startsWith(UNFINISHED)) return [`${path} was left unfinished`];
    const digest = maybe.get(name.slice(0, name.indexOf(".")));
    const wrong =
      digest === undefined
        ? `${path} is a copy of no message that could be there`
        : lookAt(path, digest).wrong;
    return wrong === null ? [] : [wrong];
  });
}

/** A message as it must be kept. */
function wholeOf({ mail }: Pick<SoakSample, "mail">): Uint8Array {
  const head = (mail.headers ?? []).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.concat([Buffer.from(`${head}\r\n`, "latin1"), mail.body]);
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
