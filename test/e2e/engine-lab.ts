import { afterAll, beforeAll, expect } from "bun:test";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MtaConnexion, type MtaMail } from "../../scripts/load/mta-connexion.ts";
import { sendTraffic, type Tally } from "../../scripts/load/traffic.ts";
import { writeDirectives } from "../lab/clamd.ts";
import { writeDatabase } from "../lab/database.ts";
import { eicar, eicarAttachment } from "../lab/eicar.ts";
import { type Filter, startFilter } from "../lab/filter.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { mail } from "../lab/mail.ts";

/** A filter with the built-in engine, and where its things are. */
export interface InternalFilter {
  readonly filter: Filter;
  readonly socket: string;
  readonly database: string;
  /** Process ids of the engines that live now. */
  engines(): number[];
  /** Sends one mail and says what became of it: `accept Clean`, `replyCode`, `accept Not Scanned`. */
  send(text: string): Promise<string>;
  /** Clean and infected mails in turn. @param onMessage told after each */
  traffic(connexions: number, messages: number, onMessage?: () => void): Promise<Tally>;
}

let counter = 0;

/** What the tests of one file work with; all of it ends with the file, whatever fails. */
export interface InternalLab {
  readonly folder: LabFolder;
  /** @see startInternal */
  started(
    more?: Record<string, string>,
    options?: readonly string[],
    wrapper?: readonly string[],
  ): Promise<InternalFilter>;
  /** Ends a filter, which must end well. */
  stopped(internal: InternalFilter): Promise<void>;
}

/** To be called once, outside of the tests. */
export function internalLab(): InternalLab {
  let folder: LabFolder | undefined;
  const filters: InternalFilter[] = [];
  const made = (): LabFolder => {
    if (folder === undefined) throw new Error("only within a test");
    return folder;
  };
  beforeAll(() => {
    folder = plainFolder();
  });
  afterAll(async () => {
    await Promise.all(filters.map(({ filter }) => filter.stop()));
    folder?.remove();
  });
  return {
    get folder() {
      return made();
    },
    started: async (...order) => {
      const internal = await startInternal(made(), ...order);
      filters.push(internal);
      return internal;
    },
    stopped: async ({ filter }) => expect(await filter.stop()).toBe(0),
  };
}

/** Process ids of a filter's processes of that role that live now. */
export function rolesOf(filter: Filter, role: "child" | "keeper" | "engine"): number[] {
  return filter.children().filter((pid) => roleOf(pid).includes(`@${role}`));
}

/** Starts the built program without `--external`. */
async function startInternal(
  folder: LabFolder,
  more: Record<string, string> = {},
  options: readonly string[] = [],
  wrapper: readonly string[] = [],
): Promise<InternalFilter> {
  const name = `internal${++counter}`;
  const database = writeDatabase(join(folder.path, `${name}-db`));
  const conf = join(folder.path, `${name}.conf`);
  writeDirectives(conf, { DatabaseDirectory: database, DisableCache: "yes", ...more });
  const socket = join(folder.path, `${name}.sock`);
  const plan = { conf, sockets: [`unix:${socket}`], options: ["-q", ...options], internal: true, wrapper };
  const filter = await startFilter(plan);
  return {
    filter,
    socket,
    database,
    engines: () => rolesOf(filter, "engine"),
    send: (text) => sendOne(socket, text),
    traffic: (connexions, messages, onMessage = () => {}) =>
      sendTraffic({ address: { unix: socket }, connexions, messages, samples: SAMPLES, onMessage }),
  };
}

function roleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

/** A mail as text in the form in which an MTA hands it over. */
export function asMtaMail(text: string): MtaMail {
  const at = text.indexOf("\r\n\r\n");
  const lines = text
    .slice(0, at)
    .replaceAll(/\r\n[ \t]/g, " ")
    .split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return { headers, body: Buffer.from(text.slice(at + 4), "latin1") };
}

async function sendOne(socket: string, text: string): Promise<string> {
  const mta = await MtaConnexion.open({ unix: socket });
  try {
    await mta.negotiate();
    await mta.greet();
    const { verdict, modifications } = await mta.mail(asMtaMail(text));
    const status = modifications.find(
      (each) => "name" in each && each.name === "X-Virus-Status" && "value" in each,
    );
    return `${verdict.kind} ${status !== undefined && "value" in status ? status.value.trim() : ""}`.trim();
  } finally {
    mta.quit();
  }
}

const SAMPLES = [
  { mail: asMtaMail(mail()), expected: "accept" },
  { mail: asMtaMail(mail({ attachments: [eicarAttachment()] })), expected: "replyCode" },
];

/** A signature for a text, in a file of its own. */
export function signature(name: string, text: string): string {
  return `${name}:0:*:${Buffer.from(text, "latin1").toString("hex")}\n`;
}

export const EICAR_LINE: string = signature("Eicar-Test-Signature", eicar());

/** Puts a database file in place in one step, as freshclam does. */
export function putDatabase(folder: string, name: string, content: string): void {
  writeFileSync(join(folder, `.${name}.new`), content);
  renameSync(join(folder, `.${name}.new`), join(folder, name));
}
