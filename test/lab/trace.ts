import { cachedPart, partCommand } from "../../scripts/debian/parts.ts";
import { startProcess } from "./process.ts";
import { until } from "./wait.ts";

/** A system call of a traced process. Begin and end are places in the order in which all calls were seen. */
export interface TracedCall {
  readonly text: string;
  readonly begun: number;
  readonly ended: number;
}

/** A trace that goes on. */
export interface Trace {
  /** All calls that have ended so far. */
  calls(): TracedCall[];
  /** As strace wrote it. */
  output(): string;
  /** Whether all traced processes have ended. */
  over(): boolean;
  /** Lets the processes go on untraced. */
  stop(): Promise<void>;
}

/** What to trace. */
export interface TraceOptions {
  readonly pids: readonly number[];
  /** Names of system calls. */
  readonly calls: readonly string[];
  /** The process dies of SIGKILL where a thread of it begins its nth one of these calls. */
  readonly killAt?: number;
  /** A call that takes so much longer, in milliseconds: who does not wait for it goes on before it has ended. */
  readonly slow?: { readonly call: string; readonly by: number };
}

/** Characters of a text argument that are shown. */
const SHOWN = 100;

/**
 * Traces processes with all their threads; resolves when each is traced. Needs root for those that forbid it to
 * others. Paths of descriptors are in the calls' texts.
 * @throws code `WAITED_TOO_LONG`, `HOPELESS`
 */
export async function traceCalls({ pids, calls, killAt, slow }: TraceOptions): Promise<Trace> {
  // To standard output: what strace says of itself would come in the middle of its lines.
  // Not every processor has every call.
  const names = calls.map((call) => `?${call}`).join(",");
  const words = ["-o", "|cat", "-f", "-y", "-s", String(SHOWN), "-e", `trace=${names}`];
  if (killAt !== undefined) words.push("-e", `inject=${names}:signal=SIGKILL:when=${killAt}`);
  if (slow !== undefined) words.push("-e", `inject=${slow.call}:delay_enter=${slow.by * 1000}`);
  const argv = partCommand(cachedPart("strace"), "usr/bin/strace", [
    ...words,
    ...pids.flatMap((pid) => ["-p", String(pid)]),
  ]);
  const strace = startProcess({ name: "strace", argv });
  const output = (): string => strace.output();
  await until(
    () => {
      strace.demandRunning();
      return pids.every((pid) => new RegExp(`strace: Process ${pid} attached`).test(output()));
    },
    { what: "strace to attach itself", detail: output },
  );
  return {
    calls: () => callsOf(strace.stdout()),
    output,
    over: () => !strace.running(),
    stop: () => strace.stop(),
  };
}

/** Puts together what is told in two lines when another thread's call comes in between. */
function callsOf(output: string): TracedCall[] {
  const open = new Map<string, { readonly text: string; readonly begun: number }>();
  const calls: TracedCall[] = [];
  for (const [at, line] of output.split("\n").slice(0, -1).entries()) {
    const [, pid = "", text = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const begun = open.get(pid);
    if (text.endsWith("<unfinished ...>")) {
      open.set(pid, { text: text.slice(0, -" <unfinished ...>".length), begun: at });
    } else if (text.startsWith("<... ") && begun !== undefined) {
      open.delete(pid);
      const rest = text.slice(text.indexOf(" resumed>") + " resumed>".length);
      calls.push({ text: begun.text + rest, begun: begun.begun, ended: at });
    } else calls.push({ text, begun: at, ended: at });
  }
  return calls;
}
