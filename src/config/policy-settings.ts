import type { GivenOptions } from "../cli/command-line.ts";

/** What is scanned and what is refused. */
export interface PolicySettings {
  readonly scanOutgoing: boolean;
  readonly scanLocal: boolean;
  readonly forceScan: boolean;
  /** Canonical CIDR text. */
  readonly ignoreNets: readonly string[];
  /** Names whose mail is not scanned once they have authenticated: `[]` for all, null for none. */
  readonly skipAuthenticated: readonly string[] | null;
  /** A full path, or null. */
  readonly whitelistFile: string | null;
  /** `--quarantine`: always whitelisted; null without it. */
  readonly quarantineAddress: string | null;
  readonly blackHoleMode: boolean;
  /** `--detect-forged-local-address`. */
  readonly detectForged: boolean;
  /** Seconds; 0: there is no blacklist. */
  readonly blacklistTime: number;
  /** Addresses as they were given. */
  readonly dontBlacklist: readonly string[];
  /** Whether recipients with `;` or `|` are refused: `--dont-sanitise` is not given. */
  readonly sanitise: boolean;
}

/** @param fullPath gives the full path of a file that the command line names */
export function resolvePolicy(
  { values, ignore }: GivenOptions,
  fullPath: (path: string | null) => string | null,
): PolicySettings {
  const text = (value: string | true | undefined): string | null =>
    typeof value === "string" ? value : null;
  const list = (value: string | null): readonly string[] =>
    value?.split(",").filter((word) => word !== "") ?? [];
  const skip = values["skip-authenticated"];
  return {
    scanOutgoing: values.outgoing === true,
    scanLocal: values.local === true,
    forceScan: values["force-scan"] === true,
    ignoreNets: ignore,
    skipAuthenticated: skip === undefined ? null : list(text(skip)),
    whitelistFile: fullPath(text(values["whitelist-file"])),
    quarantineAddress: text(values.quarantine),
    blackHoleMode: values["black-hole-mode"] === true,
    detectForged: values["detect-forged-local-address"] === true,
    blacklistTime: Number(text(values["blacklist-time"]) ?? "0"),
    dontBlacklist: list(text(values["dont-blacklist"])),
    sanitise: values["dont-sanitise"] !== true,
  };
}
