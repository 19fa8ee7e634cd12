import type { Target } from "./target.ts";
import { ACCESS_TARGETS } from "./targets/access.ts";
import { CLAMD_TARGETS } from "./targets/clamd.ts";
import { COMMAND_LINE_TARGETS } from "./targets/command-line.ts";
import { CONFIG_TARGETS } from "./targets/config.ts";
import { ENGINE_TARGETS } from "./targets/engine.ts";
import { IPC_TARGETS } from "./targets/ipc.ts";
import { LIST_TARGETS } from "./targets/lists.ts";
import { LOG_TARGETS } from "./targets/log.ts";
import { MILTER_TARGETS } from "./targets/milter.ts";
import { REPLY_TARGETS } from "./targets/milter-replies.ts";
import { SESSION_TARGET } from "./targets/milter-session.ts";
import { NOTICE_TARGETS } from "./targets/notices.ts";
import { OUTBOX_TARGETS } from "./targets/outbox.ts";
import { RESPONSE_TARGETS } from "./targets/response.ts";
import { SELF_TESTS } from "./targets/self-test.ts";
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
  ...COMMAND_LINE_TARGETS,
  ...LIST_TARGETS,
  ...SIGNATURE_TARGETS,
  ...ENGINE_TARGETS,
  ...OUTBOX_TARGETS,
  ...LOG_TARGETS,
  ...RESPONSE_TARGETS,
  ...NOTICE_TARGETS,
];

export function targetNamed(name: string): Target | null {
  return [...TARGETS, ...SELF_TESTS].find((target) => target.name === name) ?? null;
}
