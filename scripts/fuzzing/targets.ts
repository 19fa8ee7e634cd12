import type { Target } from "./target.ts";
import { MILTER_TARGETS } from "./targets/milter.ts";
import { REPLY_TARGETS } from "./targets/milter-replies.ts";
import { SESSION_TARGET } from "./targets/milter-session.ts";

/** Everything that is fuzzed. */
export const TARGETS: readonly Target[] = [...MILTER_TARGETS, SESSION_TARGET, ...REPLY_TARGETS];

export function targetNamed(name: string): Target | null {
  return TARGETS.find((target) => target.name === name) ?? null;
}
