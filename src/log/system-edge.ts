import { pid } from "node:process";
import { connectSyslog, openAppended, outputOn } from "../os/log-output.ts";
import type { LogEdge } from "./open-log.ts";

const PROGRAM = "clamav-milter";
const STANDARD_ERROR = 2;
/** Where syslog(3) looks for syslogd. */
const SYSLOG_PATH = "/dev/log";

/** The real files, sockets and clocks. */
export function systemLogEdge(foreground: boolean, syslogPath = SYSLOG_PATH): LogEdge {
  return {
    speaker: { program: PROGRAM, pid },
    foreground,
    standardError: () => outputOn(STANDARD_ERROR),
    openFile: openAppended,
    connect: () => connectSyslog(syslogPath),
    after(milliseconds, work) {
      const timer = setTimeout(work, milliseconds);
      timer.unref();
      return () => clearTimeout(timer);
    },
  };
}
