import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAccessFile } from "../../src/access/access-file.ts";
import {
  type AccessExtras,
  type AccessTables,
  accessNeedsName,
  decideAccess,
} from "../../src/access/decide.ts";
import { accessDependencies } from "../../src/access/dependencies.ts";
import { type LabFolder, plainFolder } from "../lab/folder.ts";
import { askTcpdmatch, type TcpdAnswer, type TcpdCase } from "../lab/tcpdmatch.ts";
import {
  type Chance,
  CLIENTS,
  HOSTS,
  makeChance,
  type RandomPair,
  randomHost,
  randomPair,
  SERVERS,
} from "./random-tables.ts";

/*
 * Where tcpdmatch cannot be asked, because the tool or the library does what we must not:
 * - `twist`: the tool says "delegated"; the library would replace the process; we deny.
 * - `aclexec`: the tool runs nothing and says "granted"; the library would grant by the exit code; we deny.
 * - `user` and `group`: the tool changes its own identity and denies when that fails; we ignore them.
 * - `user@client`: the tool takes the user from the command line; ours is always unknown, as here.
 * - `@netgroup`: the tool knows those of its host, none here; ours are handed in.
 * - zones of IPv6 addresses: the library refuses those of interfaces that the host does not have; we never look.
 */

const SEED = 20_260_214;
const PAIRS = 500;
const TIMEOUT = 60_000;

let folder: LabFolder;
let files: Record<string, string | null>;

beforeAll(() => {
  folder = plainFolder();
});

afterAll(() => folder.remove());

/** Files for `/file` patterns, one of which names another, and one of which does not exist. */
function writeFiles(chance: Chance): Record<string, string | null> {
  const at = (name: string): string => join(folder.path, name);
  const hosts = (count: number): string => Array.from({ length: count }, () => randomHost(chance)).join("\n");
  const texts = {
    [at("one")]: "10.1.2.3 .example.com",
    [at("nets")]: "# lists\n 172.16.0.0/12\t[2001:db8::]/32\n",
    [at("nested")]: `203.0.113.200 ${at("one")} ${at("none")}`,
    [at("operators")]: "ALL@127.0.0.1 EXCEPT local1 10.9.9.9,10.1.2.3",
    [at("random")]: hosts(3),
    [at("empty")]: "",
  };
  for (const [path, text] of Object.entries(texts)) writeFileSync(path, text);
  return { ...texts, [at("none")]: null };
}

interface Pair extends TcpdCase {
  readonly tables: AccessTables;
  readonly extras: AccessExtras;
}

/** Hands in what the tables refer to. Chance makes paths of its own (`/24`), which do not exist. */
function extrasOf({ allow, deny }: AccessTables): AccessExtras {
  const needs = [allow, deny].map((rules) => accessDependencies(rules, files));
  const strange = needs.flatMap((need) => need.files).filter((path) => !Object.hasOwn(files, path));
  const netgroups = needs.flatMap((need) => need.netgroups).map((name) => [name, []] as const);
  return {
    files: { ...files, ...Object.fromEntries(strange.map((path) => [path, null])) },
    netgroups: Object.fromEntries(netgroups),
  };
}

function withQueries(chance: Chance, pair: RandomPair): Pair {
  const tables = {
    allow: parseAccessFile(pair.allow, "hosts.allow"),
    deny: parseAccessFile(pair.deny, "hosts.deny"),
  };
  const daemon = chance.pick(Object.keys(SERVERS));
  const queries = Array.from({ length: 5 }, () => ({ daemon, client: chance.pick(Object.keys(CLIENTS)) }));
  return { ...pair, queries, tables, extras: extrasOf(tables) };
}

function makePairs(seed: number): Pair[] {
  const chance = makeChance(seed);
  files = writeFiles(chance);
  const paths = Object.keys(files);
  return Array.from({ length: PAIRS }, () => withQueries(chance, randomPair(chance, paths)));
}

function extrasFor({ extras }: Pair, daemon: string): AccessExtras {
  const server = SERVERS[daemon];
  return server === null || server === undefined ? extras : { ...extras, server };
}

/** What our side makes of a query, in the referee's words. */
function ourAnswer(pair: Pair, daemon: string, client: string): { granted: boolean; rule: string | null } {
  const peer = CLIENTS[client];
  if (peer === undefined) throw new Error(`no facts for ${client}`);
  const { granted, rule } = decideAccess(pair.tables, peer, extrasFor(pair, daemon));
  return { granted, rule };
}

function theirAnswer(answer: TcpdAnswer, ours: string | null): { granted: boolean; rule: string | null } {
  // The library names no rule when it denies because hosts.deny cannot be used to its end.
  const lost =
    answer.matched === null && answer.log.includes("hosts.deny") && ours?.startsWith("hosts.deny:");
  return { granted: answer.access === "granted", rule: lost === true ? ours : answer.matched };
}

async function askAll(pairs: readonly Pair[]): Promise<TcpdAnswer[][]> {
  const half = Math.ceil(pairs.length / 2);
  const parts = await Promise.all(
    [pairs.slice(0, half), pairs.slice(half)].map((part) => askTcpdmatch(part, HOSTS)),
  );
  return parts.flat();
}

test(
  "500 random pairs of tables: the answers and the rules are tcpdmatch's",
  async () => {
    const pairs = makePairs(SEED);
    const answers = await askAll(pairs);
    const counts = { granted: 0, denied: 0, byAllow: 0, byDeny: 0, byNobody: 0, errors: 0 };
    for (const [at, pair] of pairs.entries()) {
      for (const [query, { daemon, client }] of pair.queries.entries()) {
        const answer = answers[at]?.[query];
        if (answer === undefined) throw new Error("no answer");
        const ours = ourAnswer(pair, daemon, client);
        const { allow, deny } = pair;
        const about = { allow, deny, daemon, client, log: answer.log };
        expect({ ...ours, about }).toEqual({ ...theirAnswer(answer, ours.rule), about });
        counts[ours.granted ? "granted" : "denied"]++;
        if (ours.rule === null) counts.byNobody++;
        else counts[ours.rule.startsWith("hosts.allow") ? "byAllow" : "byDeny"]++;
        if (answer.log.includes("error:")) counts.errors++;
      }
    }
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(PAIRS / 10);
  },
  TIMEOUT,
);

test("a name that nobody needs makes no difference", () => {
  let needless = 0;
  for (const pair of makePairs(SEED + 1)) {
    const { tables, queries } = pair;
    for (const { daemon, client } of queries) {
      const address = CLIENTS[client]?.address ?? "";
      const given = extrasFor(pair, daemon);
      if (accessNeedsName(tables, address, given)) {
        const named = [tables.allow, tables.deny].map((rules) => accessDependencies(rules, files).needsName);
        expect(named).toContain(true);
        continue;
      }
      needless++;
      const decisions = ["unknown", "paranoid", "mx.example.org", "local1"].map((name) =>
        decideAccess(tables, { address, name }, given),
      );
      for (const decision of decisions) expect(decision).toEqual(decisions[0] ?? decision);
    }
  }
  expect(needless).toBeGreaterThan(PAIRS);
});
