import type { Target } from "./target.ts";
import { ACCESS_TARGETS } from "./targets/access.ts";
import { CLAMD_TARGETS } from "./targets/clamd.ts";
import { CONFIG_TARGETS } from "./targets/config.ts";
import { IPC_TARGETS } from "./targets/ipc.ts";
import { MILTER_TARGETS } from "./targets/milter.ts";
import { REPLY_TARGETS } from "./targets/milter-replies.ts";
import { SESSION_TARGET } from "./targets/milter-session.ts";
import { SIGNATURE_TARGETS } from "./targets/signature.ts";

/** Everything that is fuzzed. */
export const TARGETS: readonly Target[] = [
  ...MILTER_TARGETS,
  SESSION_TARGET,
  ...REPLY_TARGETS,
  ...CLAMD_TARGETS,
  ...IPC_TARGETS,
  ...ACCESS_TARGETS,
  ...CONFIG_TARGETS,
  ...SIGNATURE_TARGETS,
];

export function targetNamed(name: string): Target | null {
  return TARGETS.find((target) => target.name === name) ?? null;
}
