import type { RoleProcess } from "../../src/supervisor/role-process.ts";

/** A process that keeps what it is told. */
export interface LabRole extends RoleProcess {
  readonly sent: object[];
  /** How often it was killed. */
  readonly kills: number;
}

export function labRole(pid: number): LabRole {
  const sent: object[] = [];
  let kills = 0;
  return {
    pid,
    answering: true,
    sent,
    get kills() {
      return kills;
    },
    send: (message) => void sent.push(message),
    pass: () => 1,
    kill: () => void kills++,
  };
}
