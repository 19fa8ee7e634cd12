import type { Settings } from "../config/settings.ts";
import type { ResponseRules } from "../response/rules.ts";
import { VERSION } from "../version.ts";

/** The settings that shape a response. */
export function responseRules(settings: Settings): ResponseRules {
  const { infected } = settings;
  return {
    addHeaders: settings.addHeaders,
    acceptOnError: settings.acceptOnError,
    discardInfected: settings.discardInfected,
    advisory: infected.advisory,
    quarantineAddress: infected.quarantineAddress,
    keepInfected: infected.quarantineDirectory !== null,
    notices: !settings.quiet,
    reportPhish: infected.reportPhish !== null,
    reportFalsePositives: infected.reportFalsePositives !== null,
    onOversize: settings.onOversize,
    sign: settings.signature !== null,
    ourVersion: VERSION,
  };
}
