import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks of the kernel's tables in a second: USER_HZ, which is 100 on every platform of ours. */
const TICKS = 100;
const KILOBYTE = 1024;

/** A process and all that it has started, at one moment. */
export interface TreeState {
  readonly processes: number;
  /** Processor seconds so far, those of children that have ended among them. */
  readonly cpu: number;
  /** Memory in bytes; what several processes share is counted once (PSS). */
  readonly memory: number;
  readonly descriptors: number;
}

/** Processor seconds of a tree so far. */
export function cpuOf(root: number): number {
  return pidsOf(root).reduce((sum, pid) => sum + cpuOfOne(pid), 0);
}

/** Everything about a tree: reading the memory takes a while. */
export function stateOf(root: number): TreeState {
  const pids = pidsOf(root);
  const sum = (value: (pid: number) => number): number => pids.reduce((total, pid) => total + value(pid), 0);
  return {
    processes: pids.length,
    cpu: sum(cpuOfOne),
    memory: sum(memoryOfOne),
    descriptors: sum(descriptorsOfOne),
  };
}

function pidsOf(root: number): number[] {
  const children = (pid: number): number[] => {
    const text = readdirOrNone(`/proc/${pid}/task`).map((task) =>
      textOf(`/proc/${pid}/task/${task}/children`),
    );
    return text.join(" ").split(" ").filter(Boolean).map(Number);
  };
  return [root, ...children(root).flatMap(pidsOf)];
}

/** Of `/proc/PID/stat`: utime, stime, cutime and cstime, in seconds. The name in brackets may have blanks. */
export function cpuInStat(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / TICKS;
}

function cpuOfOne(pid: number): number {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat === "" ? 0 : cpuInStat(stat);
}

function memoryOfOne(pid: number): number {
  const kilobytes = /^Pss:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1];
  return Number(kilobytes ?? 0) * KILOBYTE;
}

function descriptorsOfOne(pid: number): number {
  return readdirOrNone(`/proc/${pid}/fd`).length;
}

/** Nothing of a process that has ended meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function readdirOrNone(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
