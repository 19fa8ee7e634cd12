import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks of the kernel's tables in a second: USER_HZ, which is 100 on every platform of ours. */
const TICKS = 100;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** Seconds of processor time. */
  readonly seconds: number;
}

/** Seconds of processor time that a process and all its descendants have used so far. */
export function cpuOfTree(root: number): number {
  const all = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? statOf(Number(name)) : []));
  const tree = new Set([root]);
  for (let before = 0; before < tree.size; ) {
    before = tree.size;
    for (const { pid, parent } of all) if (tree.has(parent)) tree.add(pid);
  }
  return all.filter(({ pid }) => tree.has(pid)).reduce((sum, { seconds }) => sum + seconds, 0);
}

function statOf(pid: number): Stat[] {
  try {
    // The name in brackets may have blanks.
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [parent, user, system] = [fields[1], fields[11], fields[12]].map(Number);
    return [{ pid, parent: parent ?? 0, seconds: ((user ?? 0) + (system ?? 0)) / TICKS }];
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
