import type { ScannerState } from "../clamd/health.ts";
import type { OutageEvent } from "../clamd/outage.ts";
import type { LogLevel } from "../log/event.ts";
import type { WatchEvent } from "./server-watch.ts";

/** One line for an administrator. */
export interface News {
  readonly level: LogLevel;
  readonly text: string;
}

const STATES: Readonly<Record<ScannerState, string>> = {
  up: "in use",
  busy: "silent",
  down: "not reached",
  blind: "blind",
};

/** What is said when something has happened to one server. */
export function serverNews(name: string, event: WatchEvent): News {
  const clamd = `clamd ${name}`;
  if (event.kind === "untested")
    return { level: "warning", text: `${clamd} did not scan the test message: ${event.why}` };
  if (event.kind === "unproven") {
    const use = "it is used, but nobody would notice if it called everything clean";
    return { level: "warning", text: `${clamd} does not know the test virus EICAR: ${use}` };
  }
  const { from, to, why, lasted, failures } = event;
  switch (to) {
    case "down":
      return { level: "error", text: `${clamd} cannot be reached: ${why}` };
    case "busy":
      return {
        level: "error",
        text: `${clamd} takes connexions, but does not answer: it loads its database, hangs or is stopped`,
      };
    case "blind": {
      const effect = "what it calls clean is not believed, and it is not used until it finds it";
      return { level: "error", text: `${clamd} does not find the test virus any more: ${effect}` };
    }
    case "up": {
      const sees = from === "blind" ? "finds the test virus again" : "answers again";
      const tries = `${failures} ${from === "blind" ? "tests" : "looks"} in vain`;
      return { level: "info", text: `${clamd} ${sees}, after ${seconds(lasted)} and ${tries}` };
    }
  }
}

/** @param unscanned whether mail passes while there is no scanner: `--dont-scan-on-error` */
export function outageNews(event: OutageEvent, unscanned: boolean): News {
  if (event.kind === "ended") {
    const text = `clamd ${event.server} is back: mail is scanned again, after ${seconds(event.lasted)}`;
    return { level: "info", text };
  }
  const states = event.servers.map(({ name, state }) => `${name}: ${STATES[state]}`).join(", ");
  const effect = unscanned ? "mail passes unscanned meanwhile" : "mail is deferred meanwhile";
  return { level: "error", text: `no clamd server answers (${states}): ${effect} (ClamAV Down)` };
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`;
}
