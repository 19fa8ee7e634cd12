import { type Bench, withServers } from "./bench.ts";
import { KEPT } from "./rates.ts";
import { type FilterName, LOCAL_CLIENT, OUTSIDE_CLIENT, startFilter, startStub } from "./servers.ts";
import { columns, short } from "./table.ts";
import { stateOf, type TreeState } from "./tree.ts";

const MEGABYTE = 1 << 20;
const SLOPE_OF = 100_000;
const CONNEXIONS = 16;
/** Part of the time for tables after which a stretch is broken off: the slope counts what went through. */
const PATIENCE = 0.25;
/**
 * What is given back when nothing is under way: until the memory falls no more for so long, and no longer than that. In
 * between two collections a runtime's memory says nothing about what is held, what is free goes back only after half a
 * minute, and what was compiled after two: 2 to 4 MB a process, seen in one run and not in the next with a shorter wait.
 * Milliseconds.
 */
const SETTLED = 100_000;
const LONGEST_SETTLE = 200_000;
const SETTLE_LOOK = 1000;
/** What counts as falling. */
const NOISE = MEGABYTE / 4;

interface Mark {
  readonly messages: number;
  readonly memory: number;
  readonly descriptors: number;
  readonly processes: number;
}

/** Memory and descriptors after ever more messages: the first marks are scanned mail, the last is not. */
export async function measureMemory(bench: Bench): Promise<void> {
  const all: Record<string, readonly Mark[]> = {};
  for (const name of ["clamav-milter", "ours-unix"] as const) all[name] = await marksOf(bench, name);
  bench.keep("memory", all);
  bench.say(
    "\nMemory (PSS of all processes) and descriptors after ever more messages, the last stretch unscanned",
  );
  const rows = Object.entries(all).flatMap(([name, marks]) =>
    marks.map((mark, at) => markRow(name, mark, marks[at - 1])),
  );
  const head = ["target", "messages", "MB", "descriptors", "processes", "kB per 100,000"];
  for (const line of columns([head, ...rows])) bench.say(line);
}

function marksOf(bench: Bench, name: FilterName): Promise<Mark[]> {
  const { options, generator, folder } = bench;
  // The reference goes no further than the scanned ones: what it costs is known then.
  const marks = name === "clamav-milter" ? options.marks.slice(0, -1) : options.marks;
  return withServers(async (started) => {
    const scanner = started(await startStub(folder));
    const filter = started(await startFilter(name, folder, scanner, false));
    const look = async (messages: number): Promise<Mark> => ({ messages, ...(await settled(filter.pid)) });
    const seen: Mark[] = [await look(0)];
    let done = 0;
    for (const mark of marks) {
      const scanned = mark !== options.marks.at(-1);
      const figures = await generator.load({
        kind: "milter",
        address: filter.address,
        connexions: CONNEXIONS,
        messages: mark - done,
        seconds: PATIENCE * options.budget,
        size: "2k",
        perConnexion: KEPT,
        client: scanned ? OUTSIDE_CLIENT : LOCAL_CLIENT,
        scanned,
      });
      bench.wrong(`memory ${name}`, figures.wrong, figures.firstWrong);
      done += figures.messages;
      seen.push(await look(done));
    }
    return seen;
  });
}

/** A tree that has been left alone until its memory has come to rest. */
async function settled(pid: number): Promise<TreeState> {
  const begun = performance.now();
  let least = stateOf(pid);
  let fallen = least.memory;
  let since = begun;
  for (;;) {
    await Bun.sleep(SETTLE_LOOK);
    const state = stateOf(pid);
    const now = performance.now();
    if (state.memory < fallen - NOISE) [fallen, since] = [state.memory, now];
    if (state.memory < least.memory) least = state;
    if (now - since > SETTLED || now - begun > LONGEST_SETTLE) return least;
  }
}

function markRow(name: string, mark: Mark, last: Mark | undefined): string[] {
  const grown = last === undefined ? Number.NaN : (mark.memory - last.memory) / 1024;
  const slope = last === undefined ? Number.NaN : (grown * SLOPE_OF) / (mark.messages - last.messages);
  const { messages, memory, descriptors, processes } = mark;
  return [
    name,
    String(messages),
    short(memory / MEGABYTE),
    String(descriptors),
    String(processes),
    short(slope),
  ];
}
