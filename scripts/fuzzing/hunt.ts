import { Chance } from "./chance.ts";
import { mutated, pumped } from "./mutate.ts";
import { shrunk } from "./shrink.ts";
import { Broken, type Target } from "./target.ts";

/** How long a target is fuzzed, and with what. */
export interface HuntOrder {
  readonly seed: number;
  /** Executions at most; the same number gives the same result. */
  readonly executions: number;
  /** Milliseconds at most. */
  readonly time: number;
  /** Inputs to begin with. */
  readonly corpus: readonly Uint8Array[];
  /** Told before each execution, so that somebody else knows the input that does not come back. */
  readonly onStart: (input: Uint8Array) => void;
}

/** Something that is wrong. */
export interface Finding {
  /** What, in one line. */
  readonly what: string;
  /** The smallest input that shows it. */
  readonly input: Uint8Array;
  /** Executions before it. */
  readonly execution: number;
}

export interface HuntResult {
  readonly executions: number;
  /** Milliseconds. */
  readonly time: number;
  /** Inputs that were kept because something new came out. */
  readonly kept: number;
  readonly findings: readonly Finding[];
}

/** One execution that takes longer is a hang: a mail must not hold up all others. Milliseconds. */
export const SLOW = 1000;
/** Time for making one finding's input smaller. Milliseconds. */
const SHRINK_TIME = 20_000;
/** Memory that a target may hold on to, and how often that is looked at. Bytes, executions. */
const LARGEST_HEAP = 1024 ** 3;
const HEAP_INTERVAL = 500;
const MOST_KEPT = 2000;
const MOST_FINDINGS = 10;

/** Feeds a target until the time is over: the corpus, then what the grammar makes and what mutations make of it. */
export async function hunt(target: Target, order: HuntOrder): Promise<HuntResult> {
  const chance = new Chance(order.seed, target.name);
  const seen = new Set<string>();
  const pool: Uint8Array[] = [];
  const findings: Finding[] = [];
  const begun = performance.now();
  let executions = 0;
  while (executions < order.executions && performance.now() - begun < order.time) {
    const input = order.corpus[executions] ?? nextInput(target, chance, pool);
    executions++;
    const { words, fault } = await execution(target, input, order.onStart);
    if (fault !== null && findings.every(({ what }) => kindOf(what) !== kindOf(fault))) {
      findings.push({
        what: fault,
        input: await smallest(target, input, fault, order),
        execution: executions,
      });
      if (findings.length >= MOST_FINDINGS) break;
    }
    if (executions % HEAP_INTERVAL === 0 && hasGrown()) {
      findings.push({
        what: `growth: more than ${LARGEST_HEAP} bytes are held`,
        input,
        execution: executions,
      });
      break;
    }
    if (seen.has(words) || seen.size > 10 * MOST_KEPT) continue;
    seen.add(words);
    if (pool.length < MOST_KEPT) pool.push(input);
    else pool[chance.below(MOST_KEPT)] = input;
  }
  return { executions, time: performance.now() - begun, kept: pool.length, findings };
}

function hasGrown(): boolean {
  const held = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return Math.max(heapUsed, arrayBuffers);
  };
  if (held() <= LARGEST_HEAP) return false;
  Bun.gc(true);
  return held() > LARGEST_HEAP;
}

function nextInput(target: Target, chance: Chance, pool: readonly Uint8Array[]): Uint8Array {
  const { largest, dictionary } = target;
  if (pool.length === 0 || chance.happens(0.3)) {
    const made = target.generate(chance).subarray(0, largest);
    return chance.happens(0.02) ? pumped(made, chance, target) : made;
  }
  return mutated(chance.pick(pool), chance, { largest, dictionary, other: chance.pick(pool) });
}

interface Executed {
  /** What came out. */
  readonly words: string;
  /** What is wrong, or null. */
  readonly fault: string | null;
}

/** Runs a target once, and again when it was slow: another process may have had the processor. */
export async function execution(
  target: Target,
  input: Uint8Array,
  onStart: (input: Uint8Array) => void = () => {},
): Promise<Executed> {
  let least = Number.POSITIVE_INFINITY;
  let words = "";
  for (let round = 0; round < 3; round++) {
    onStart(input);
    const begun = clocks();
    try {
      const outcome = target.run(input);
      words = typeof outcome === "string" ? outcome : await outcome;
    } catch (error) {
      return { words: "fault", fault: faultText(error) };
    }
    const ended = clocks();
    least = Math.min(least, ...ended.map((clock, at) => clock - (begun[at] ?? 0)));
    if (least <= SLOW) return { words, fault: null };
  }
  return { words, fault: `slow: ${Math.round(least)} ms for ${input.length} bytes` };
}

/** Two clocks: of the wall, and of this process, which stands while others have the processor. Milliseconds. */
function clocks(): number[] {
  const { user, system } = process.cpuUsage();
  return [performance.now(), (user + system) / 1000];
}

function faultText(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`.slice(0, 300);
  const where = error instanceof Broken ? "" : placeOf(error);
  return `${error.name}: ${error.message.slice(0, 300).replaceAll(/[\0-\x1f]/g, "?")}${where}`;
}

function placeOf({ stack = "" }: Error): string {
  const line = stack.split("\n").find((each) => /\/src\//.test(each)) ?? "";
  return ` (${/src\/[\w/-]+\.ts:\d+/.exec(line)?.[0] ?? "no place"})`;
}

/** Faults of one kind differ in what they show. */
function kindOf(what: string): string {
  return what.replace(/:? *[{["\d|].*$/s, "").slice(0, 60);
}

function smallest(target: Target, input: Uint8Array, fault: string, order: HuntOrder): Promise<Uint8Array> {
  const kind = kindOf(fault);
  const fails = async (shorter: Uint8Array): Promise<boolean> => {
    const { fault: other } = await execution(target, shorter, order.onStart);
    return other !== null && kindOf(other) === kind;
  };
  return shrunk(input, fails, SHRINK_TIME);
}
