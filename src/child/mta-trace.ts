import { pid } from "node:process";
import type { Log } from "../log/log.ts";
import { wireText } from "../log/text.ts";
import { type SessionTrace, TRACE_COMMANDS, traceCommand, traceReplies } from "../milter/trace.ts";

/**
 * Makes the trace of each MTA connexion, or null when none is wanted. Its lines begin with `mta PID.N`, the process
 * and the number of the connexion in it; `<` is what the MTA says, `>` what we answer.
 * @param level 0 to 9, as `--debug-level`
 */
export function mtaTraces(level: number, log: Log): (() => SessionTrace) | null {
  if (level < TRACE_COMMANDS) return null;
  let opened = 0;
  return () => {
    const name = `mta ${pid}.${++opened}`;
    const tell = (text: string): void => log("verbose", `${name} ${wireText(text)}`);
    return {
      heard: (command) => tell(`< ${traceCommand(command, level)}`),
      said(frames) {
        for (const text of traceReplies(frames, level)) tell(`> ${text}`);
      },
      closed: () => tell("closed"),
    };
  };
}
