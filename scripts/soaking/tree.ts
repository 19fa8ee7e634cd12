import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the processes of a program take. */
export interface Usage {
  readonly processes: number;
  /** Their share of the memory that they have in common, and their own: MB. */
  readonly pss: number;
  readonly descriptors: number;
}

/** A process and all its descendants. */
export function treeOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // What has ended and was not asked for its status yet is no process any more.
    if (stat !== "" && fields[0] !== "Z") parents.set(Number(name), Number(fields[1]));
  }
  const tree = new Set(parents.has(root) ? [root] : []);
  for (let before = -1; before < tree.size; ) {
    before = tree.size;
    for (const [pid, parent] of parents) if (tree.has(parent)) tree.add(pid);
  }
  return [...tree];
}

export function usageOf(root: number): Usage {
  const pids = treeOf(root);
  const kilobytes = pids.map(
    (pid) => /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? "0",
  );
  return {
    processes: pids.length,
    pss: Math.round(kilobytes.reduce((sum, text) => sum + Number(text), 0) / 1024),
    descriptors: pids.reduce((sum, pid) => sum + descriptorsOf(pid), 0),
  };
}

export function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** Command line of a process, "" when it is gone. */
export function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`);
}

export function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/ Z /.test(read(`/proc/${pid}/stat`).replace(/^.*\)/, ""));
}

/** Files below a folder, hidden ones too; what vanishes meanwhile does not count. */
export function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.name !== ".filled")
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
